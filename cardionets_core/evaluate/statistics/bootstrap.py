"""Bootstrap intervals, stratified, within folds, by subject and by seed; a block at a time."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics.cells import (
    Block,
    Design,
    design,
    in_threads,
    scores_of_models,
)
from cardionets_core.evaluate.statistics.checks import Floats, StatisticsWarning
from cardionets_core.evaluate.statistics.draws import Counts, Draws
from cardionets_core.evaluate.statistics.intervals import Interval, normal_quantile
from cardionets_core.evaluate.statistics.named import MetricFunction
from cardionets_core.evaluate.statistics.samples import Weighted

# Above this share of skipped resamples the limits speak of the resamples that were left.
MANY_SKIPPED = 0.1


def bootstrap_ci(
    metric: str | MetricFunction,
    y: ArrayLike,
    score: ArrayLike,
    score_b: ArrayLike | None = None,
    *,
    threshold: ArrayLike | None = None,
    threshold_b: ArrayLike | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    stratified: bool = True,
    cells: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    seeds: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Percentile interval of a metric, or of the difference of two models on the same cases.

    Args:
        metric: A name in ``METRICS`` or a function of y, score and weight, called per resample.
        y: Labels or values as ``evaluate_metric`` takes them, (n,) or (n, outputs).
        score: Scores of the model, (n,) or (n, outputs).
        score_b: Scores of another; the interval is then that of the first minus the second.
        threshold: Of the first model: one number, one per case, or one per output; None is 0.5.
        threshold_b: Of the second; None takes that of the first.
        resamples: How many.
        seed: Of the random numbers; the result follows from it whatever the threads.
        stratified: Resample cases and controls (or classes) apart.
        cells: Fold of each row, (n,): the estimate is the mean over cells of the metric within a
            cell, and cases are resampled within their cell.
        clusters: Subject of each row, (n,): a subject is drawn with all rows in every cell.
        seeds: Training seed of each row, (n,): a part of the cells, drawn with replacement too.
        confidence: Between 0 and 1.

    Returns:
        The interval; NaN limits where the estimate is undefined (0/0).

    Raises:
        EvaluationError: If arrays do not fit, a cell has one class where both are needed, seeds
            come without clusters, or no resample is left.
        ValueError: If resamples or confidence is out of range.

    Source: Efron 1979; Efron and Tibshirani 1993, chapter 13.
    """
    normal_quantile(confidence)
    if resamples < 1:
        raise ValueError(f"resamples = {resamples}: at least one is needed")
    if seeds is not None and clusters is None:
        raise EvaluationError(
            "seeds without clusters: a subject's rows under several seeds would count as so many "
            "subjects; give the subject of each row as clusters"
        )
    scores = scores_of_models(y, score, score_b, threshold, threshold_b)
    plan = design(
        metric, scores, cells=cells, clusters=clusters, seeds=seeds, stratified=stratified
    )
    functions = [[sample.weighted() for sample in cell.samples] for cell in plan.cells]
    estimate = _estimate(plan, functions)
    if np.isnan(estimate):
        return Interval(estimate, np.nan, np.nan, confidence)

    def drawn(block: Block) -> Floats:
        return _values(plan, functions, block, draw_seeds=seeds is not None)

    found = np.concatenate(in_threads(drawn, plan.blocks(seed, resamples)))
    return _percentiles(estimate, found, confidence)


def _estimate(plan: Design, functions: list[list[Weighted]]) -> float:
    once = np.ones((1, len(plan.units)), np.int32)
    return float(_mean_over_cells(plan, functions, once, np.ones((1, plan.seeds), np.int64))[0])


def _values(
    plan: Design, functions: list[list[Weighted]], block: Block, *, draw_seeds: bool
) -> Floats:
    """The estimate in each resample of a block, (B,); NaN where a cell that counts has none."""
    draws, found = Draws(plan.units, block.rows, block.rng), []
    for resamples in block.rounds():
        counts = draws.counts(len(resamples))
        times = np.ones((len(resamples), plan.seeds), np.int64)
        if draw_seeds:
            equal = np.full(plan.seeds, 1 / plan.seeds)
            times = block.rng.multinomial(plan.seeds, equal, len(resamples))
        found.append(_mean_over_cells(plan, functions, counts, times))
    return np.concatenate(found)


def _mean_over_cells(
    plan: Design, functions: list[list[Weighted]], counts: Counts, times: NDArray[np.int64]
) -> Floats:
    """Mean over cells, (B,), from units' counts (B, units) and seeds' counts (B, seeds)."""
    total, weight = np.zeros(len(counts)), np.zeros(len(counts))
    for cell, of_cell in zip(plan.cells, functions, strict=True):
        of_seed = times[:, cell.seed]
        found = _difference(of_cell, counts[:, cell.units])
        total += np.where(of_seed > 0, of_seed * found, 0.0)
        weight += of_seed
    return total / weight


def _difference(models: list[Weighted], weights: Counts) -> Floats:
    found = models[0](weights)
    return found if len(models) == 1 else found - models[1](weights)


def _percentiles(estimate: float, found: Floats, confidence: float) -> Interval:
    defined = found[~np.isnan(found)]
    skipped = len(found) - len(defined)
    if not len(defined):
        raise EvaluationError(
            f"the metric is undefined in all {len(found)} resamples; there are too few cases"
        )
    if skipped > MANY_SKIPPED * len(found):
        warnings.warn(
            f"the metric is undefined in {skipped} of {len(found)} resamples, which were left out",
            StatisticsWarning,
            stacklevel=3,
        )
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(estimate, float(low), float(high), confidence, len(found), skipped)
