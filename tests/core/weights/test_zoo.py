from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cardionets_core.errors import UsageError, WeightsError
from cardionets_core.plugins import Discovery, Plugin
from cardionets_core.registry import Registry
from cardionets_core.spec import ConverterSpec, ZooEntry
from cardionets_core.weights.atomic import sha256_of
from cardionets_core.weights.file import WeightsHeader, save_weights, tensors_of
from cardionets_core.weights.header import read_header
from cardionets_core.weights.index import parse_index, read_index
from cardionets_core.weights.lineage import Lineage, extend
from cardionets_core.weights.load import load
from cardionets_core.weights.pack import HALF_NOTE, pack
from cardionets_core.weights.zoo import convert, list_entries, pull, show_entry, verify

CARD = """# made-up
A made-up encoder.
## What
An encoder.
## Data
Simulated subjects.
## Numbers
Loss 0.25 from `cardionets train --encoder tiny`.
## Limits
Not for patients.
## Licence
MIT
"""
FINGERPRINT = "f1a9e7c0ffee1234"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "made-up.md"
    path.write_text(CARD)
    return path


@pytest.fixture
def run(tmp_path: Path, make_header: Callable[..., WeightsHeader], encoder: nn.Module) -> Path:
    """A run folder as training leaves it, with things that nobody else may see."""
    folder = tmp_path / "run"
    folder.mkdir()
    header = make_header()
    save_weights(folder / "weights.safetensors", tensors_of({"encoder": encoder}), header)
    manifest = {
        "status": "finished",
        "command": "cardionets train --cohort /home/ann/secret/cohort.h5",
        "fingerprints": [FINGERPRINT],
        "lineage": [step.model_dump(mode="json") for step in header.lineage],
    }
    (folder / "run.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def set_lineage(
    run: Path, make_header: Callable[..., WeightsHeader], encoder: nn.Module
) -> Callable[[Lineage], None]:
    """Give the run's weights another lineage."""

    def set_(lineage: Lineage) -> None:
        tensors = tensors_of({"encoder": encoder})
        save_weights(run / "weights.safetensors", tensors, make_header(lineage))
        (run / "run.json").write_text('{"status": "finished"}')

    return set_


@pytest.fixture
def zoo_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "site" / "acme_zoo"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "index.json").write_text('{"format_version": 1, "entries": []}')
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.delitem(sys.modules, "acme_zoo", raising=False)
    return package


@pytest.fixture
def packed(run: Path, card: Path, zoo_package: Path) -> ZooEntry:
    return pack([run], card, zoo_package, "tiny-simulated")


def test_packed_run_is_listed_shown_pulled_loaded_and_verified(
    run: Path, card: Path, zoo_package: Path, made_up: Any, encoder: nn.Module
) -> None:
    entry = pack([run], card, zoo_package, "tiny-simulated")
    made_up.entries.extend(read_index("acme_zoo"))
    assert made_up.entries == [entry]
    registry = made_up.registry
    assert [row["name"] for row in list_entries(registry)] == ["tiny-simulated"]
    shown = show_entry("tiny-simulated", registry)
    assert (shown["licence"], shown["card"]) == ("MIT", CARD)
    assert shown["preprocessing"] == read_header(run / "weights.safetensors").transform_hash
    assert sha256_of(pull("tiny-simulated", offline=True, registry=registry).path) == entry.sha256
    loaded = load("tiny-simulated", offline=True, registry=registry)
    assert torch.equal(loaded.layer.weight, encoder.state_dict()["layer.weight"])
    assert [verdict.problems for verdict in verify(offline=True, registry=registry)] == [()]


def test_packing_twice_gives_equal_bytes_and_one_entry(
    run: Path, card: Path, zoo_package: Path
) -> None:
    first = pack([run], card, zoo_package, "tiny-simulated")
    index = (zoo_package / "index.json").read_bytes()
    assert pack([run], card, zoo_package, "tiny-simulated") == first
    assert (zoo_package / "index.json").read_bytes() == index
    pack([run], card, zoo_package, "another")
    assert [entry.name for entry in read_index("acme_zoo")] == ["another", "tiny-simulated"]


def test_nothing_private_is_packed(run: Path, card: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pack([run], card, out, "tiny-simulated")
    files = [path for path in out.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"weights.safetensors", "card.md", "entry.json"}
    for path in files:
        content = path.read_bytes()
        assert FINGERPRINT.encode() not in content
        assert b"secret" not in content


def test_entry_folder_can_be_loaded_by_its_path(
    run: Path, card: Path, tmp_path: Path, made_up: Any
) -> None:
    source = "hf://acme/tiny/weights.safetensors"
    entry = pack([run], card, tmp_path / "out", "tiny-simulated", sources=(source,))
    assert entry.sources == (source,)
    load(tmp_path / "out" / "tiny-simulated", registry=made_up.registry)
    (tmp_path / "out" / "tiny-simulated" / "weights.safetensors").write_bytes(b"12345678{")
    with pytest.raises(WeightsError, match="bytes found"):
        load(tmp_path / "out" / "tiny-simulated", registry=made_up.registry)


def test_half_stores_matrices_in_float16_and_says_so(
    run: Path, card: Path, tmp_path: Path, encoder: nn.Module, made_up: Any
) -> None:
    pack([run], card, tmp_path / "out", "tiny-simulated", half=True)
    loaded = load(tmp_path / "out" / "tiny-simulated", registry=made_up.registry)
    state = encoder.state_dict()
    assert torch.equal(loaded.layer.weight, state["layer.weight"].half().float())
    assert torch.equal(loaded.layer.bias, state["layer.bias"])
    assert HALF_NOTE in loaded.header.notes


def test_half_refuses_what_float16_cannot_hold(
    run: Path, card: Path, tmp_path: Path, make_header: Callable[..., WeightsHeader]
) -> None:
    tensors = {"encoder.large": torch.full((2, 2), 1e6)}
    save_weights(run / "weights.safetensors", tensors, make_header())
    with pytest.raises(WeightsError, match=r"'encoder\.large' exceeds float16"):
        pack([run], card, tmp_path / "out", "tiny-simulated", half=True)


def test_incomplete_card_is_refused_before_anything_is_written(
    run: Path, card: Path, tmp_path: Path
) -> None:
    card.write_text(CARD.replace("## Limits", "## Other").replace("Simulated", "Some"))
    with pytest.raises(WeightsError, match=r"'## Limits' is missing.*'simulated' is missing"):
        pack([run], card, tmp_path / "out", "tiny-simulated")
    assert not (tmp_path / "out").exists()


def test_card_has_to_name_the_strictest_licence_of_the_lineage(
    run: Path, card: Path, set_lineage: Callable[[Lineage], None], helpers: Any
) -> None:
    parent = extend([], helpers.step(stage="import", licence="CC-BY-NC-4.0"))
    set_lineage(extend([parent], helpers.step()))
    with pytest.raises(WeightsError, match=r"does not name CC-BY-NC-4\.0"):
        pack([run], card, run.parent, "tiny-simulated")
    card.write_text(CARD.replace("MIT", "CC-BY-NC-4.0"))
    assert pack([run], card, run.parent, "tiny-simulated").licence == "CC-BY-NC-4.0"


def test_weights_of_another_run_are_refused(run: Path, card: Path, tmp_path: Path) -> None:
    (run / "run.json").write_text('{"status": "finished", "lineage": []}')
    with pytest.raises(WeightsError, match="another lineage"):
        pack([run], card, tmp_path / "out", "tiny-simulated")


@pytest.mark.parametrize(
    "path", ["/home/ann/cohort.h5", "~/cohort.h5", "C:\\ann\\cohort.h5", "../cohort.h5"]
)
def test_lineage_with_a_local_path_is_refused(
    run: Path, card: Path, set_lineage: Callable[[Lineage], None], helpers: Any, path: str
) -> None:
    set_lineage((helpers.step(command=f"cardionets train --cohort={path}"),))
    with pytest.raises(WeightsError, match="names a local path"):
        pack([run], card, run.parent, "tiny-simulated")


def test_lineage_may_name_urls(
    run: Path, card: Path, set_lineage: Callable[[Lineage], None], helpers: Any
) -> None:
    command = "cardionets train --weights encoder=hf://org/repo/w.safetensors --cohort cohort.h5"
    set_lineage((helpers.step(command=command),))
    pack([run], card, run.parent, "tiny-simulated")


def test_run_that_is_not_finished_is_refused(run: Path, card: Path, tmp_path: Path) -> None:
    (run / "run.json").write_text('{"status": "running"}')
    with pytest.raises(WeightsError, match="the run is running, not finished; use --resume"):
        pack([run], card, tmp_path / "out", "tiny-simulated")


def test_folder_that_is_no_run_and_a_bad_name_are_refused(
    run: Path, card: Path, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="not a run folder"):
        pack([tmp_path], card, tmp_path / "out", "tiny-simulated")
    for name in ("../tiny", "Tiny", "tiny/simulated", ""):
        with pytest.raises(UsageError, match="zoo id"):
            pack([run], card, tmp_path / "out", name)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"licence": "CC0-1.0"}, "licence: the index says CC0-1.0, the file MIT"),
        ({"transform_hash": "0" * 64}, "preprocessing: the index says"),
        ({"kind": "aligner"}, "kind: the index says aligner"),
        ({"sha256": "0" * 64}, "sha256"),
        ({"size_bytes": 1}, "bytes found, 1 needed"),
        ({"card": "package:acme_zoo/cards/none.md"}, "has no such file"),
    ],
)
def test_verify_names_what_does_not_hold(
    packed: ZooEntry, made_up: Any, change: dict[str, Any], problem: str
) -> None:
    made_up.entries.append(replace(packed, **change))
    (verdict,) = verify(["tiny-simulated"], registry=made_up.registry)
    assert len(verdict.problems) == 1
    assert problem in verdict.problems[0]


def test_verify_reads_the_card_too(packed: ZooEntry, zoo_package: Path, made_up: Any) -> None:
    made_up.entries.append(packed)
    (zoo_package / "cards" / "tiny-simulated.md").write_text(CARD.replace("## Limits", ""))
    (verdict,) = verify(registry=made_up.registry)
    assert verdict.problems == ("card: section '## Limits' is missing or empty",)


def test_listing_needs_no_torch_and_no_numpy() -> None:
    code = (
        "import sys; from cardionets_core.weights.zoo import list_entries; list_entries(); "
        "sys.exit(bool({'torch', 'numpy'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Invalid JSON"),
        ('{"format_version": 2, "entries": []}', "format_version"),
        ('{"entries": [{"name": "x"}]}', "entries.0.kind"),
        ('{"entries": [], "more": 1}', "more"),
    ],
)
def test_index_that_does_not_hold_is_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        parse_index(text, "acme/index.json")


def test_converter_is_called_with_source_and_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = types.ModuleType("made_up_converter")
    module.run = lambda source, out: f"{source.name} to {out.name}"
    monkeypatch.setitem(sys.modules, "made_up_converter", module)
    spec = ConverterSpec(name="other", summary="made up", target="made_up_converter:run")
    plugin = Plugin("acme", "acme", "1", {"cardionets_weight_converters": (spec,)})
    registry = Registry(Discovery((plugin,), ()))
    report = convert("other", tmp_path / "a.pth", tmp_path / "b.safetensors", registry)
    assert report == "a.pth to b.safetensors"
