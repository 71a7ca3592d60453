"""Metrics of continuous outputs; the mean over outputs, or each."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cardionets_core.evaluate.statistics.checks import Floats, numbers, scores_of
from cardionets_core.evaluate.statistics.named import evaluate_metric


def r2(y: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Share of variance explained, 1 - SSE/SST; the mean over outputs, as in scikit-learn.

    Args:
        y: Truth, (n,) or (n, outputs), NaN where unknown in the latter.
        predicted: Of the same shape.
        weight: How often each case counts, (n,).

    Returns:
        R2; an output without any spread counts 1 where met exactly and 0 else.
    """
    return evaluate_metric("r2", y, predicted, weight=weight)


def pearson(y: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Correlation, arguments as in ``r2``; NaN where an output or its prediction is constant."""
    return evaluate_metric("pearson", y, predicted, weight=weight)


def mae(y: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Mean absolute error in the outputs' unit, arguments as in ``r2``."""
    return evaluate_metric("mae", y, predicted, weight=weight)


def rmse(y: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Root of the mean squared error, the mean of the outputs' roots; arguments as in ``r2``."""
    return evaluate_metric("rmse", y, predicted, weight=weight)


def per_output(metric: str, y: ArrayLike, predicted: ArrayLike) -> Floats:
    """A metric of each output.

    Args:
        metric: A name in ``METRICS``.
        y: Truth or labels, (n, outputs), NaN where unknown.
        predicted: (n, outputs).

    Returns:
        (outputs,).
    """
    truth, found = (
        v[:, None] if v.ndim == 1 else v for v in (numbers(y, "y"), scores_of(predicted))
    )
    columns = []
    for column, guess in zip(truth.T, found.T, strict=True):
        known = ~np.isnan(column)
        columns.append(evaluate_metric(metric, column[known], guess[known]))
    return np.array(columns)
