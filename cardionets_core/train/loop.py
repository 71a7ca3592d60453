"""The training loop of every stage."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from cardionets_core.errors import ConfigError, TrainingError
from cardionets_core.train.average import WeightAverage
from cardionets_core.train.checkpoint import TrainState, load_checkpoint, save_checkpoint
from cardionets_core.train.config import TrainConfig
from cardionets_core.train.losses import EpochMeans, LossWatch
from cardionets_core.train.order import (
    epoch_order,
    even_batches,
    prefetched,
    seed_of,
    train_batches,
)
from cardionets_core.train.processes import decided_by_first, fail_together
from cardionets_core.train.progress import Progress
from cardionets_core.train.run_folder import MetricsLog, Row, RunFolder
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

    Raises:
        ConfigError: If the records cannot be shared by the processes.
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
        self._check_shares()
        self.plain_optimizer = make_optimizer(stage.module, config, stage.lr_scales())
        if config.compile:
            stage.module.compile()
        self.module, self.optimizer = fabric.setup(stage.module, self.plain_optimizer)
        self.watch = LossWatch(fabric, stage.describe_rows)
        self.steps_per_epoch = len(self._batches(epoch=0))
        decay = config.ema_decay_of(config.epochs * self.steps_per_epoch)
        self.average = None if decay is None else WeightAverage(stage.module, decay)
        self.state = TrainState(0, 0, -1, math.inf, {}, {}, {}, {})
        self._trained_samples, self._trained_s = 0, 0.0
        self._saved_at_s = time.monotonic()

    def fit(self, *, resume: bool) -> FitResult:
        """Train to the end, or until patience runs out.

        Args:
            resume: Continue from the run's checkpoint; the log is cut back to it.

        Raises:
            TrainingError: On a loss that is not finite, naming step and records; or if the
                checkpoint cannot be read or written.
        """
        started = time.perf_counter()
        if resume:
            self._restore()
        with MetricsLog(self.run) as log:
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

    def _one_epoch(self, log: MetricsLog) -> None:
        epoch = self.state.epoch
        started = time.perf_counter()
        train = self._train_epoch(epoch)
        self._trained_s += time.perf_counter() - started
        with nullcontext() if self.average is None else self.average.in_place():
            val = self._validate()
            if val["loss"] < self.state.best_loss:
                self.state.best_epoch, self.state.best_loss = epoch, val["loss"]
                self.state.best_model = _copy(self.stage.module.state_dict())
        self.state.epoch = epoch + 1
        at = {"epoch": epoch, "step": self.state.step}
        rows = [{"phase": "train", **at, **train}, {"phase": "val", **at, **val}]
        decided_by_first(self.fabric, lambda: self._keep(log, rows))
        self.progress.epoch_done(epoch, train["loss"], val["loss"])

    def _train_epoch(self, epoch: int) -> dict[str, float]:
        self.module.train()
        # Whatever a model draws for itself, such as dropout, follows from this alone.
        torch.manual_seed(seed_of(self.seed, "epoch", epoch, self.fabric.global_rank))
        means = EpochMeans(self.fabric)
        batches = self._batches(epoch)
        made = prefetched(lambda rows: self.stage.train_batch(rows, epoch), self._parts(batches))
        with closing(made) as parts:
            for batch_rows in batches:
                self._optimizer_step(parts, batch_rows, means)
                self.progress.step_done(len(batch_rows))
                self._trained_samples += len(batch_rows)
        self.watch.look()
        return {**means.read(), "lr": self.plain_optimizer.param_groups[-1]["lr"]}

    def _optimizer_step(self, parts: Iterator[Batch], batch_rows: Rows, means: EpochMeans) -> None:
        for group in self.plain_optimizer.param_groups:
            rate = learning_rate(self.config, self.state.step, self.steps_per_epoch)
            group["lr"] = rate * group["lr_scale"]
        share = len(batch_rows) // self.fabric.world_size
        accumulate = self._parts_per_batch(len(batch_rows))
        for part in range(accumulate):
            batch = next(parts)
            waiting = part + 1 < accumulate
            with self.fabric.no_backward_sync(self.module, enabled=waiting):
                loss, logged = self.module(**self._to_device(batch))
                # Parts may differ by a sample; every sample of the batch counts the same.
                self.fabric.backward(loss * (len(batch.rows) / share))
            means.add(loss, logged, len(batch.rows))
            self.watch.add(self.state.step, batch.rows, loss)
        if self.config.clip_norm is not None:
            # An infinite norm is met by the loss scaling under float16, else by the loss watch.
            self.fabric.clip_gradients(
                self.module,
                self.optimizer,
                max_norm=self.config.clip_norm,
                error_if_nonfinite=False,
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update(self.state.step)
        self.state.step += 1

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        self.module.eval()
        rank, world_size = self.fabric.global_rank, self.fabric.world_size
        batches = even_batches(self.stage.val_rows, self.config.batch_size)
        means = EpochMeans(self.fabric)
        mine = (rows[rank::world_size] for rows in batches)
        with closing(prefetched(self.stage.val_batch, mine)) as made:
            for batch in made:
                loss, logged = self.module(**self._to_device(batch))
                means.add(loss, logged, len(batch.rows))
        read = means.read()
        if not math.isfinite(read["loss"]):
            fail_together(
                self.fabric,
                TrainingError(
                    f"epoch {self.state.epoch}: validation loss {read['loss']}; lower train.lr"
                ),
            )
        return read

    def _check_shares(self) -> None:
        world_size = self.fabric.world_size
        fewest = min(len(self.stage.train_rows), len(self.stage.val_rows))
        if fewest < world_size:
            error = ConfigError(
                f"{len(self.stage.train_rows)} training and {len(self.stage.val_rows)} validation "
                f"records cannot be shared by {world_size} processes; use fewer processes"
            )
            fail_together(self.fabric, error)

    def _batches(self, epoch: int) -> list[Rows]:
        order = epoch_order(self.stage.train_rows, seed=self.seed, epoch=epoch)
        return train_batches(
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

    def _out_of_patience(self) -> bool:
        waited = self.state.epoch - 1 - self.state.best_epoch
        return self.config.patience is not None and waited >= self.config.patience

    def _keep(self, log: MetricsLog, rows: list[Row]) -> None:
        """Log an epoch, then write the checkpoint if one is due.

        Rows logged since the last checkpoint are cut when a run is resumed from it.
        """
        log.write(*rows)
        last = self.state.epoch == self.config.epochs or self._out_of_patience()
        waited_s = time.monotonic() - self._saved_at_s
        if not last and waited_s < self.config.checkpoint_every_s:
            return
        self._saved_at_s = time.monotonic()
        self.state.model = self.stage.module.state_dict()
        self.state.optimizer = self.plain_optimizer.state_dict()
        self.state.scaler = self.fabric.strategy.precision.state_dict()
        self.state.average = {} if self.average is None else self.average.state_dict()
        save_checkpoint(self.run.path, self.state)

    def _restore(self) -> None:
        saved = load_checkpoint(self.run.path)
        if saved is not None:
            self.state = saved
            self.stage.module.load_state_dict(saved.model)
            self.plain_optimizer.load_state_dict(saved.optimizer)
            self.fabric.strategy.precision.load_state_dict(saved.scaler)
            if self.average is not None:
                self.average.load_state_dict(saved.average)
        decided_by_first(self.fabric, lambda: self.run.cut_metrics(self.state.step))
        self.progress.resumed(self.state.epoch)


def _copy(state: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
