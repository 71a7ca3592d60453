"""The state of a run on disk: written atomically, read without unpickling anything but tensors."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from cardionets_core.errors import TrainingError

CHECKPOINT_NAME = "checkpoint.pt"


@dataclass(slots=True)
class TrainState:
    """Everything that a resumed run continues from.

    Attributes:
        epoch: Epochs completed.
        step: Optimiser steps taken.
        best_epoch: Epoch with the lowest validation loss, or -1.
        best_loss: That loss.
        model: State dict of the module.
        best_model: State dict of the module at ``best_epoch``.
        optimizer: State dict of the optimiser.
        scaler: State of the loss scaling of float16 training.
        rng: States of torch's generators, by device.
    """

    epoch: int
    step: int
    best_epoch: int
    best_loss: float
    model: dict[str, Any]
    best_model: dict[str, Any]
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    rng: dict[str, torch.Tensor]


def save_checkpoint(folder: Path, state: TrainState) -> None:
    """Write the checkpoint; a kill at any moment leaves the old one or the new one.

    Raises:
        TrainingError: If it cannot be written, e.g. on a full disk; the old one is intact.
    """
    final, partial = folder / CHECKPOINT_NAME, folder / f"{CHECKPOINT_NAME}.partial"
    try:
        with partial.open("wb") as file:
            torch.save(asdict(state), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(final)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise TrainingError(
            f"cannot write {final}: {error}; free some space and use --resume {folder}"
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


def rng_state() -> dict[str, torch.Tensor]:
    """States of torch's random generators on this process's devices."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_rng_state(state: dict[str, torch.Tensor]) -> None:
    """Put the generators back where ``rng_state`` found them."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
