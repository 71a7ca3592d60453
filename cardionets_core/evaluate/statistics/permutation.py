"""Paired permutation tests: would the difference look like this if the models were alike?"""

from __future__ import annotations

from dataclasses import dataclass

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
from cardionets_core.evaluate.statistics.checks import Floats
from cardionets_core.evaluate.statistics.named import MetricFunction

# Differences that are equal in exact arithmetic count as equal; of the metric's size, if above 1.
TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """A paired permutation test.

    Attributes:
        estimate_a: Metric of the first model, the mean over cells.
        estimate_b: Metric of the second.
        difference: First minus second.
        p: Two-sided.
        permutations: Exchanges looked at.
        exact: They were all there are, and p is no estimate.
    """

    estimate_a: float
    estimate_b: float
    difference: float
    p: float
    permutations: int
    exact: bool


def paired_permutation_test(
    metric: str | MetricFunction,
    y: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    *,
    threshold: ArrayLike | None = None,
    threshold_b: ArrayLike | None = None,
    permutations: int = 10_000,
    seed: int = 0,
    cells: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    seeds: ArrayLike | None = None,
) -> PermutationTest:
    """Exchange the outputs of two models per case with probability 1/2 and compare again.

    p is (1 + hits) / (1 + permutations), where a hit is a difference of at least the observed
    size. Where all arrangements are no more than ``permutations``, each is looked at once and p is
    their exact share.

    Args:
        metric: A name in ``METRICS`` or a function of y, score and weight, called per permutation.
        y: Labels or values as ``evaluate_metric`` takes them, (n,) or (n, outputs).
        score_a: Scores of the first model, (n,) or (n, outputs).
        score_b: Scores of the second. For metrics of the order (``auc``, ``map``) both have to be
            on one scale, since exchanged scores are ranked together.
        threshold: Of the first model, as in ``bootstrap_ci``; it stays with the model's outputs.
        threshold_b: Of the second; None takes that of the first.
        permutations: How many.
        seed: Of the random numbers.
        cells: Fold of each row, (n,): the metric is the mean over cells, exchanges are within.
        clusters: Subject of each row, (n,): exchanged in all of its rows at once.
        seeds: Training seed of each row, (n,): a part of the cells, for which the test holds.

    Raises:
        EvaluationError: If arrays do not fit, or the metric is undefined for the scores.
        ValueError: If permutations is below 1.

    Source: Good 2005, chapter 3; the count of Phipson and Smyth 2010.
    """
    if permutations < 1:
        raise ValueError(f"permutations = {permutations}: at least one is needed")
    scores = scores_of_models(y, score_a, score_b, threshold, threshold_b)
    plan = design(metric, scores, cells=cells, clusters=clusters, seeds=seeds, stratified=False)
    estimate_a, estimate_b = (_estimate(plan, model) for model in range(2))
    observed = estimate_a - estimate_b
    if np.isnan(observed):
        raise EvaluationError(
            f"the metric is undefined (0/0): {estimate_a} for the first model and {estimate_b} for "
            "the second; compare another metric"
        )
    arrangements = 2 ** len(plan.units)
    exact = arrangements <= permutations
    looked_at = arrangements if exact else permutations
    found = _differences(plan, looked_at, None if exact else seed)
    # A permutation without a value (0/0) must not make a difference look rarer than it is.
    slack = TOLERANCE * max(1.0, abs(estimate_a), abs(estimate_b))
    hits = int((~(np.abs(found) < abs(observed) - slack)).sum())
    p = hits / looked_at if exact else (1 + hits) / (1 + looked_at)
    return PermutationTest(estimate_a, estimate_b, observed, p, looked_at, exact)


def _estimate(plan: Design, model: int) -> float:
    ones = np.ones((1, len(plan.units)), np.int32)
    return float(
        np.mean([cell.samples[model].weighted()(ones[:, cell.units]) for cell in plan.cells])
    )


def _differences(plan: Design, looked_at: int, seed: int | None) -> Floats:
    """The mean difference over cells in each permutation; seed None goes through all of them."""
    functions = [cell.samples[0].exchanged(cell.samples[1]) for cell in plan.cells]
    cells = list(zip(plan.cells, functions, strict=True))

    def of_block(block: Block) -> Floats:
        found = []
        for numbers in block.rounds():
            exchange = (
                _arrangements(numbers, len(plan.units))
                if seed is None
                else _coins(block.rng, len(numbers), len(plan.units))
            )
            found.append(
                np.mean([of_cell(exchange[:, cell.units]) for cell, of_cell in cells], axis=0)
            )
        return np.concatenate(found)

    # Exchanged scores may be ranked together: the rows of both models at once.
    blocks = plan.blocks(seed or 0, looked_at, rows_per_unit=2)
    return np.concatenate(in_threads(of_block, blocks))


def _coins(rng: np.random.Generator, size: int, units: int) -> NDArray[np.uint8]:
    """Fair coins, (size, units), eight of a byte."""
    packed = np.frombuffer(rng.bytes(size * -(-units // 8)), np.uint8).reshape(size, -1)
    return np.unpackbits(packed, axis=1, count=units)


def _arrangements(numbers: range, units: int) -> NDArray[np.uint8]:
    """Arrangements of these numbers as binary digits, (numbers, units)."""
    return (np.array(numbers)[:, None] >> np.arange(units) & 1).astype(np.uint8)
