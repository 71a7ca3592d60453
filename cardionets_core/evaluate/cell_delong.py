"""DeLong's interval and test of a mean AUC over folds, whose records are independent."""

from __future__ import annotations

import math
import warnings
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics import (
    DelongTest,
    Interval,
    StatisticsWarning,
    delong_test,
)

_FEWEST = 2


def delong_over_cells(
    y: NDArray[np.float64],
    score_a: NDArray[np.float64],
    score_b: NDArray[np.float64],
    cells: NDArray[np.generic] | None = None,
    confidence: float = 0.95,
) -> DelongTest:
    """DeLong's paired test; with cells, of the means over them.

    The cells' records are different people, so that the variance of the mean of F AUCs is the sum
    of theirs over F squared.

    Args:
        y: 1 for cases, 0 for controls, (n,).
        score_a: Scores of the first model, (n,).
        score_b: Scores of the second, (n,).
        cells: Fold of each record, (n,), or None.
        confidence: Of the interval of the difference.

    Raises:
        EvaluationError: If a cell has fewer than two cases or two controls, for whose variance
            there is no estimate.
    """
    everyone = np.zeros(len(y)) if cells is None else cells
    tests = []
    for cell in np.unique(everyone):
        there = everyone == cell
        _require_two_each(y[there], "" if cells is None else f" of fold {cell}")
        tests.append(delong_test(y[there], score_a[there], score_b[there], confidence))
    return tests[0] if len(tests) == 1 else _mean(tests, confidence)


def delong_interval(
    y: NDArray[np.float64],
    score: NDArray[np.float64],
    cells: NDArray[np.generic] | None = None,
    confidence: float = 0.95,
) -> Interval:
    """AUC with DeLong's interval, cut to [0, 1]; with cells, of the mean over them.

    Raises:
        EvaluationError: As ``delong_over_cells``.
    """
    found = delong_over_cells(y, score, score, cells, confidence)
    if found.variance_a == 0:
        warnings.warn(
            "DeLong's variance is 0: an interval without width says nothing about other cases",
            StatisticsWarning,
            stacklevel=2,
        )
    half = _reach(confidence) * math.sqrt(found.variance_a)
    low, high = max(0.0, found.auc_a - half), min(1.0, found.auc_a + half)
    return Interval(found.auc_a, low, high, confidence)


def fewest_of_a_class(y: NDArray[np.float64], cells: NDArray[np.generic] | None) -> int:
    """The smallest number of cases or controls in any cell."""
    everyone = np.zeros(len(y)) if cells is None else cells
    of_cells = [y[everyone == cell] for cell in np.unique(everyone)]
    return min(int(min((part == 1).sum(), (part == 0).sum())) for part in of_cells)


def _require_two_each(y: NDArray[np.float64], where: str) -> None:
    cases = int((y == 1).sum())
    if min(cases, len(y) - cases) < _FEWEST:
        raise EvaluationError(
            f"{cases} cases and {len(y) - cases} controls{where}; AUC and its interval need two "
            "of each"
        )


def _mean(tests: list[DelongTest], confidence: float) -> DelongTest:
    def mean(name: str) -> float:
        return float(np.mean([getattr(test, name) for test in tests]))

    variance_a, variance_b, covariance = (
        mean(name) / len(tests) for name in ("variance_a", "variance_b", "covariance")
    )
    difference = mean("difference")
    error = math.sqrt(max(0.0, variance_a + variance_b - 2 * covariance))
    z = difference / error if error else math.copysign(math.inf, difference) if difference else 0.0
    half = _reach(confidence) * error
    return DelongTest(
        auc_a=mean("auc_a"),
        auc_b=mean("auc_b"),
        variance_a=variance_a,
        variance_b=variance_b,
        covariance=covariance,
        difference=difference,
        low=difference - half,
        high=difference + half,
        z=z,
        p=math.erfc(abs(z) / math.sqrt(2)),
    )


def _reach(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
