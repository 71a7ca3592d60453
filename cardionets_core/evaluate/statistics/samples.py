"""How the resampling engines see a metric: cases, weights of cases, exchanges between models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.statistics.checks import Floats, Index

# (B, n) weights of n cases in B resamples -> (B,) values, NaN where undefined.
Weighted = Callable[[NDArray[Any]], Floats]
# (B, n) of 0/1, 1 where a case's two outputs are exchanged -> (B,) differences.
Exchanged = Callable[[NDArray[np.uint8]], Floats]


class Sample(Protocol):
    """The cases of one model, encoded for one metric."""

    def take(self, rows: Index) -> Self:
        """Some of the cases."""
        ...

    def weighted(self) -> Weighted:
        """The metric as a function of weights, made ready once for many blocks of them."""
        ...

    def exchanged(self, other: Self) -> Exchanged:
        """The difference to another model on the same cases, as a function of exchanges."""
        ...


def selector(rows: Index) -> slice | Index:
    """Rows as a slice where they follow each other: a view instead of a copy."""
    if len(rows) and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
        return slice(int(rows[0]), int(rows[0]) + len(rows))
    return rows


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    """Quotients, NaN where the denominator is 0."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    undefined = np.full(shape, np.nan)
    return np.divide(numerator, denominator, out=undefined, where=np.asarray(denominator) != 0)
