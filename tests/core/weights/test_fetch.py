from __future__ import annotations

import errno
import io
import json
import logging
import sys
import urllib.request
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch

from cardionets_core.errors import UnknownNameError, WeightsError
from cardionets_core.spec import ZooEntry
from cardionets_core.weights import fetch as fetch_module
from cardionets_core.weights.atomic import sha256_of
from cardionets_core.weights.cache import Cache, default_cache_dir
from cardionets_core.weights.fetch import fetch, resolve
from cardionets_core.weights.sources import package_file


def entry_of(weights: Path, *sources: str, **changes: Any) -> ZooEntry:
    values: dict[str, Any] = {
        "name": "tiny-simulated",
        "kind": "encoder",
        "summary": "made up",
        "sources": sources,
        "sha256": sha256_of(weights),
        "size_bytes": weights.stat().st_size,
        "licence": "MIT",
        "transform_hash": None,
        "card": "",
    }
    return ZooEntry(**{**values, **changes})


def kept_files(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


@pytest.fixture
def package(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package that holds the weights, beside a file that is none of its business."""
    root = tmp_path / "site"
    (root / "made_up_zoo" / "weights").mkdir(parents=True)
    (root / "made_up_zoo" / "__init__.py").write_text("raise RuntimeError('imported')")
    (root / "made_up_zoo" / "weights" / "a.safetensors").write_bytes(weights.read_bytes())
    (root / "secret.safetensors").write_bytes(weights.read_bytes())
    monkeypatch.syspath_prepend(str(root))
    return root


def test_zoo_id_gives_the_packaged_file_without_importing_the_package(
    weights: Path, package: Path, made_up: Any
) -> None:
    made_up.entries.append(entry_of(weights, "package:made_up_zoo/weights/a.safetensors"))
    found = fetch("tiny-simulated", offline=True, registry=made_up.registry)
    assert found.path == package / "made_up_zoo" / "weights" / "a.safetensors"
    assert found.pinned
    assert "made_up_zoo" not in sys.modules


@pytest.mark.parametrize(
    "source",
    [
        "package:made_up_zoo/../secret.safetensors",
        "package:made_up_zoo/weights/../../secret.safetensors",
        "package:made_up_zoo//etc/passwd",
        "package:made_up_zoo/..\\secret.safetensors",
        "package:../secret.safetensors",
        "package:made_up_zoo",
        "package:made_up_zoo/link.safetensors",
    ],
)
def test_package_path_cannot_leave_the_package(package: Path, source: str) -> None:
    (package / "made_up_zoo" / "link.safetensors").symlink_to(package / "secret.safetensors")
    with pytest.raises(WeightsError, match=r"not of the form|leads out of the package"):
        package_file(source)


def test_missing_package_and_missing_file_are_told_apart(package: Path) -> None:
    with pytest.raises(WeightsError, match="'made_up_zoo' has no such file"):
        package_file("package:made_up_zoo/weights/b.safetensors")
    with pytest.raises(WeightsError, match="'not_there' is not installed"):
        package_file("package:not_there/weights/b.safetensors")


def test_altered_packaged_file_is_refused_with_both_hashes(
    weights: Path, package: Path, made_up: Any
) -> None:
    made_up.entries.append(entry_of(weights, "package:made_up_zoo/weights/a.safetensors"))
    altered = package / "made_up_zoo" / "weights" / "a.safetensors"
    content = bytearray(altered.read_bytes())
    content[-1] ^= 1
    altered.write_bytes(content)
    with pytest.raises(
        WeightsError, match=f"{sha256_of(altered)} found, {sha256_of(weights)} need"
    ):
        resolve("tiny-simulated", registry=made_up.registry)


def test_next_source_is_tried_when_one_fails(weights: Path, made_up: Any) -> None:
    made_up.entries.append(entry_of(weights, "package:not_there/a.safetensors", str(weights)))
    assert resolve("tiny-simulated", registry=made_up.registry) == weights


def test_every_failed_source_is_named(weights: Path, made_up: Any) -> None:
    made_up.entries.append(entry_of(weights, "package:not_there/a.safetensors", "/no/such/file"))
    with pytest.raises(WeightsError, match=r"'tiny-simulated' cannot be had.*not_there.*/no/such/"):
        resolve("tiny-simulated", registry=made_up.registry)


def test_misspelt_zoo_id_gets_a_suggestion(weights: Path, made_up: Any) -> None:
    made_up.entries.append(entry_of(weights, str(weights)))
    with pytest.raises(
        UnknownNameError, match=r"Did you mean 'tiny-simulated'.*Nor is there a run"
    ):
        resolve("tiny-simulatd", registry=made_up.registry)


def test_zoo_id_wins_over_a_folder_of_the_same_name(
    weights: Path, made_up: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up.entries.append(entry_of(weights, str(weights)))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny-simulated").mkdir()
    assert resolve("tiny-simulated", registry=made_up.registry) == weights
    with pytest.raises(WeightsError, match=r"no weights\.safetensors in this folder"):
        resolve("./tiny-simulated", registry=made_up.registry)


def test_run_folder_gives_its_weights(
    weights: Path, made_up: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "weights.safetensors").write_bytes(weights.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert resolve(run).samefile(run / "weights.safetensors")
    assert resolve("run", registry=made_up.registry).samefile(run / "weights.safetensors")


def test_entry_folder_pins_its_weights(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "entry"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes(weights.read_bytes())
    pin = {"sha256": sha256_of(weights), "size_bytes": weights.stat().st_size}
    (folder / "entry.json").write_text(json.dumps(pin))
    assert fetch(folder).pinned
    (folder / "entry.json").write_text(json.dumps({**pin, "sha256": "0" * 64}))
    with pytest.raises(WeightsError, match="sha256"):
        fetch(folder)


def test_pickle_is_refused_wherever_it_comes_from(tmp_path: Path, loopback: Any) -> None:
    path = tmp_path / "model.pth"
    torch.save({"x": torch.ones(1)}, path)
    loopback.files["model.safetensors"] = path.read_bytes()
    for name in (str(path), loopback.url("model.safetensors")):
        with pytest.raises(WeightsError, match="pickle checkpoint"):
            resolve(name)
    with pytest.raises(WeightsError, match=r"a url of a \.safetensors file is needed"):
        resolve(loopback.url("model.pth"))


def test_pinned_download_is_checked_kept_and_not_asked_for_again(
    weights: Path, made_up: Any, loopback: Any, own_cache: Path
) -> None:
    loopback.files["a"] = weights.read_bytes()
    made_up.entries.append(entry_of(weights, loopback.url("a")))
    first = resolve("tiny-simulated", registry=made_up.registry)
    assert first.read_bytes() == weights.read_bytes()
    assert resolve("tiny-simulated", offline=True, registry=made_up.registry) == first
    assert loopback.asked == ["a"]
    assert kept_files(own_cache) == [f"{sha256_of(weights)}.safetensors"]


@pytest.mark.parametrize("longer", [False, True])
def test_download_that_differs_from_its_hash_is_never_kept(
    weights: Path, made_up: Any, loopback: Any, own_cache: Path, longer: bool
) -> None:
    content = weights.read_bytes()
    loopback.files["a"] = content + b"x" if longer else content[:-1] + bytes([content[-1] ^ 1])
    made_up.entries.append(entry_of(weights, loopback.url("a")))
    with pytest.raises(WeightsError, match="nothing was kept"):
        resolve("tiny-simulated", registry=made_up.registry)
    assert kept_files(own_cache) == []


def test_poisoned_cache_is_noticed_and_fetched_anew(
    weights: Path, made_up: Any, loopback: Any, own_cache: Path
) -> None:
    loopback.files["a"] = weights.read_bytes()
    made_up.entries.append(entry_of(weights, loopback.url("a")))
    cached = resolve("tiny-simulated", registry=made_up.registry)
    cached.write_bytes(b"poison")
    with pytest.raises(WeightsError, match="offline mode is on"):
        resolve("tiny-simulated", offline=True, registry=made_up.registry)
    assert kept_files(own_cache) == []
    cached = resolve("tiny-simulated", registry=made_up.registry)
    assert cached.read_bytes() == weights.read_bytes()


def test_offline_names_what_would_be_fetched_and_asks_nobody(
    weights: Path, made_up: Any, loopback: Any, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.files["a"] = weights.read_bytes()
    made_up.entries.append(entry_of(weights, loopback.url("a")))
    monkeypatch.setenv("CARDIONETS_OFFLINE", "1")
    where = Cache(own_cache).path_of(sha256_of(weights))
    with pytest.raises(WeightsError, match=f"{loopback.url('a')} would have to be.*put.*{where}"):
        resolve("tiny-simulated", registry=made_up.registry)
    assert loopback.asked == []
    # The remedy that the message names works.
    where.parent.mkdir(parents=True)
    where.write_bytes(weights.read_bytes())
    assert resolve("tiny-simulated", registry=made_up.registry) == where


def test_unpinned_url_is_remembered_by_hash_and_told(
    weights: Path, loopback: Any, own_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loopback.files["a.safetensors"] = weights.read_bytes()
    url = loopback.url("a.safetensors?token=secret")
    with caplog.at_level(logging.WARNING):
        found = fetch(url)
    assert found.sha256 == sha256_of(weights)
    assert not found.pinned
    assert found.sha256 in caplog.text
    assert fetch(url, offline=True).path == found.path
    record = next((own_cache / "urls").iterdir()).read_text()
    assert found.sha256 in record
    assert "secret" not in record + caplog.text + found.origin


def test_url_can_carry_its_hash(weights: Path, loopback: Any) -> None:
    loopback.files["a"] = weights.read_bytes()
    assert fetch(f"{loopback.url('a')}#sha256={sha256_of(weights)}").pinned
    with pytest.raises(WeightsError, match=f"{'0' * 64} needed"):
        fetch(f"{loopback.url('a')}#sha256={'0' * 64}")
    with pytest.raises(WeightsError, match="not 64 hex digits"):
        fetch(f"{loopback.url('a')}#sha256=abc")


def test_unpinned_plain_http_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(WeightsError, match="can be altered on the way"):
        fetch("http://example.invalid/a.safetensors")


def test_download_cut_short_is_not_kept(weights: Path, loopback: Any, own_cache: Path) -> None:
    loopback.files["a.safetensors"] = weights.read_bytes()
    loopback.cut_short = True
    with pytest.raises(WeightsError, match="IncompleteRead"):
        fetch(loopback.url("a.safetensors"))
    assert kept_files(own_cache) == []


def test_missing_file_on_a_server_gives_one_line_without_secrets(loopback: Any) -> None:
    with pytest.raises(WeightsError, match="404") as caught:
        fetch(loopback.url("a.safetensors?token=secret"))
    assert "secret" not in str(caught.value)


def test_redirect_is_followed(weights: Path, loopback: Any) -> None:
    loopback.files["b.safetensors"] = weights.read_bytes()
    loopback.redirects["a.safetensors"] = "/b.safetensors"
    assert fetch(loopback.url("a.safetensors")).sha256 == sha256_of(weights)


def test_redirect_from_https_to_plain_http_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Response(io.BytesIO):
        url = "http://example.invalid/a.safetensors"
        length = 0

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Response(b"altered"))
    with pytest.raises(WeightsError, match="redirected from https to plain http"):
        fetch("https://example.invalid/a.safetensors")


def test_any_fsspec_url_works(weights: Path, tmp_path: Path) -> None:
    with fsspec.open("memory://zoo/a.safetensors", "wb") as file:
        file.write(weights.read_bytes())
    assert resolve("memory://zoo/a.safetensors").read_bytes() == weights.read_bytes()
    assert resolve(f"file://{weights}", offline=True).read_bytes() == weights.read_bytes()
    with pytest.raises(WeightsError, match="FileNotFoundError"):
        resolve("memory://zoo/other.safetensors")
    with pytest.raises(WeightsError, match="nosuch"):
        resolve("nosuch://zoo/other.safetensors")


def test_full_disk_during_a_download_gives_one_line_and_keeps_nothing(
    weights: Path, loopback: Any, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.files["a.safetensors"] = weights.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetch_module.os, "fsync", full)
    with pytest.raises(WeightsError, match=r"the disk is full.*CARDIONETS_CACHE"):
        fetch(loopback.url("a.safetensors"))
    assert kept_files(own_cache) == []


def test_cache_that_cannot_be_made_is_named_with_the_remedy(
    weights: Path, loopback: Any, tmp_path: Path
) -> None:
    loopback.files["a.safetensors"] = weights.read_bytes()
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="set CARDIONETS_CACHE"):
        fetch(loopback.url("a.safetensors"), cache_dir=tmp_path / "file")


def test_default_cache_is_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARDIONETS_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache_dir() == Path("/somewhere/cardionets")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_dir() == Path.home() / ".cache" / "cardionets"
