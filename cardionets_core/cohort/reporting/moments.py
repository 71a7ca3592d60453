"""Mean and SD of columns that are seen piece by piece."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


class Moments:
    """Count, mean and spread of several groups of numbers.

    Args:
        groups: How many groups.

    Source: Chan, Golub and LeVeque 1979, the pairwise update: no cancellation of large sums.
    """

    def __init__(self, groups: int) -> None:
        self._count = [0] * groups
        self._mean = [0.0] * groups
        self._squares = [0.0] * groups

    def add(self, group: int, values: NDArray[np.float64]) -> None:
        """Take note of some finite values of a group."""
        if not len(values):
            return
        before, count = self._count[group], len(values)
        mean = float(values.mean())
        shift = mean - self._mean[group]
        self._count[group] = before + count
        self._mean[group] += shift * count / (before + count)
        own = float(((values - mean) ** 2).sum())
        self._squares[group] += own + shift**2 * before * count / (before + count)

    def mean_and_sd(self, group: int) -> tuple[float | None, float | None]:
        """Mean and SD (n - 1) of a group; None where there are too few values."""
        count = self._count[group]
        mean = self._mean[group] if count else None
        return mean, math.sqrt(self._squares[group] / (count - 1)) if count > 1 else None
