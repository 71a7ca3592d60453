"""One SD per lead over a whole training set, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cardionets_core.errors import EcgError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A lead that moves by less than a nanovolt is missing or dead, and what is left is rounding.
_DEAD_MV = 1e-6


class LeadSd:
    """Running count, mean and squared deviation of each lead.

    Batches are merged with Chan's formula, which is stable where a sum of squares is not.

    Args:
        leads: Number of leads.

    Source: Welford 1962; Chan, Golub and LeVeque 1983.
    """

    def __init__(self, leads: int) -> None:
        self.records = 0
        self._count = np.zeros(leads)
        self._mean_mv = np.zeros(leads)
        self._squared_mv2 = np.zeros(leads)

    def update(self, records: NDArray[np.float32]) -> None:
        """Take in signals (batch, leads, samples) in mV; NaN and dead leads count for nothing."""
        self.records += len(records)
        valid = np.isfinite(records)
        highest = np.where(valid, records, -np.inf).max(axis=2, keepdims=True)
        lowest = np.where(valid, records, np.inf).min(axis=2, keepdims=True)
        valid &= highest - lowest > _DEAD_MV
        count = valid.sum(axis=(0, 2)).astype(np.float64)
        divisor = np.maximum(count, 1.0)
        values = np.where(valid, records, 0.0)
        mean_mv = values.sum(axis=(0, 2), dtype=np.float64) / divisor
        deviation = np.where(valid, values - mean_mv[:, None], 0.0)
        squared_mv2 = np.square(deviation).sum(axis=(0, 2), dtype=np.float64)
        total = np.maximum(self._count + count, 1.0)
        shift_mv = mean_mv - self._mean_mv
        self._squared_mv2 += squared_mv2 + shift_mv**2 * self._count * count / total
        self._mean_mv += shift_mv * count / total
        self._count += count

    def sd_mv(self) -> NDArray[np.float64]:
        """Return the population SD of each lead in mV, (leads,); 1 for a lead that is always dead.

        Raises:
            EcgError: If there was no record.
        """
        if not self.records:
            raise EcgError("no ECG to fit the lead SDs on; the training split is empty")
        alive = self._squared_mv2 > 0
        variance = np.where(alive, self._squared_mv2 / np.maximum(self._count, 1.0), 1.0)
        return np.sqrt(variance)
