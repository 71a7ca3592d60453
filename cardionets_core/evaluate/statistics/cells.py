"""Cells of an evaluation: folds and seeds, in each of which a metric is computed on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.evaluate.statistics.checks import (
    Floats,
    Index,
    numbers,
    same_length,
    scores_of,
)
from cardionets_core.evaluate.statistics.draws import Units, numbered, units_of
from cardionets_core.evaluate.statistics.named import (
    MetricFunction,
    check_labels,
    metric_of,
    sample_of,
)
from cardionets_core.evaluate.statistics.samples import Sample, selector

# This many weights at a time stay in a core's cache and bound the memory.
ELEMENTS_AT_ONCE = 2**16
# A block is what one thread works off: so many rounds of these.
ROUNDS_PER_BLOCK = 32
# NumPy lets go of the interpreter in its loops; a third thread would gain little.
THREADS = 2

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One fold of one seed.

    Attributes:
        units: Where the weights of its rows stand among those of the units.
        samples: Its rows, encoded for each model.
        seed: Number of its seed.
    """

    units: slice | Index
    samples: tuple[Sample, ...]
    seed: int


class Block(NamedTuple):
    """Resamples ``first`` to ``stop``, worked off ``rows`` at a time with one random stream."""

    rng: np.random.Generator
    first: int
    stop: int
    rows: int

    def rounds(self) -> Iterable[range]:
        """The numbers of the resamples of each round."""
        for first in range(self.first, self.stop, self.rows):
            yield range(first, min(first + self.rows, self.stop))


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Cells and units of one comparison or interval.

    Attributes:
        cells: In sorted order of their labels.
        units: What is drawn or exchanged.
        seeds: How many seeds there are.
    """

    cells: tuple[Cell, ...]
    units: Units
    seeds: int

    def blocks(self, seed: int, total: int, rows_per_unit: int = 1) -> list[Block]:
        """Resamples or permutations in blocks, each with its own random stream.

        The streams follow from the seed and the sizes alone, so that threads change nothing.
        """
        rows = max(1, min(total, ELEMENTS_AT_ONCE // (rows_per_unit * len(self.units))))
        size = rows * ROUNDS_PER_BLOCK
        starts = range(0, total, size)
        streams = np.random.SeedSequence(seed).spawn(len(starts))
        return [
            Block(_generator(stream), start, min(total, start + size), rows)
            for stream, start in zip(streams, starts, strict=True)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Cases with the scores and thresholds of one or two models.

    Attributes:
        y: As ``evaluate_metric`` takes it.
        models: Scores of each model with its threshold.
    """

    y: Floats
    models: tuple[tuple[Floats, ArrayLike | None], ...]


def scores_of_models(
    y: ArrayLike,
    score: ArrayLike,
    score_b: ArrayLike | None,
    threshold: ArrayLike | None,
    threshold_b: ArrayLike | None,
) -> Scores:
    """Check the arrays of one or two models; the second takes the first's threshold by default.

    Raises:
        EvaluationError: If lengths differ or a score is not finite.
    """
    truth, first = numbers(y, "y"), scores_of(score)
    if score_b is None:
        same_length(y=truth, score=first)
        return Scores(truth, ((first, threshold),))
    second = scores_of(score_b, "score_b")
    same_length(y=truth, score=first, score_b=second)
    other = threshold if threshold_b is None else threshold_b
    return Scores(truth, ((first, threshold), (second, other)))


def design(
    metric: str | MetricFunction,
    scores: Scores,
    *,
    cells: ArrayLike | None,
    clusters: ArrayLike | None,
    seeds: ArrayLike | None,
    stratified: bool,
) -> Design:
    """Encode the cases for the metric and part them into cells and units.

    Raises:
        EvaluationError: If labels do not fit, or a cell has one class where both are needed.
    """
    y, first = scores.y, scores.models[0][0]
    owner = None if clusters is None else numbered(clusters, "clusters")
    seed = np.zeros(len(y), np.intp) if seeds is None else numbered(seeds, "seeds")
    label = np.zeros(len(y), np.intp) if cells is None else numbered(cells, "cells")
    same_length(y=y, cells=label, seeds=seed, clusters=owner)
    cell = numbered(label * (int(seed.max()) + 1) + seed, "cells")
    # Rows in the order of label and score need no sorting and no copy later on.
    order = np.lexsort((_first(first), _first(y)))
    classes = _classes(metric, y) if stratified else None
    units = units_of(owner, cell, classes, order)
    encoded = [sample_of(metric, y, score, limit) for score, limit in scores.models]
    parts = []
    for number in range(int(cell.max()) + 1):
        rows = order[cell[order] == number]
        where = f" in {_name(cells, seeds, rows[0])}" if cell.any() else ""
        check_labels(metric, y[rows], first[rows], where)
        samples = tuple(sample.take(rows) for sample in encoded)
        parts.append(Cell(selector(units.of_row[rows]), samples, int(seed[rows[0]])))
    return Design(tuple(parts), units, int(seed.max()) + 1)


def in_threads(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """Results in the order of the items, whatever thread made them."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, items))


def _generator(stream: np.random.SeedSequence) -> np.random.Generator:
    """Random numbers of one block; a fifth faster than NumPy's default generator."""
    return np.random.Generator(np.random.SFC64(stream))


def _first(values: Floats) -> Floats:
    return values if values.ndim == 1 else values[:, 0]


def _classes(metric: str | MetricFunction, y: Floats) -> Index | None:
    """Class of each row, where rows have one."""
    labels = metric_of(metric).target == "labels" if isinstance(metric, str) else _binary(y)
    return numbered(y, "y") if labels and y.ndim == 1 else None


def _binary(y: NDArray[np.float64]) -> bool:
    return bool(np.isin(y, (0, 1)).all())


def _name(cells: ArrayLike | None, seeds: ArrayLike | None, row: int) -> str:
    given = {"cell": cells, "seed": seeds}
    return ", ".join(
        f"{what} {np.asarray(labels)[row]}" for what, labels in given.items() if labels is not None
    )
