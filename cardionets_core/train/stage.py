"""What the loop asks of a stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Batch:
    """One micro-batch of one process.

    Attributes:
        rows: Cohort rows of the samples, (B,).
        inputs: What the stage's module takes, by name; on the CPU until the loop moves it.
    """

    rows: NDArray[np.int64]
    inputs: dict[str, Tensor]


class Stage(Protocol):
    """A model with its data; the loop trains it and knows nothing else about it.

    Attributes:
        module: What is trained. ``module(**batch.inputs)`` returns a ``LossAndLog``.
        train_rows: Cohort rows of the training samples.
        val_rows: Cohort rows of the validation samples; the lowest loss on them is kept.
        contrastive: True if the samples of a batch are each other's negatives: such a batch
            cannot be split, and an incomplete last one is left out.
    """

    module: nn.Module
    train_rows: NDArray[np.int64]
    val_rows: NDArray[np.int64]
    contrastive: bool

    def lr_scales(self) -> dict[str, float]:
        """Parameter name to a factor of its learning rate; 1 for all that are not named."""

    def train_batch(self, rows: NDArray[np.int64], epoch: int) -> Batch:
        """Samples of an epoch; crops and masks come from (seed, epoch, row) alone."""

    def val_batch(self, rows: NDArray[np.int64]) -> Batch:
        """Samples as they are validated: fixed crops, fixed masks."""

    def finish(self, device: torch.device) -> None:
        """Set what follows from the trained module, once its best weights are in place."""

    def describe_rows(self, rows: NDArray[np.int64]) -> list[str]:
        """Pseudonymous record ids, for messages."""
