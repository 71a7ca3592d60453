from __future__ import annotations

import json
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cardionets_core.errors import WeightsError
from cardionets_core.weights.file import (
    WeightsHeader,
    load_tensors,
    read_header,
    save_weights,
    tensors_of,
)
from cardionets_core.weights.header import METADATA_KEY
from cardionets_core.weights.lineage import extend


def test_header_and_tensors_come_back_as_written(
    weights: Path, make_header: Callable[..., WeightsHeader], encoder: nn.Module
) -> None:
    assert read_header(weights) == make_header()
    state = encoder.state_dict()
    loaded = load_tensors(weights, "encoder")
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    assert set(load_tensors(weights)) == {f"encoder.{name}" for name in state}


def test_equal_weights_give_equal_bytes(
    tmp_path: Path, make_header: Callable[..., WeightsHeader], encoder: nn.Module
) -> None:
    tensors = tensors_of({"encoder": encoder})
    save_weights(tmp_path / "a", tensors, make_header())
    save_weights(tmp_path / "b", dict(reversed(tensors.items())), make_header())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tied_tensors_can_be_saved(
    tmp_path: Path, make_header: Callable[..., WeightsHeader]
) -> None:
    shared = torch.ones(3)
    path = tmp_path / "tied"
    save_weights(path, {"encoder.a": shared, "encoder.b": shared}, make_header())
    assert torch.equal(load_tensors(path, "encoder")["b"], shared)


def test_reading_the_header_needs_no_torch(weights: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cardionets_core.weights.header import "
        f"read_header; read_header(Path({str(weights)!r})); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_tensor_of_no_part_is_refused(
    tmp_path: Path, make_header: Callable[..., WeightsHeader]
) -> None:
    with pytest.raises(WeightsError, match=r"'head\.x' belongs to none of encoder"):
        save_weights(tmp_path / "x", {"head.x": torch.ones(1)}, make_header())


def test_nan_is_not_saved(tmp_path: Path, make_header: Callable[..., WeightsHeader]) -> None:
    with pytest.raises(WeightsError, match=r"'encoder\.x' holds NaN"):
        save_weights(tmp_path / "x", {"encoder.x": torch.tensor([1.0, torch.nan])}, make_header())
    assert not list(tmp_path.iterdir())


def test_part_that_is_not_there_is_named_with_those_that_are(weights: Path) -> None:
    with pytest.raises(WeightsError, match="no part 'aligner'; these weights hold encoder"):
        load_tensors(weights, "aligner")


@pytest.mark.parametrize("kept", [0, 5, 8, 20, 400, -1])
def test_file_cut_short_is_refused(weights: Path, kept: int) -> None:
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(WeightsError, match="cut short"):
        read_header(weights)


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("the pickle was opened",))


@pytest.mark.parametrize("kind", ["torch", "pickle"])
def test_pickle_is_refused_without_being_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.safetensors"
    if kind == "torch":
        torch.save({"x": _Bomb()}, path)
    else:
        path.write_bytes(pickle.dumps(_Bomb()))
    for read in (read_header, load_tensors):
        with pytest.raises(WeightsError, match=r"pickle checkpoint.*zoo import"):
            read(path)


def test_other_safetensors_are_refused_with_the_way_to_convert_them(tmp_path: Path) -> None:
    save_file({"x": torch.ones(2)}, tmp_path / "x.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"without a cardionets header.*zoo import"):
        read_header(tmp_path / "x.safetensors")


@pytest.fixture
def two_steps(
    weights: Path,
    make_header: Callable[..., WeightsHeader],
    encoder: nn.Module,
    helpers: SimpleNamespace,
) -> Path:
    """A weights file whose lineage has a parent."""
    lineage = extend([extend([], helpers.step())], helpers.step(stage="alignment"))
    save_weights(weights, tensors_of({"encoder": encoder}), make_header(lineage))
    return weights


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.update(licence="CC0-1.0"), "licence CC0-1.0 is freer than its lineage"),
        (lambda h: h.update(simulated=False), "'simulated' contradicts the lineage"),
        (lambda h: h["transform"].update(lead_sd_mv=[1.0] * 12), "not the hash of the transform"),
        (lambda h: h.update(transform={}), "the transform is not one"),
        (lambda h: h["lineage"].pop(0), "the lineage lacks its step"),
        (lambda h: h["lineage"][0].update(seed=99), "the lineage lacks its step"),
        (lambda h: h.update(parts={}), "parts"),
        (lambda h: h.update(surprise=1), "surprise"),
        (lambda h: h.update(format_version=2), "format 2 found, this version reads format 1"),
        (lambda h: h.pop("format_version"), "the header is broken"),
    ],
)
def test_header_that_contradicts_itself_is_refused(
    two_steps: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    content = json.loads(read_header(two_steps).to_metadata()[METADATA_KEY])
    change(content)
    save_file(load_tensors(two_steps), two_steps, metadata={METADATA_KEY: json.dumps(content)})
    with pytest.raises(WeightsError, match=re.escape(message)):
        read_header(two_steps)


def test_full_disk_leaves_the_old_file_and_nothing_else(
    weights: Path,
    make_header: Callable[..., WeightsHeader],
    encoder: nn.Module,
) -> None:
    before = weights.read_bytes()
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    large = {**tensors_of({"encoder": encoder}), "encoder.large": torch.ones(300_000)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(WeightsError, match="the disk is full and nothing was kept"):
            save_weights(weights, large, make_header())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert weights.read_bytes() == before
    assert [path.name for path in weights.parent.iterdir()] == [weights.name]


def test_folder_that_does_not_exist_gives_one_clear_line(
    tmp_path: Path, make_header: Callable[..., WeightsHeader]
) -> None:
    with pytest.raises(WeightsError, match="cannot be written"):
        save_weights(tmp_path / "no" / "x", {"encoder.x": torch.ones(1)}, make_header())
