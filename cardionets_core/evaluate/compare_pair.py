"""The difference of two models in one metric: interval and p-value."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cardionets_core.evaluate.binary_rows import SHARES
from cardionets_core.evaluate.cell_delong import delong_over_cells, fewest_of_a_class
from cardionets_core.evaluate.metric_rows import (
    MetricRow,
    Resampling,
    defined_or_reason,
    undefined,
)
from cardionets_core.evaluate.scores import Scores
from cardionets_core.evaluate.statistics import METRICS, bootstrap_ci, paired_permutation_test

# Differences of these are tested; those of the others have an interval only.
TESTED = ("auc", "map", "balanced_accuracy", "r2", "mae")
_RANKED = ("auc", "map")
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of A minus that of B.

    Attributes:
        row: The difference with its interval.
        p: Two-sided, or NaN where it is not tested.
        test: ``DeLong``, ``permutation`` or empty.
        z: DeLong's, else NaN.
        p_holm: p adjusted over the tests of this comparison.
    """

    row: MetricRow
    p: float = math.nan
    test: str = ""
    z: float = math.nan
    p_holm: float = math.nan


@dataclass(frozen=True, slots=True, eq=False)
class ModelPair:
    """Two models on the same records.

    Attributes:
        a: Scores of A.
        b: Scores of B, in A's order.
        threshold_a: Of each record, (n,), or None.
        threshold_b: Of each record, (n,), or None.
        how: How intervals are found.
        permutations: Of the permutation tests.
    """

    a: Scores
    b: Scores
    threshold_a: NDArray[np.float64] | None
    threshold_b: NDArray[np.float64] | None
    how: Resampling
    permutations: int

    def difference(self, row_a: MetricRow, row_b: MetricRow) -> Difference | None:
        """A minus B; None for what has no difference worth telling, such as calibration slopes."""
        name = row_a.name
        if name not in METRICS:
            return None
        reason = row_a.note if not row_a.defined else row_b.note if not row_b.defined else ""
        if reason:
            return Difference(undefined(name, row_a.n, reason))
        if name == "auc" and self._delong_holds():
            return self._delong()
        row = defined_or_reason(name, row_a.n, lambda: self._resampled(name))
        if name not in TESTED or not row.defined:
            return Difference(row)
        return Difference(row, self._permuted(name), "permutation")

    def _delong_holds(self) -> bool:
        """Whether records are independent and enough for a variance."""
        if self.a.kind != "binary" or self.how.repeats:
            return False
        return fewest_of_a_class(self.a.y[:, 0], self.how.cells) >= _FEWEST

    def _delong(self) -> Difference:
        found = delong_over_cells(
            self.a.y[:, 0],
            self.a.score[:, 0],
            self.b.score[:, 0],
            self.how.cells,
            self.how.confidence,
        )
        row = MetricRow("auc", found.difference, found.low, found.high, "DeLong", len(self.a.y))
        if not math.isfinite(found.z):
            # Both variances are 0, e.g. AUCs of 1 and 0: no test says more than the numbers do.
            return Difference(row)
        return Difference(row, found.p, "DeLong", found.z)

    def _resampled(self, name: str) -> MetricRow:
        # Shares count the records of all cells.
        counted = name in SHARES
        found = bootstrap_ci(
            name,
            self.a.y,
            *self._given(name),
            resamples=self.how.resamples,
            seed=self.how.seed,
            cells=None if counted else self.how.cells,
            clusters=self.how.clusters,
            seeds=None if counted else self.how.seeds,
            confidence=self.how.confidence,
        )
        if not math.isfinite(found.estimate):
            return undefined(name, len(self.a.y), "0 divided by 0")
        return MetricRow(name, found.estimate, found.low, found.high, "bootstrap", len(self.a.y))

    def _permuted(self, name: str) -> float:
        given = self._given(name)
        if name in _RANKED and not all(_are_probabilities(scores) for scores in given):
            # Exchanged scores are ranked together, which needs one scale.
            given = tuple(_as_ranks(scores) for scores in given)
        return paired_permutation_test(
            name,
            self.a.y,
            *given,
            permutations=self.permutations,
            seed=self.how.seed,
            cells=self.how.cells,
            clusters=self.how.clusters,
        ).p

    def _given(self, name: str) -> tuple[NDArray[np.float64], ...]:
        """Scores of both models, or their decisions where the metric is one of decisions."""
        pair = ((self.a.score, self.threshold_a), (self.b.score, self.threshold_b))
        if self.a.kind != "binary" or not METRICS[name].thresholded:
            return tuple(score for score, _ in pair)
        return tuple(
            (score[:, 0] >= limit).astype(np.float64) for score, limit in pair if limit is not None
        )


def _are_probabilities(scores: NDArray[np.float64]) -> bool:
    return bool(scores.min() >= 0 and scores.max() <= 1)


def _as_ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks over all records, which order them as the scores do, ties at their mean."""
    return np.asarray(rankdata(scores, axis=0), dtype=np.float64)
