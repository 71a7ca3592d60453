"""Two models on the same cases: estimates, interval of the difference, p-value, in one line."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from cardionets_core.evaluate.statistics.bootstrap import bootstrap_ci
from cardionets_core.evaluate.statistics.named import MetricFunction
from cardionets_core.evaluate.statistics.permutation import paired_permutation_test


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired comparison.

    Attributes:
        estimate_a: Metric of the first model, the mean over cells.
        estimate_b: Metric of the second.
        difference: First minus second.
        low: Lower bootstrap limit of the difference.
        high: Upper limit.
        p: Two-sided, of the permutation test.
        confidence: Of the limits.
    """

    estimate_a: float
    estimate_b: float
    difference: float
    low: float
    high: float
    p: float
    confidence: float


def compare_models(
    metric: str | MetricFunction,
    y: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    *,
    threshold: ArrayLike | None = None,
    threshold_b: ArrayLike | None = None,
    resamples: int = 10_000,
    permutations: int = 10_000,
    seed: int = 0,
    stratified: bool = True,
    cells: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    seeds: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Comparison:
    """Bootstrap interval and permutation test of one difference; arguments as in these two.

    Where seeds are given, the test computes the metric within each of them too.

    Raises:
        EvaluationError: As ``bootstrap_ci`` and ``paired_permutation_test``.
    """
    interval = bootstrap_ci(
        metric,
        y,
        score_a,
        score_b,
        threshold=threshold,
        threshold_b=threshold_b,
        resamples=resamples,
        seed=seed,
        stratified=stratified,
        cells=cells,
        clusters=clusters,
        seeds=seeds,
        confidence=confidence,
    )
    test = paired_permutation_test(
        metric,
        y,
        score_a,
        score_b,
        threshold=threshold,
        threshold_b=threshold_b,
        permutations=permutations,
        seed=seed,
        cells=cells,
        clusters=clusters,
        seeds=seeds,
    )
    return Comparison(
        estimate_a=test.estimate_a,
        estimate_b=test.estimate_b,
        difference=test.difference,
        low=interval.low,
        high=interval.high,
        p=test.p,
        confidence=confidence,
    )
