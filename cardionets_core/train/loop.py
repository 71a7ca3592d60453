"""The training loop of every stage."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from cardionets_core.errors import TrainingError
from cardionets_core.train.checkpoint import (
    TrainState,
    load_checkpoint,
    rng_state,
    save_checkpoint,
    set_rng_state,
)
from cardionets_core.train.config import TrainConfig
from cardionets_core.train.order import batches_of, epoch_order, prefetched
from cardionets_core.train.progress import Progress
from cardionets_core.train.run_folder import MetricsLog, RunFolder
from cardionets_core.train.schedule import learning_rate, make_optimizer
from cardionets_core.train.stage import Batch, Stage

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FitResult:
    """How training ended; the stage's module holds the best epoch's weights.

    Attributes:
        epochs: Epochs trained, over all resumes.
        best_epoch: Epoch with the lowest validation loss.
        best_loss: That loss.
        seconds: Time of this process in the loop.
        samples_per_s: Training samples per second of this process, validation left out.
    """

    epochs: int
    best_epoch: int
    best_loss: float
    seconds: float
    samples_per_s: float


class Loop:
    """Trains a stage: AdamW, one learning rate a step, the lowest validation loss kept.

    Args:
        fabric: Devices, precision and processes.
        stage: What is trained.
        config: Numbers of the loop.
        run: Where checkpoints and metrics go; written by the first process alone.
        seed: Seed of the sampling.
        progress: Told of every step.
    """

    def __init__(
        self,
        fabric: Fabric,
        stage: Stage,
        config: TrainConfig,
        run: RunFolder,
        *,
        seed: int,
        progress: Progress,
    ) -> None:
        self.fabric, self.stage, self.config, self.run = fabric, stage, config, run
        self.seed, self.progress = seed, progress
        self.plain_optimizer = make_optimizer(stage.module, config)
        if config.compile:
            stage.module.compile()
        self.module, self.optimizer = fabric.setup(stage.module, self.plain_optimizer)
        self.steps_per_epoch = len(self._batches(epoch=0))
        self.state = TrainState(0, 0, -1, math.inf, {}, {}, {}, {}, {})
        self._trained_samples, self._trained_s = 0, 0.0

    def fit(self, *, resume: bool) -> FitResult:
        """Train to the end, or until patience runs out.

        Args:
            resume: Continue from the run's checkpoint; the log is cut back to it.

        Raises:
            TrainingError: On a loss that is not finite, naming step and records.
        """
        started = time.perf_counter()
        if resume:
            self._restore()
        with MetricsLog(self.run) if self.fabric.is_global_zero else _NoLog() as log:
            while self.state.epoch < self.config.epochs and not self._out_of_patience():
                self._one_epoch(log)
        self.stage.module.load_state_dict(self.state.best_model)
        return FitResult(
            self.state.epoch,
            self.state.best_epoch,
            self.state.best_loss,
            time.perf_counter() - started,
            self._trained_samples / max(self._trained_s, 1e-9),
        )

    def _one_epoch(self, log: MetricsLog | _NoLog) -> None:
        epoch = self.state.epoch
        started = time.perf_counter()
        train = self._train_epoch(epoch, log)
        self._trained_s += time.perf_counter() - started
        val = self._validate()
        if val["loss"] < self.state.best_loss:
            self.state.best_epoch, self.state.best_loss = epoch, val["loss"]
            self.state.best_model = _copy(self.stage.module.state_dict())
        self.state.epoch = epoch + 1
        log.write({"phase": "val", "epoch": epoch, "step": self.state.step, **val})
        self.progress.epoch_done(epoch, train["loss"], val["loss"])
        if self.fabric.is_global_zero:
            self._checkpoint()

    def _train_epoch(self, epoch: int, log: MetricsLog | _NoLog) -> dict[str, float]:
        self.module.train()
        total: dict[str, float] = {}
        batches = self._batches(epoch)
        parts = prefetched(lambda rows: self.stage.train_batch(rows, epoch), self._parts(batches))
        for batch_rows in batches:
            row = self._optimizer_step(parts, batch_rows)
            for name, value in row.items():
                total[name] = total.get(name, 0.0) + value / len(batches)
            self.progress.step_done(len(batch_rows))
            self._trained_samples += len(batch_rows)
        lr = self.plain_optimizer.param_groups[0]["lr"]
        log.write({"phase": "train", "epoch": epoch, "step": self.state.step, **total, "lr": lr})
        return total

    def _optimizer_step(self, parts: Iterator[Batch], batch_rows: Rows) -> dict[str, float]:
        for group in self.plain_optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.state.step, self.steps_per_epoch)
        accumulate = self._parts_per_batch(len(batch_rows))
        total: dict[str, float] = {}
        for part in range(accumulate):
            batch = next(parts)
            waiting = part + 1 < accumulate
            with self.fabric.no_backward_sync(self.module, enabled=waiting):
                loss, logged = self.module(**self._to_device(batch))
                self.fabric.backward(loss / accumulate)
            self._refuse_non_finite(loss, batch)
            for name, value in {"loss": float(loss.detach()), **logged}.items():
                total[name] = total.get(name, 0.0) + value / accumulate
        if self.config.clip_norm is not None:
            self.fabric.clip_gradients(self.module, self.optimizer, max_norm=self.config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.state.step += 1
        return total

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        self.module.eval()
        batches = batches_of(
            self.stage.val_rows,
            self.config.batch_size,
            world_size=self.fabric.world_size,
            whole_only=False,
        )
        mine = (rows[self.fabric.global_rank :: self.fabric.world_size] for rows in batches)
        total: dict[str, float] = {}
        samples = sum(len(rows) for rows in batches)
        for rows, batch in zip(batches, prefetched(self.stage.val_batch, mine), strict=True):
            loss, logged = self.module(**self._to_device(batch))
            for name, value in {"loss": float(loss), **logged}.items():
                total[name] = total.get(name, 0.0) + value * len(rows) / samples
        reduced = {name: float(self._mean(value)) for name, value in total.items()}
        if not math.isfinite(reduced["loss"]):
            raise TrainingError(
                f"epoch {self.state.epoch}: validation loss {reduced['loss']}; lower train.lr"
            )
        return reduced

    def _mean(self, value: float) -> Tensor:
        here = torch.tensor(value, dtype=torch.float64, device=self.fabric.device)
        return cast("Tensor", self.fabric.all_reduce(here, reduce_op="mean"))

    def _batches(self, epoch: int) -> list[Rows]:
        order = epoch_order(self.stage.train_rows, seed=self.seed, epoch=epoch)
        return batches_of(
            order,
            self.config.batch_size,
            world_size=self.fabric.world_size,
            whole_only=self.stage.contrastive,
        )

    def _parts(self, batches: list[Rows]) -> Iterator[Rows]:
        """This process's micro-batches of an epoch, in order."""
        rank, world_size = self.fabric.global_rank, self.fabric.world_size
        for rows in batches:
            yield from np.array_split(rows[rank::world_size], self._parts_per_batch(len(rows)))

    def _parts_per_batch(self, batch_size: int) -> int:
        return min(self.config.accumulate, batch_size // self.fabric.world_size)

    def _to_device(self, batch: Batch) -> dict[str, Tensor]:
        moved: dict[str, Tensor] = self.fabric.to_device(batch.inputs)
        return moved

    def _refuse_non_finite(self, loss: Tensor, batch: Batch) -> None:
        if not torch.isfinite(loss):
            records = ", ".join(self.stage.describe_rows(batch.rows)[:8])
            raise TrainingError(
                f"step {self.state.step}: loss {float(loss.detach())}; lower train.lr or look at "
                f"the records of this batch with `cardionets inspect`: {records}"
            )

    def _out_of_patience(self) -> bool:
        waited = self.state.epoch - 1 - self.state.best_epoch
        return self.config.patience is not None and waited >= self.config.patience

    def _checkpoint(self) -> None:
        self.state.model = self.stage.module.state_dict()
        self.state.optimizer = self.plain_optimizer.state_dict()
        self.state.scaler = self.fabric.strategy.precision.state_dict()
        self.state.rng = rng_state()
        save_checkpoint(self.run.path, self.state)

    def _restore(self) -> None:
        saved = load_checkpoint(self.run.path)
        if saved is not None:
            self.state = saved
            self.stage.module.load_state_dict(saved.model)
            self.plain_optimizer.load_state_dict(saved.optimizer)
            self.fabric.strategy.precision.load_state_dict(saved.scaler)
            set_rng_state(saved.rng)
        if self.fabric.is_global_zero:
            self.run.cut_metrics(self.state.step)
        self.progress.resumed(self.state.epoch)


class _NoLog:
    """The log of every process but the first."""

    def __enter__(self) -> _NoLog:
        return self

    def __exit__(self, *_: object) -> None: ...

    def write(self, row: dict[str, Any]) -> None: ...


def _copy(state: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
