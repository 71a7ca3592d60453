"""The loop on a model small enough to follow by hand."""

from __future__ import annotations

import errno
import math

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch import nn

from cardionets_core.errors import TrainingError
from cardionets_core.interfaces import LossAndLog
from cardionets_core.train import checkpoint
from cardionets_core.train.config import TrainConfig
from cardionets_core.train.loop import Loop
from cardionets_core.train.order import epoch_order
from cardionets_core.train.progress import Progress
from cardionets_core.train.run_folder import RunFolder
from cardionets_core.train.stage import Batch


class Regression(nn.Module):
    """Mean squared error of a linear model; in validation what ``scripted`` says."""

    def __init__(self, scripted=(), width=3):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(width, 1)
        self.scripted = list(scripted)

    def forward(self, x, y):
        if not self.training and self.scripted:
            return LossAndLog(torch.tensor(self.scripted.pop(0)), {})
        error = self.layer(x).squeeze(1) - y
        return LossAndLog(error.square().mean(), {"error": error.detach().abs().mean()})


class MadeUpStage:
    contrastive = False

    def __init__(self, *, rows=22, scripted=(), poisoned=()):
        generator = torch.Generator().manual_seed(1)
        self.x = torch.randn(rows, 3, generator=generator)
        self.y = self.x.sum(dim=1)
        for row in poisoned:
            self.x[row] = math.nan
        self.module = Regression(scripted)
        self.val_rows = np.arange(4)
        self.train_rows = np.arange(4, rows)

    def lr_scales(self):
        return {}

    def train_batch(self, rows, epoch):
        return Batch(rows, {"x": self.x[rows], "y": self.y[rows]})

    def val_batch(self, rows):
        return self.train_batch(rows, 0)

    def describe_rows(self, rows):
        return [f"record-{row}" for row in rows]


@pytest.fixture
def fit(tmp_path):
    runs = []

    def fit(stage, **options):
        run = RunFolder.create(tmp_path / str(len(runs)), {"status": "running"})
        runs.append(run)
        config = TrainConfig(**{"epochs": 3, "batch_size": 6, "accelerator": "cpu", **options})
        precision = {"32": "32-true", "bf16": "bf16-mixed"}[
            "32" if config.precision == "auto" else config.precision
        ]
        fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
        progress = Progress("made up", config.epochs, len(stage.train_rows), Console(quiet=True))
        loop = Loop(fabric, stage, config, run, seed=0, progress=progress)
        return loop, loop.fit(resume=False)

    fit.runs = runs
    return fit


@pytest.mark.parametrize("accumulate", [2, 4, 6, 50])
def test_accumulating_parts_equals_the_whole_batch(fit, accumulate):
    whole, parts = MadeUpStage(), MadeUpStage()
    fit(whole)
    fit(parts, accumulate=accumulate)
    for one, other in zip(whole.module.parameters(), parts.module.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)
    rows, expected = (run.metrics() for run in reversed(fit.runs))
    for row, other in zip(rows, expected, strict=True):
        assert row.pop("phase") == other.pop("phase")
        assert row == pytest.approx(other, rel=1e-5)


def test_gradients_are_clipped_to_the_norm(fit, monkeypatch):
    norms = []
    step = torch.optim.AdamW.step

    def noted(self, *args, **kwargs):
        gradients = [p.grad for g in self.param_groups for p in g["params"]]
        norms.append(float(torch.cat([g.flatten() for g in gradients]).norm()))
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    fit(MadeUpStage(), clip_norm=0.01)
    assert norms == pytest.approx([0.01] * 9, rel=1e-3)


def test_the_weights_of_the_best_epoch_are_kept(fit):
    best, longer = MadeUpStage(), MadeUpStage(scripted=[3.0, 1.0, 2.0, 2.5, 1.5])
    fit(best, epochs=2, schedule="constant")
    _, result = fit(longer, epochs=5, schedule="constant")
    assert (result.epochs, result.best_epoch, result.best_loss) == (5, 1, 1.0)
    for one, other in zip(best.module.parameters(), longer.module.parameters(), strict=True):
        assert torch.equal(one, other)


def test_patience_counts_epochs_without_a_better_validation_loss(fit):
    _, result = fit(MadeUpStage(scripted=[3.0, 1.0, 2.0, 2.0, 0.5]), epochs=5, patience=2)
    assert (result.epochs, result.best_epoch) == (4, 1)


def test_a_loss_that_is_not_finite_stops_with_step_and_records(fit):
    stage = MadeUpStage(rows=40, poisoned=(17,))
    order = epoch_order(stage.train_rows, seed=0, epoch=0)
    step = int(np.flatnonzero(order == 17)[0]) // 6
    with pytest.raises(TrainingError, match=rf"step {step}: loss nan.*record-17"):
        fit(stage)
    assert not (fit.runs[0].path / "checkpoint.pt").exists()
    assert fit.runs[0].metrics() == []


def test_a_validation_loss_that_is_not_finite_stops(fit):
    with pytest.raises(TrainingError, match="epoch 0: validation loss nan"):
        fit(MadeUpStage(poisoned=(2,)))


def test_bf16_trains_on_a_cpu(fit):
    stage = MadeUpStage()
    fit(stage, precision="bf16", epochs=2)
    assert stage.module.layer.weight.dtype is torch.float32
    losses = [row["loss"] for row in fit.runs[0].metrics() if row["phase"] == "train"]
    assert losses[1] < losses[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_model_learns_the_same_and_saves_under_the_same_names(fit):
    plain, compiled = MadeUpStage(), MadeUpStage()
    fit(plain)
    fit(compiled, compile=True)
    assert list(plain.module.state_dict()) == list(compiled.module.state_dict())
    for one, other in zip(plain.module.parameters(), compiled.module.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_logged_means_weigh_every_sample_the_same(fit):
    stage = MadeUpStage()  # 18 training rows: 4, 4, 4, 4 and 2
    fit(stage, epochs=1, batch_size=4, lr=1e-12)
    row = fit.runs[0].metrics()[0]
    x, y = stage.x[4:], stage.y[4:]
    error = (stage.module.layer(x).squeeze(1) - y).detach()
    assert row["loss"] == pytest.approx(float(error.square().mean()), rel=1e-4)
    assert row["error"] == pytest.approx(float(error.abs().mean()), rel=1e-4)


def test_a_full_disk_is_one_line_and_leaves_the_old_checkpoint(fit, monkeypatch):
    kept = []
    save = torch.save

    def full(state, file):
        if kept:
            file.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(state, file)
        kept.append(state["epoch"])

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"No space left on device; free some space.*--resume"):
        fit(MadeUpStage())
    run = fit.runs[0].path
    assert checkpoint.load_checkpoint(run).epoch == 1
    assert sorted(path.name for path in run.iterdir() if path.is_file()) == [
        "checkpoint.pt", "metrics.jsonl", "run.json",
    ]  # fmt: skip


@pytest.mark.parametrize(("every_s", "written"), [(0.0, [1, 2, 3]), (1e6, [3])])
def test_checkpoints_keep_their_distance_and_the_last_epoch_always_has_one(
    fit, monkeypatch, every_s, written
):
    epochs = []
    monkeypatch.setattr(
        "cardionets_core.train.loop.save_checkpoint", lambda _, state: epochs.append(state.epoch)
    )
    fit(MadeUpStage(), checkpoint_every_s=every_s)
    assert epochs == written


def test_a_broken_checkpoint_is_refused_and_not_unpickled(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"cos\nsystem\n(S'touch harm'\ntR.")
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        checkpoint.load_checkpoint(tmp_path)
