"""Masked self-supervised pre-training of an ECG or a CMR encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cardionets_core.cohort.reader import Cohort
from cardionets_core.train.cine_source import CineSource
from cardionets_core.train.ecg_source import EcgSource
from cardionets_core.train.order import mask_noise
from cardionets_core.train.stage import Batch

# Validation masks are those of an epoch that no training reaches.
_VALIDATION_EPOCH = 2**40


class PretrainStage:
    """An encoder's own pretext task; see ``cardionets_core.train.stage.Stage``.

    Args:
        module: The encoder's pretext model.
        source: ECGs or cines.
        cohort: Where the rows' ids are.
        train_rows: Rows to train on.
        val_rows: Rows to validate on.
        seed: Seed of crops and masks.
    """

    contrastive = False

    def __init__(
        self,
        module: nn.Module,
        source: EcgSource | CineSource,
        cohort: Cohort,
        *,
        train_rows: NDArray[np.int64],
        val_rows: NDArray[np.int64],
        seed: int,
    ) -> None:
        self.module: Any = module
        self.source, self.cohort, self.seed = source, cohort, seed
        self.train_rows, self.val_rows = train_rows, val_rows

    def lr_scales(self) -> dict[str, float]:
        """All parameters learn at one rate."""
        return {}

    def train_batch(self, rows: NDArray[np.int64], epoch: int) -> Batch:
        """Random crops and random masks."""
        if isinstance(self.source, EcgSource):
            inputs = self.source.train_crops(rows, seed=self.seed, epoch=epoch)
        else:
            inputs = {"x": self.source.views(rows)}
        return Batch(rows, {**inputs, "noise": self._noise(inputs["x"], rows, epoch)})

    def val_batch(self, rows: NDArray[np.int64]) -> Batch:
        """The middle crop, and the same mask in every epoch."""
        if isinstance(self.source, EcgSource):
            inputs = self.source.middle_crops(rows)
        else:
            inputs = {"x": self.source.views(rows)}
        return Batch(rows, {**inputs, "noise": self._noise(inputs["x"], rows, _VALIDATION_EPOCH)})

    def finish(self, device: torch.device) -> None:
        """Nothing follows from the trained weights."""

    def describe_rows(self, rows: NDArray[np.int64]) -> list[str]:
        """Pseudonymous record ids."""
        return [str(record) for record in self.cohort.record_ids[rows]]

    def _noise(self, x: Tensor, rows: NDArray[np.int64], epoch: int) -> Tensor:
        shape = tuple(self.module.noise_shape(x))[1:]
        return torch.from_numpy(mask_noise(rows, shape, seed=self.seed, epoch=epoch))
