"""Metrics that follow from sums over cases: confusion counts, squared errors, products."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.statistics.checks import Floats, Index
from cardionets_core.evaluate.statistics.samples import Exchanged, Weighted

# float32 holds whole numbers exactly below 2**24; a resample seldom doubles the number of rows.
WHOLE_NUMBERS_BELOW = 2**22


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Cases as features whose sums the metric needs.

    Attributes:
        features: (n, features, outputs).
        value: Sums (..., features, outputs) to values (...), NaN where undefined.
    """

    features: Floats
    value: Callable[[Floats], Floats]

    def take(self, rows: Index) -> Self:
        """Some of the cases."""
        return type(self)(self.features[rows], self.value)

    def weighted(self) -> Weighted:
        """The metric as a function of weights: one matrix product for a block."""
        whole = self._whole_numbers()
        of_counts = self.features.astype(np.float32 if whole else np.float64, copy=False)

        def values(weights: NDArray[Any]) -> Floats:
            counts = np.issubdtype(weights.dtype, np.integer)
            return self.value(_product(weights, of_counts if counts else self.features))

        return values

    def exchanged(self, other: Self) -> Exchanged:
        """The difference as a function of exchanges: what one sum loses the other gains.

        Only cases on which the models differ can change it.
        """
        change = other.features - self.features
        differing = np.flatnonzero(change.any(axis=(1, 2)))
        whole = self._whole_numbers() and other._whole_numbers()
        moving = change[differing].astype(np.float32 if whole else np.float64)
        own = self.features.sum(axis=0)
        both = own + other.features.sum(axis=0)

        def differences(exchange: NDArray[np.uint8]) -> Floats:
            sums = own + _product(exchange[:, differing], moving)
            return self.value(sums) - other.value(both - sums)

        return differences

    def _whole_numbers(self) -> bool:
        flat = self.features
        return len(flat) < WHOLE_NUMBERS_BELOW and bool(((flat == 0) | (flat == 1)).all())


def _product(weights: NDArray[Any], features: NDArray[Any]) -> Floats:
    """Sums over cases, (B, features, outputs), in the precision of the features."""
    flat = features.reshape(len(features), math.prod(features.shape[1:]))
    sums = weights.astype(features.dtype, copy=False) @ flat
    return sums.astype(np.float64).reshape(len(weights), *features.shape[1:])
