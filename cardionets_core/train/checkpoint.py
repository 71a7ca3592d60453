"""The state of a run on disk: written atomically, read without unpickling anything but tensors."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from cardionets_core.errors import TrainingError
from cardionets_core.files import whole_file

CHECKPOINT_NAME = "checkpoint.pt"


@dataclass(slots=True)
class TrainState:
    """Everything that a resumed run continues from.

    PCA and sigma of an aligner are buffers of ``model``. There is no state of random generators:
    sampling, crops, masks and dropout follow from seed, epoch and subject alone.

    Attributes:
        epoch: Epochs completed.
        step: Optimiser steps taken.
        best_epoch: Epoch with the lowest validation loss, or -1.
        best_loss: That loss.
        model: State dict of the module.
        best_model: State dict of the module at ``best_epoch``.
        optimizer: State dict of the optimiser.
        scaler: State of the loss scaling of float16 training.
        average: Moving average of the trained weights, if one is kept.
    """

    epoch: int
    step: int
    best_epoch: int
    best_loss: float
    model: dict[str, Any]
    best_model: dict[str, Any]
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    average: dict[str, Any] = field(default_factory=dict)


_NAMES = tuple(entry.name for entry in fields(TrainState))


def save_checkpoint(folder: Path, state: TrainState) -> None:
    """Write the checkpoint; a kill at any moment leaves the old one or the new one.

    Raises:
        TrainingError: If it cannot be written, e.g. on a full disk; the old one is intact.
    """
    path = folder / CHECKPOINT_NAME
    try:
        with whole_file(path) as file:
            torch.save({name: getattr(state, name) for name in _NAMES}, file)
    except (OSError, RuntimeError) as error:
        # torch reports a failed write without saying why.
        cause = error if isinstance(error, OSError) else error.__context__
        found = cause.strerror if isinstance(cause, OSError) else str(error).partition("\n")[0]
        raise TrainingError(
            f"cannot write {path}: {found}; free some space and use --resume {folder}"
        ) from error


def load_checkpoint(folder: Path) -> TrainState | None:
    """Read the checkpoint of a run, or None if it was stopped before its first.

    Raises:
        TrainingError: If the file is not a checkpoint of this toolkit.
    """
    path = folder / CHECKPOINT_NAME
    if not path.exists():
        return None
    try:
        return TrainState(**torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise TrainingError(
            f"{path} is not a readable checkpoint ({type(error).__name__}); "
            "delete it to start this run over"
        ) from error
