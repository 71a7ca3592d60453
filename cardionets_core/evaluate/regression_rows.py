"""Metrics of measured quantities, as rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.metric_rows import (
    MetricRow,
    Resampling,
    mean_over,
    named,
    resampled,
    undefined,
)

# With several quantities, errors in their different units have no mean.
_OF_ONE = ("r2", "pearson", "mae", "rmse")
_OF_SEVERAL = ("r2", "pearson")
_FEWEST = 2


def regression_rows(
    y: NDArray[np.float64],
    score: NDArray[np.float64],
    outputs: Sequence[str],
    how: Resampling,
) -> list[MetricRow]:
    """R2, Pearson and, for a single quantity, MAE and RMSE; R2 of each of several.

    Args:
        y: Values, (n, outputs); NaN where unknown.
        score: Predictions, (n, outputs).
        outputs: Names of the quantities.
        how: How intervals are found: the bootstrap over records, or over subjects.
    """
    spread = [_has_spread(column) for column in y.T]
    if len(outputs) == 1:
        return [_row(name, y[:, 0], score[:, 0], how, spread=spread[0]) for name in _OF_ONE]
    predicted = [_has_spread(column) for column in score.T]
    usable = {"r2": spread, "pearson": [a and b for a, b in zip(spread, predicted, strict=True)]}
    rows = [_mean_over_outputs(name, y, score, usable[name], how) for name in _OF_SEVERAL]
    for index, output in enumerate(outputs):
        row = _row("r2", y[:, index], score[:, index], how, spread=spread[index])
        rows.append(named(row, output))
    return rows


def _has_spread(values: NDArray[np.float64]) -> bool:
    known = values[~np.isnan(values)]
    return len(known) >= _FEWEST and bool(known.min() < known.max())


def _row(
    name: str,
    y: NDArray[np.float64],
    score: NDArray[np.float64],
    how: Resampling,
    *,
    spread: bool,
) -> MetricRow:
    known = ~np.isnan(y)
    count = int(known.sum())
    if count == 0 or (name in _OF_SEVERAL and not spread):
        return undefined(name, count, f"{count} known values without spread")
    return resampled(name, y[known], score[known], how.of(known))


def _mean_over_outputs(
    name: str,
    y: NDArray[np.float64],
    score: NDArray[np.float64],
    usable: Sequence[bool],
    how: Resampling,
) -> MetricRow:
    return mean_over(
        "outputs", name, y, score, usable, how, reason="no output has known values with spread"
    )
