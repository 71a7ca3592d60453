"""Several runs with a task head each, packed into one file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cardionets_core.errors import TransformMismatchError, UsageError, WeightsError
from cardionets_core.spec import ZooEntry
from cardionets_core.weights.file import load_tensors, save_weights
from cardionets_core.weights.header import PartHeader, TaskHeader, WeightsHeader, read_header
from cardionets_core.weights.lineage import extend
from cardionets_core.weights.pack import HALF_NOTE, pack

CARD = """# heads
Made-up heads.
## What
Heads.
## Data
Simulated subjects.
## Numbers
AUC 0.75 from `cardionets train --head linear`.
## Limits
Not for patients.
## Licence
MIT, CC-BY-NC-4.0
"""
MakeRun = Callable[..., Path]


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "heads.md"
    path.write_text(CARD)
    return path


@pytest.fixture
def make_run(tmp_path: Path, helpers: Any) -> MakeRun:
    """A finished run of one task: an encoder whose weights are all ``encoder``, and a head."""

    def make(
        task: str, *, encoder: float = 1.0, licence: str = "MIT", width: int = 4, **transform: Any
    ) -> Path:
        folder = tmp_path / f"run-{task}"
        folder.mkdir()
        shared = extend([], helpers.step(stage="alignment"))
        lineage = extend(
            [shared], helpers.step(stage="downstream", seed=len(task), licence=licence)
        )
        about = {"distribution": "made-up", "version": "1", "config": {"width": width}}
        header = WeightsHeader.of(
            {
                "encoder": PartHeader(component="made-up:tiny", kind="encoder", **about),
                "head": PartHeader(
                    component="made-up:flat", kind="head", arguments={"outputs": 1}, **about
                ),
            },
            lineage,
            transform=helpers.transform(**transform),
            tasks={"head": TaskHeader(name=task, target="binary", outputs=(task,))},
        )
        tensors = {
            "encoder.weight": torch.full((width, 2), encoder),
            "head.weight": torch.full((1, width), float(len(task))),
        }
        save_weights(folder / "weights.safetensors", tensors, header)
        told = [step.model_dump(mode="json") for step in header.lineage]
        (folder / "run.json").write_text(json.dumps({"status": "finished", "lineage": told}))
        return folder

    return make


def packed(
    runs: list[Path], card: Path, tmp_path: Path, **options: Any
) -> tuple[ZooEntry, Path, WeightsHeader]:
    entry = pack(runs, card, tmp_path / "out", "heads", **options)
    path = tmp_path / "out" / "heads" / "weights.safetensors"
    return entry, path, read_header(path)


def test_an_encoder_that_all_heads_share_is_stored_once(
    make_run: MakeRun, card: Path, tmp_path: Path
) -> None:
    runs = [make_run("cad"), make_run("cm-subtype")]
    entry, path, header = packed(runs, card, tmp_path)
    assert set(header.parts) == {"encoder", "head_cad", "head_cm_subtype"}
    assert {role: (task.name, task.encoder) for role, task in header.tasks.items()} == {
        "head_cad": ("cad", "encoder"),
        "head_cm_subtype": ("cm-subtype", "encoder"),
    }
    assert load_tensors(path, "head_cad")["weight"].unique().tolist() == [3.0]
    assert load_tensors(path, "head_cm_subtype")["weight"].unique().tolist() == [10.0]
    assert entry.kind == "encoder"


def test_fine_tuned_encoders_are_stored_apart(
    make_run: MakeRun, card: Path, tmp_path: Path
) -> None:
    runs = [make_run("cad"), make_run("cm-subtype", encoder=2.0), make_run("hf")]
    _, path, header = packed(runs, card, tmp_path)
    assert {task.name: task.encoder for task in header.tasks.values()} == {
        "cad": "encoder",
        "cm-subtype": "encoder_cm_subtype",
        "hf": "encoder",
    }
    assert load_tensors(path, "encoder_cm_subtype")["weight"].unique().tolist() == [2.0]
    assert header.leading_role == "encoder"


def test_encoders_of_one_shape_and_other_options_are_stored_apart(
    make_run: MakeRun, card: Path, tmp_path: Path
) -> None:
    _, _, header = packed([make_run("cad"), make_run("hf", width=8)], card, tmp_path)
    assert set(header.parts) == {"encoder", "encoder_hf", "head_cad", "head_hf"}


def test_lineages_are_joined_and_the_strictest_licence_wins(
    make_run: MakeRun, card: Path, tmp_path: Path
) -> None:
    runs = [make_run("cad"), make_run("cm-subtype", licence="CC-BY-NC-4.0")]
    entry, _, header = packed(runs, card, tmp_path)
    assert [step.stage for step in header.lineage] == [
        "alignment", "downstream", "downstream", "joining",
    ]  # fmt: skip
    last = header.lineage[-1]
    assert last.parents == tuple(step.step_id for step in header.lineage[1:3])
    assert last.command == "cardionets zoo pack run-cad run-cm-subtype --name heads"
    assert entry.licence == header.licence == "CC-BY-NC-4.0"
    assert header.simulated


def test_equal_runs_give_equal_bytes(make_run: MakeRun, card: Path, tmp_path: Path) -> None:
    runs = [make_run("cad"), make_run("hf")]
    first, _, header = packed(runs, card, tmp_path, half=True, default_for="predict")
    again, _, _ = packed(runs, card, tmp_path, half=True, default_for="predict")
    assert first == again
    assert first.default_for == "predict"
    assert HALF_NOTE in header.notes


def test_runs_behind_different_preprocessing_are_refused_with_the_difference(
    make_run: MakeRun, card: Path, tmp_path: Path
) -> None:
    runs = [make_run("cad"), make_run("hf", sampling_rate_hz=100, crop_samples=500)]
    with pytest.raises(TransformMismatchError, match=r"(?s)run-hf: trained behind .*sampling_rate"):
        packed(runs, card, tmp_path)
    assert not (tmp_path / "out").exists()


def test_two_heads_for_one_task_or_one_run_twice_are_refused(
    make_run: MakeRun, card: Path, tmp_path: Path
) -> None:
    run = make_run("cad")
    other = run.rename(tmp_path / "other")
    with pytest.raises(WeightsError, match="a second head for the task cad"):
        packed([make_run("cad"), other], card, tmp_path)
    with pytest.raises(UsageError, match="named twice"):
        packed([other, other], card, tmp_path)


def test_a_run_without_a_head_cannot_be_joined(
    make_run: MakeRun, card: Path, tmp_path: Path
) -> None:
    run, bare = make_run("cad"), make_run("hf")
    header = read_header(bare / "weights.safetensors")
    tensors = load_tensors(bare / "weights.safetensors")
    save_weights(bare / "weights.safetensors", tensors, header.model_copy(update={"tasks": {}}))
    with pytest.raises(WeightsError, match="run-hf: no head for a task found"):
        packed([run, bare], card, tmp_path)


def test_only_heads_may_serve_by_default_and_only_a_command_that_takes_one(
    make_run: MakeRun, card: Path, tmp_path: Path
) -> None:
    run = make_run("cad")
    with pytest.raises(UsageError, match="--default-for predct: needed predict"):
        packed([run], card, tmp_path, default_for="predct")
    path = run / "weights.safetensors"
    header = read_header(path)
    save_weights(path, load_tensors(path), header.model_copy(update={"tasks": {}}))
    with pytest.raises(WeightsError, match="needed a head for a task, found none"):
        packed([run], card, tmp_path, default_for="predict")
    assert not (tmp_path / "out").exists()
