"""Metrics of the order of scores: AUC and average precision, for blocks of weights at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.evaluate.statistics.checks import Floats, Index, label_table
from cardionets_core.evaluate.statistics.samples import Exchanged, Weighted, ratio, selector

Curve = Literal["auc", "map"]


class Order:
    """Cases and controls of one output in ascending order of score, found once.

    Args:
        truth: 0/1, NaN where unknown, (n,).
        score: (n,).
    """

    def __init__(self, truth: Floats, score: Floats) -> None:
        ascending = np.argsort(score, kind="stable")
        cases, controls = ascending[truth[ascending] == 1], ascending[truth[ascending] == 0]
        self._cases, self._controls = selector(cases), selector(controls)
        case_score, control_score = score[cases], score[controls]
        # For each case: the controls below it, those below or level, the cases below it.
        self._below = np.searchsorted(control_score, case_score, side="left")
        self._not_above = np.searchsorted(control_score, case_score, side="right")
        self._cases_below = np.searchsorted(case_score, case_score, side="left")
        self._tied = not np.array_equal(self._below, self._not_above)

    def auc(self, weights: NDArray[Any]) -> Floats:
        """Share of pairs of a case and a control in the right order, ties half; (B, n) to (B,)."""
        of_case, below = weights[:, self._cases], _running(weights[:, self._controls])
        wins = _dot(of_case, below[:, self._below])
        if self._tied:
            wins = (wins + _dot(of_case, below[:, self._not_above])) / 2
        return ratio(wins, of_case.sum(axis=1, dtype=np.float64) * below[:, -1])

    def average_precision(self, weights: NDArray[Any]) -> Floats:
        """Mean precision at the rank of each case, tied scores at one rank; (B, n) to (B,)."""
        of_case, controls = weights[:, self._cases], _running(weights[:, self._controls])
        cases = _running(of_case)
        hits = cases[:, -1:] - cases[:, self._cases_below]
        called = controls[:, -1:] - controls[:, self._below] + hits
        # A case of weight 0 at the very top has nobody at or above it, and counts 0 times.
        precision = np.divide(hits, called, out=np.zeros(hits.shape), where=called > 0)
        total = np.where(controls[:, -1] > 0, cases[:, -1], 0)
        return ratio(_dot(of_case, precision), total)


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Cases of one or more outputs whose order counts; the metric is the mean over outputs.

    Attributes:
        truth: 0/1, NaN where unknown, (n, outputs).
        score: (n, outputs).
        curve: What is under it.
    """

    truth: Floats
    score: Floats
    curve: Curve

    def take(self, rows: Index) -> Self:
        """Some of the cases."""
        return type(self)(self.truth[rows], self.score[rows], self.curve)

    def weighted(self) -> Weighted:
        """The metric as a function of weights; every output is sorted once."""
        orders = [Order(t, s) for t, s in zip(self.truth.T, self.score.T, strict=True)]

        def values(weights: NDArray[Any]) -> Floats:
            found = [
                order.auc(weights) if self.curve == "auc" else order.average_precision(weights)
                for order in orders
            ]
            return np.mean(found, axis=0)

        return values

    def exchanged(self, other: Self) -> Exchanged:
        """The difference as a function of exchanges."""
        if self.curve == "auc":
            return self._exchanged_auc(other)
        return pooled_exchange(
            type(self)(
                np.concatenate([self.truth, other.truth]),
                np.concatenate([self.score, other.score]),
                self.curve,
            ).weighted()
        )

    def _exchanged_auc(self, other: Self) -> Exchanged:
        """The AUC difference is linear in the exchanges.

        With M the comparisons of all pooled cases and controls, and p and q saying which of them
        belong to the first model, the difference is pMq - (1-p)M(1-q) = pM1 + 1Mq - 1M1.
        """
        pairs = zip(self.truth.T, self.score.T, other.score.T, strict=True)
        parts = [_linear_auc(*pair) for pair in pairs]
        constant = np.array([part[0] for part in parts])
        slopes = np.stack([part[1] for part in parts], axis=1)
        scale = np.array([part[2] for part in parts])

        def differences(exchange: NDArray[np.uint8]) -> Floats:
            # Whole numbers up to the division, so that equal differences compare equal.
            return ((constant + exchange.astype(np.float64) @ slopes) / scale).mean(axis=1)

        return differences


def ranked_sample(curve: Curve, y: Floats, score: Floats) -> Ranked:
    """Cases encoded for AUC or average precision; classes one against the rest."""
    table = score if score.ndim == 2 else score[:, None]
    truth, _ = label_table(y, table.shape[1])
    return Ranked(truth, table, curve)


def pooled_exchange(weighted: Weighted) -> Exchanged:
    """Exchanges as weights of 0 and 1 over the rows of both models one below the other."""

    def differences(exchange: NDArray[np.uint8]) -> Floats:
        moved = exchange.astype(np.int32)
        kept = 1 - moved
        first = weighted(np.concatenate([kept, moved], axis=1))
        return first - weighted(np.concatenate([moved, kept], axis=1))

    return differences


def _linear_auc(truth: Floats, a: Floats, b: Floats) -> tuple[float, Floats, float]:
    """Constant, slope per row and scale of the AUC difference, all but the scale whole numbers."""
    case, control = truth == 1, truth == 0
    reach = np.zeros((2, len(truth)))
    cases, controls = np.sort(np.r_[a[case], b[case]]), np.sort(np.r_[a[control], b[control]])
    for row, score in enumerate((a, b)):
        reach[row, case] = _twice_below(controls, score[case])
        reach[row, control] = _twice_below(-cases[::-1], -score[control])
    # Wins in all comparisons of the pooled rows are counted once per case: pM1 over all p.
    constant = float(reach[0].sum() - reach[:, case].sum())
    return constant, reach[1] - reach[0], 2.0 * case.sum() * control.sum()


def _twice_below(ascending: Floats, values: ArrayLike) -> Floats:
    """Twice the number below each value, ties half."""
    low = np.searchsorted(ascending, values, side="left")
    return (low + np.searchsorted(ascending, values, side="right")).astype(np.float64)


def _running(weights: NDArray[Any]) -> NDArray[Any]:
    """Sums of the first 0, 1, ... columns, (B, n) to (B, n + 1), in the type of the weights."""
    sums = np.zeros((len(weights), weights.shape[1] + 1), weights.dtype)
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _dot(one: NDArray[Any], other: NDArray[Any]) -> Floats:
    """Row-wise products summed; whole numbers exactly."""
    whole = np.issubdtype(one.dtype, np.integer) and np.issubdtype(other.dtype, np.integer)
    return np.einsum("bn,bn->b", one, other, dtype=np.int64 if whole else np.float64).astype(
        np.float64
    )
