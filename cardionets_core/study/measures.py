"""Metrics of test scores with their intervals: mean over runs, subjects and seeds resampled."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.losses import paired_effect
from cardionets_core.evaluate.statistics import (
    Comparison,
    Interval,
    StatisticsWarning,
    bootstrap_ci,
    compare_models,
    evaluate_metric,
)
from cardionets_core.spec import TargetKind
from cardionets_core.study.config import StudyConfig
from cardionets_core.study.scores import TestScores, paired

Found = TypeVar("Found")

# The first is the one that figures and findings speak of.
METRICS_OF: Mapping[TargetKind, tuple[str, ...]] = {
    "binary": (
        "auc", "balanced_accuracy", "map", "sensitivity", "specificity", "ppv", "npv", "f1",
        "accuracy", "brier",
    ),
    "multiclass": ("auc", "balanced_accuracy", "map", "accuracy"),
    "multilabel": ("auc", "map", "balanced_accuracy"),
    "regression": ("r2", "pearson"),
}  # fmt: skip
COMPARED: Mapping[TargetKind, tuple[str, ...]] = {
    "binary": ("auc", "balanced_accuracy", "map"),
    "multiclass": ("auc", "balanced_accuracy"),
    "multilabel": ("auc", "map"),
    "regression": ("r2",),
}
THRESHOLDED = frozenset(
    {"balanced_accuracy", "sensitivity", "specificity", "ppv", "npv", "f1", "accuracy"}
)
OF_PREVALENCE = ("ppv", "npv", "f1")
_RANKED = frozenset({"auc", "map"})
# A probability of 0 for what then happens would be an infinite loss.
_NEAREST_TO_CERTAIN = 1e-7


@dataclass(frozen=True, slots=True)
class Rules:
    """How a study's numbers are found.

    Attributes:
        pooled: Pool the folds of a seed, as the paper does, instead of averaging over them.
        resamples: Of every bootstrap.
        permutations: Of every permutation test.
        confidence: Of every interval.
    """

    pooled: bool
    resamples: int
    permutations: int
    confidence: float

    @classmethod
    def of(cls, config: StudyConfig) -> Rules:
        """Those of a study."""
        return cls(config.pooled, config.resamples, config.permutations, config.confidence)

    def cells(self, scores: TestScores) -> NDArray[np.str_]:
        """What a metric is computed within, (n,): runs, or seeds where folds are pooled."""
        return scores.seed.astype(str) if self.pooled else scores.runs


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric of one variant.

    Attributes:
        interval: Mean over cells, with its limits.
        by_seed: The metric of each seed, mean over its cells.
        note: Why there is no number, or what to know about it.
    """

    interval: Interval
    by_seed: tuple[float, ...] = ()
    note: str = ""

    @property
    def sd(self) -> float:
        """SD over seeds; NaN with one seed."""
        return float(np.std(self.by_seed, ddof=1)) if len(self.by_seed) > 1 else np.nan


def measure(metric: str, scores: TestScores, rules: Rules) -> Measured:
    """A metric with its interval; what is not defined is NaN with the reason."""

    def find() -> Measured:
        interval = bootstrap_ci(
            metric,
            scores.y,
            scores.score,
            threshold=_limit(metric, scores),
            resamples=rules.resamples,
            cells=rules.cells(scores),
            clusters=scores.subject,
            seeds=scores.seed,
            confidence=rules.confidence,
        )
        return Measured(interval, by_seed(metric, scores, rules))

    nothing = Interval(np.nan, np.nan, np.nan, rules.confidence)
    found, note = _told(find)
    if found is None:
        return Measured(nothing, note=note)
    return Measured(found.interval, found.by_seed, note)


def by_seed(metric: str, scores: TestScores, rules: Rules) -> tuple[float, ...]:
    """The metric of each seed, the mean over its cells."""
    cells = rules.cells(scores)
    limit = _limit(metric, scores)

    def value(rows: NDArray[np.bool_]) -> float:
        at = None if limit is None else limit[rows]
        return evaluate_metric(metric, scores.y[rows], scores.score[rows], threshold=at)

    return tuple(
        float(np.mean([value(cells == cell) for cell in np.unique(cells[scores.seed == seed])]))
        for seed in np.unique(scores.seed)
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """Two variants on the same records.

    Attributes:
        found: Estimates, difference, interval and p; None if it is not defined.
        d_z: Paired, of per-subject loss; positive where the first one's is smaller.
        subjects: How many.
        records: How many.
        note: Why there is no number, or what to know about it.
    """

    found: Comparison | None
    d_z: float
    subjects: int
    records: int
    note: str = ""


def compare(metric: str, a: TestScores, b: TestScores, rules: Rules) -> Compared:
    """The difference of two variants on the records that both were tested on."""
    a, b = paired(a, b)
    if not len(a):
        return Compared(None, np.nan, 0, 0, "no record was tested with both")

    def find() -> Comparison:
        cells = rules.cells(a)
        first, second = a.score, b.score
        if metric in _RANKED:
            # Exchanged scores are ranked together; as ranks both models are on one scale.
            first, second = _ranks(a, cells), _ranks(b, cells)
        return compare_models(
            metric,
            a.y,
            first,
            second,
            threshold=_limit(metric, a),
            threshold_b=_limit(metric, b),
            resamples=rules.resamples,
            permutations=rules.permutations,
            cells=cells,
            clusters=a.subject,
            seeds=a.seed,
            confidence=rules.confidence,
        )

    found, note = _told(find)
    subjects = len(np.unique(a.subject))
    return Compared(found, effect_of_loss(a, b), subjects, len(a), note)


def effect_of_loss(a: TestScores, b: TestScores) -> float:
    """Cohen's d_z of the loss of b minus that of a, per subject; NaN where there is no spread.

    Source: Lakens 2013.
    """
    _, person = np.unique(a.subject, return_inverse=True)
    times = np.bincount(person)
    of_a, of_b = (np.bincount(person, weights=losses(model)) / times for model in (a, b))
    if len(times) < 2:
        return np.nan
    return paired_effect(of_a, of_b)


def losses(scores: TestScores) -> NDArray[np.float64]:
    """Log loss, or squared error in SDs of the target, of each record, mean over outputs, (n,)."""
    target, score = scores.target, scores.score
    if scores.task.target == "regression":
        spread = np.nanstd(target, axis=0)
        errors = ((score - target) / np.where(spread > 0, spread, 1.0)) ** 2
        return np.asarray(np.nanmean(errors, axis=1))
    if scores.task.target == "multiclass":
        of_truth = np.take_along_axis(score, target.astype(np.int64), axis=1)
    else:
        of_truth = np.where(target == 1, score, 1 - score)
        of_truth = np.where(np.isnan(target), np.nan, of_truth)
    clipped = np.clip(of_truth, _NEAREST_TO_CERTAIN, 1 - _NEAREST_TO_CERTAIN)
    return np.asarray(np.nanmean(-np.log(clipped), axis=1))


def _limit(metric: str, scores: TestScores) -> NDArray[np.float64] | None:
    return scores.limit if metric in THRESHOLDED else None


def _ranks(scores: TestScores, cells: NDArray[np.str_]) -> NDArray[np.float64]:
    """Ranks within each cell, ties at their mean."""
    ranks = np.empty_like(scores.score)
    for cell in np.unique(cells):
        rows = cells == cell
        ranks[rows] = rankdata(scores.score[rows], axis=0)
    return ranks


def _told(find: Callable[[], Found]) -> tuple[Found | None, str]:
    """What was found, or None, and what the statistics had to say about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StatisticsWarning)
        try:
            found = find()
        except EvaluationError as error:
            return None, str(error)
    return found, "; ".join(sorted({str(w.message) for w in caught}))
