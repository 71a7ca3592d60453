"""Resuming is bit for bit: the run that was killed ends as the one that never was."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

EPOCHS = ("train.epochs=4", "train.batch_size=8")
RESUME = ["train", "--resume", "run"]
KILLED = -signal.SIGKILL
ONE_NEED, TWO_NEEDS = ("random", "train"), ("train", "train")
# The discriminator begins between two checkpoints.
ADVERSARIAL = ("autoencoder.adversarial_weight=0.05", "autoencoder.adversarial_start_step=5")
AVERAGED = ("train.ema_half_life=0.2",)


def boards(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Every scalar that TensorBoard would show, by name."""
    board = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    board.Reload()
    return {
        name: [(event.step, event.value) for event in board.Scalars(name)]
        for name in board.Tags()["scalars"]
    }


def assert_same_run(killed: Path, whole: Path) -> None:
    """Weights, log and TensorBoard are equal, and nothing half-written is left."""
    for name in ("weights.safetensors", "metrics.jsonl", "fingerprints.npz"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    assert boards(killed) == boards(whole)
    assert json.loads((killed / "run.json").read_text())["status"] == "finished"
    assert not [*killed.rglob(".*")]


@pytest.fixture(scope="module")
def whole(commands, tmp_path_factory) -> dict[str, Path]:
    """The runs that are never killed."""
    folder = tmp_path_factory.mktemp("whole")
    align = commands.align(*EPOCHS, weights=ONE_NEED)
    commands_of = {"ecg": commands.ecg(*EPOCHS), "align": align}
    for name, argv in commands_of.items():
        code, said = commands.run(folder / name, argv)
        assert code == 0, said
    return {name: folder / name / "run" for name in commands_of}


@pytest.mark.parametrize(
    ("kill", "resumed_after"),
    [
        pytest.param(("step", 2), 0, id="before the first checkpoint"),
        pytest.param(("checkpoint", 1), 0, id="inside the first checkpoint"),
        pytest.param(("checkpoint", 3), 2, id="inside a later checkpoint"),
        pytest.param(("step", 14), 3, id="within a later epoch"),
    ],
)
def test_pretraining_killed_and_resumed_ends_in_the_same_bits(
    commands, whole, tmp_path, kill, resumed_after
):
    code, _ = commands.run(tmp_path, commands.ecg(*EPOCHS), kill=kill)
    assert code == KILLED
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "running"
    code, said = commands.run(tmp_path, RESUME)
    assert code == 0, said
    assert f"resumed after {resumed_after} of 4 epochs" in said
    assert_same_run(tmp_path / "run", whole["ecg"])


@pytest.mark.parametrize(
    ("kill", "unfinished"),
    [
        pytest.param(("step", 3), "run/needs/cmr_encoder", id="before any checkpoint"),
        # The need takes the tiny preset's 20 epochs.
        pytest.param(("checkpoint", 23), "run", id="inside a checkpoint of the alignment"),
    ],
)
def test_alignment_with_a_need_killed_and_resumed_ends_in_the_same_bits(
    commands, whole, tmp_path, kill, unfinished
):
    code, _ = commands.run(tmp_path, commands.align(*EPOCHS, weights=ONE_NEED), kill=kill)
    assert code == KILLED
    assert not (tmp_path / unfinished / "weights.safetensors").exists()
    assert (tmp_path / unfinished / "run.json").exists()
    code, said = commands.run(tmp_path, RESUME)
    assert code == 0, said
    assert_same_run(tmp_path / "run", whole["align"])
    need = "needs/cmr_encoder"
    assert_same_run(tmp_path / "run" / need, whole["align"] / need)


@pytest.mark.parametrize(
    ("stage", "kill"),
    [
        pytest.param("autoencoder", ("step", 14), id="autoencoder, within a later epoch"),
        pytest.param("generator", ("checkpoint", 3), id="generator, inside a checkpoint"),
    ],
)
def test_stages_of_cines_killed_and_resumed_end_in_the_same_bits(
    commands, made, tmp_path, stage, kill
):
    argv = (
        commands.autoencode(*EPOCHS, *ADVERSARIAL)
        if stage == "autoencoder"
        else commands.generate(*EPOCHS, *AVERAGED, autoencoder=made.vae.path)
    )
    code, said = commands.run(tmp_path / "whole", argv)
    assert code == 0, said
    assert commands.run(tmp_path, argv, kill=kill)[0] == KILLED
    assert not (tmp_path / "run" / "weights.safetensors").exists()
    code, said = commands.run(tmp_path, RESUME)
    assert code == 0, said
    assert "resumed after" in said
    assert_same_run(tmp_path / "run", tmp_path / "whole" / "run")


@pytest.mark.slow
@pytest.mark.parametrize("kill", [("step", 3), ("checkpoint", 63), ("checkpoint", 83)])
def test_alignment_with_two_needs_killed_and_resumed_ends_in_the_same_bits(
    commands, tmp_path, kill
):
    argv = commands.align(*EPOCHS, weights=TWO_NEEDS)
    assert commands.run(tmp_path / "whole", argv)[0] == 0
    assert commands.run(tmp_path, argv, kill=kill)[0] == KILLED
    code, said = commands.run(tmp_path, RESUME)
    assert code == 0, said
    for folder in ("run", "run/needs/encoder", "run/needs/cmr_encoder"):
        assert_same_run(tmp_path / folder, tmp_path / "whole" / folder)


@pytest.mark.parametrize("stage", ["ecg", "align"])
def test_a_run_killed_three_times_at_random_moments_ends_in_the_same_bits(
    commands, whole, tmp_path, stage
):
    argv = commands.ecg(*EPOCHS) if stage == "ecg" else commands.align(*EPOCHS, weights=ONE_NEED)
    moments = random.Random(11)
    run = tmp_path / "run"
    for _ in range(3):
        process = commands.start(tmp_path, RESUME if (run / "run.json").exists() else argv)
        if not (run / "run.json").exists():
            _wait_for(run / "run.json")
        time.sleep(moments.uniform(0.05, 0.9))
        process.kill()
        process.join()
    status = json.loads((run / "run.json").read_text())["status"]
    if status != "finished":
        code, said = commands.run(tmp_path, RESUME)
        assert code == 0, said
    assert_same_run(run, whole[stage])


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


def test_rows_logged_after_the_checkpoint_are_cut_off(commands, whole, tmp_path):
    code, _ = commands.run(tmp_path, commands.ecg(*EPOCHS), kill=("checkpoint", 3))
    assert code == KILLED
    log = tmp_path / "run" / "metrics.jsonl"
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    assert max(row["epoch"] for row in logged) == 2  # the third epoch has no checkpoint
    with log.open("a") as file:
        file.write('{"phase": "train", "epo')  # torn by a kill
    assert commands.run(tmp_path, RESUME)[0] == 0
    assert_same_run(tmp_path / "run", whole["ecg"])


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_a_run_on_a_gpu_killed_and_resumed_ends_in_the_same_bits(commands, tmp_path, precision):
    argv = [a.replace("'cpu'", "'cuda'") for a in commands.align(*EPOCHS)]
    argv.append(f"--set=train.precision={precision}")
    assert commands.run(tmp_path / "whole", argv)[0] == 0
    assert commands.run(tmp_path, argv, kill=("checkpoint", 3))[0] == KILLED
    code, said = commands.run(tmp_path, RESUME)
    assert code == 0, said
    assert_same_run(tmp_path / "run", tmp_path / "whole" / "run")
