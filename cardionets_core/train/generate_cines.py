"""Training of a generator: a condition, such as a frozen encoder's ECG feature, to a cine."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cardionets_core.cohort.reader import Cohort
from cardionets_core.interfaces import LossAndLog
from cardionets_core.train.cine_source import CineSource
from cardionets_core.train.fixed_noise import fixed_noise
from cardionets_core.train.stage import Batch


class GeneratorModel(nn.Module):
    """What the stage trains.

    Args:
        generator: The generator.
    """

    def __init__(self, generator: Any) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, target: Tensor, condition: Tensor) -> LossAndLog:
        """Loss of targets (B, ...) given conditions (B, C)."""
        with fixed_noise(target.device, wanted=not self.training):
            loss: LossAndLog = self.generator.loss(target, condition)
        return loss


class GenerationStage:
    """Training of a generator; see ``cardionets_core.train.stage.Stage``.

    Args:
        module: The generator, wrapped and fitted.
        cines: Views of the cines.
        targets: What its loss needs of the cines by cohort row, (n, ...).
        conditions: Conditions by cohort row, (n, C).
        cohort: Where the rows' ids are.
        train_rows: Rows to train on.
        val_rows: Rows to validate on.
    """

    contrastive = False

    def __init__(
        self,
        module: GeneratorModel,
        cines: CineSource,
        targets: NDArray[Any],
        conditions: NDArray[np.float32],
        cohort: Cohort,
        *,
        train_rows: NDArray[np.int64],
        val_rows: NDArray[np.int64],
    ) -> None:
        self.module: Any = module
        self.cines, self.targets, self.conditions = cines, targets, conditions
        self.cohort = cohort
        self.train_rows, self.val_rows = train_rows, val_rows

    @property
    def generator(self) -> Any:
        """The generator itself."""
        return self.module.generator

    def lr_scales(self) -> dict[str, float]:
        """All parameters learn at one rate."""
        return {}

    def train_batch(self, rows: NDArray[np.int64], epoch: int) -> Batch:
        """Targets and conditions; what is drawn at random is drawn by the generator."""
        return self._batch(rows)

    def val_batch(self, rows: NDArray[np.int64]) -> Batch:
        """Targets and conditions."""
        return self._batch(rows)

    def finish(self, device: torch.device) -> None:
        """Nothing follows from the trained weights."""

    def describe_rows(self, rows: NDArray[np.int64]) -> list[str]:
        """Pseudonymous record ids."""
        return [str(record) for record in self.cohort.record_ids[rows]]

    def _batch(self, rows: NDArray[np.int64]) -> Batch:
        inputs = {
            "target": torch.from_numpy(self.targets[rows].astype(np.float32)),
            "condition": torch.from_numpy(self.conditions[rows]),
        }
        return Batch(rows, inputs)
