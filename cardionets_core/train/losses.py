"""What the loop reads off its losses, as seldom as it can: every reading waits for the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from cardionets_core.errors import TrainingError
from cardionets_core.train.processes import fail_together, told_by_any

_STEPS_PER_LOOK = 16
_NAMED_RECORDS = 8


class EpochMeans:
    """Means of loss and logged values over the samples of an epoch and of all processes.

    Args:
        fabric: The processes.
    """

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._sums: dict[str, float | Tensor] = {}
        self._samples = 0

    def add(self, loss: Tensor, logged: Mapping[str, float | Tensor], samples: int) -> None:
        """Count a micro-batch of this process; nothing is read from the device."""
        for name, value in {"loss": loss.detach().double(), **logged}.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * samples
        self._samples += samples

    def read(self) -> dict[str, float]:
        """The means by name; every process must ask."""
        sums = [*self._sums.values(), self._samples]
        here = torch.stack(
            [torch.as_tensor(s, dtype=torch.float64, device=self._fabric.device) for s in sums]
        )
        joined = cast("Tensor", self._fabric.all_reduce(here, reduce_op="sum"))
        *totals, samples = joined.tolist()
        return {name: total / samples for name, total in zip(self._sums, totals, strict=True)}


class LossWatch:
    """Stops training on a loss that is not finite, and names its step and records.

    It looks at the losses of some steps at a time. Steps taken in between do no harm: no
    checkpoint is written before the end of an epoch, where it looks again.

    Args:
        fabric: The processes; all of them stop together.
        describe: Rows to their pseudonymous record ids.
    """

    def __init__(self, fabric: Fabric, describe: Callable[[NDArray[np.int64]], list[str]]) -> None:
        self._fabric, self._describe = fabric, describe
        self._recent: list[tuple[int, NDArray[np.int64], Tensor]] = []

    def add(self, step: int, rows: NDArray[np.int64], loss: Tensor) -> None:
        """Note the loss of a micro-batch, and look at times.

        Raises:
            TrainingError: If one was not finite.
        """
        self._recent.append((step, rows, loss.detach()))
        if len(self._recent) >= _STEPS_PER_LOOK:
            self.look()

    def look(self) -> None:
        """Look at the losses noted since the last look; every process must look.

        Raises:
            TrainingError: If one was not finite.
        """
        recent, self._recent = self._recent, []
        if not recent:
            return
        found = told_by_any(self._fabric, self._first_bad(recent))
        if found is not None:
            fail_together(self._fabric, TrainingError(found[1]))

    def _first_bad(
        self, recent: list[tuple[int, NDArray[np.int64], Tensor]]
    ) -> tuple[int, str] | None:
        losses = torch.stack([loss for _, _, loss in recent]).tolist()
        for (step, rows, _), loss in zip(recent, losses, strict=True):
            if not np.isfinite(loss):
                records = ", ".join(self._describe(rows[:_NAMED_RECORDS]))
                more = len(rows) - _NAMED_RECORDS
                return step, (
                    f"step {step}: loss {loss}; lower train.lr, or look with `cardionets inspect` "
                    f"at the records of this batch: {records}"
                    + (f" and {more} more" if more > 0 else "")
                )
        return None
