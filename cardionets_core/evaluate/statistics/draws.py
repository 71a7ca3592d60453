"""Who is drawn in a resample: cases or subjects, within groups, and how often each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics.checks import Index

Counts = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What is drawn or exchanged as one, and which rows belong to it.

    Units are numbered so that those of one stratum follow each other.

    Attributes:
        of_row: Number of the unit of each row, (n,).
        sizes: Units in each stratum.
    """

    of_row: Index
    sizes: tuple[int, ...]

    def __len__(self) -> int:
        return sum(self.sizes)


class Draws:
    """How often each unit is drawn, a few resamples at a time, in arrays that are used again.

    Fresh arrays of this size would come from the system with every call, which takes longer than
    the drawing.

    Args:
        units: Who is drawn; as many per stratum as are in it.
        rows: Resamples at a time.
        rng: What draws.
    """

    def __init__(self, units: Units, rows: int, rng: np.random.Generator) -> None:
        self._rng = rng
        sizes = np.array(units.sizes)
        self._size = np.repeat(sizes.astype(np.float64), sizes)
        self._first = np.repeat(np.cumsum(sizes) - sizes, sizes)
        self._uniform = np.empty((rows, len(units)))
        self._drawn = np.empty((rows, len(units)), np.int64)
        self._counts = np.empty((rows, len(units)), np.int32)

    def counts(self, resamples: int) -> Counts:
        """Counts of the next few resamples, (resamples, units), good until the next call."""
        # Below 2**53 units the product never reaches the stratum's size, whatever the rounding.
        uniform, drawn = self._uniform[:resamples], self._drawn[:resamples]
        self._rng.random(out=uniform)
        np.multiply(uniform, self._size, out=drawn, casting="unsafe")
        if len(self._first) and self._first[-1]:
            drawn += self._first
        for row, units in zip(self._counts, drawn, strict=False):
            row[:] = np.bincount(units, minlength=len(row))
        return self._counts[:resamples]


def numbered(labels: ArrayLike, name: str) -> Index:
    """Labels of any kind as numbers 0, 1, ... in their sorted order.

    Raises:
        EvaluationError: If they are not one per row, or not comparable.
    """
    found = np.asarray(labels)
    if found.ndim != 1:
        raise EvaluationError(f"{name}: shape {found.shape}; give one label per case, (n,)")
    try:
        return np.unique(found, return_inverse=True)[1].astype(np.intp)
    except TypeError as error:
        raise EvaluationError(f"{name}: labels of mixed types ({error}); use one type") from error


def units_of(clusters: Index | None, cells: Index, classes: Index | None, order: Index) -> Units:
    """Find the units of a resampling.

    Args:
        clusters: Subject of each row; None where each row is a unit.
        cells: Fold and seed of each row.
        classes: What strata keep apart; for a subject that of its first row. None for one stratum.
        order: Rows in the order in which units are to be numbered within their stratum.

    A row's stratum is its cell and class. A subject lies in many cells; its stratum is the group
    of cells it lies in, as long as subjects of one cell share their other cells: folds, each
    scored under several seeds. Where folds differ between seeds there are no such groups, and
    subjects are drawn over all.
    """
    owner = np.arange(len(cells)) if clusters is None else clusters
    _, first_row = np.unique(owner, return_index=True)
    stratum = cells[first_row] if clusters is None else _groups(owner, cells)
    if classes is not None:
        kinds = int(classes.max()) + 1
        stratum = stratum * kinds + classes[first_row]
    place = np.empty(len(cells), np.intp)
    place[order] = np.arange(len(order))
    earliest = np.full(len(first_row), len(order))
    np.minimum.at(earliest, owner, place)
    sequence = np.lexsort((earliest, stratum))
    number = np.empty(len(sequence), np.intp)
    number[sequence] = np.arange(len(sequence))
    sizes = np.unique(stratum, return_counts=True)[1]
    return Units(number[owner], tuple(int(size) for size in sizes))


def _groups(owner: Index, cells: Index) -> Index:
    """Group of cells of each subject, or 0 for all where cells overlap in part."""
    lies_in = np.zeros((int(owner.max()) + 1, int(cells.max()) + 1), dtype=bool)
    lies_in[owner, cells] = True
    patterns, group = np.unique(lies_in, axis=0, return_inverse=True)
    # Groups part the cells if no cell is in two patterns.
    return group.reshape(-1) if (patterns.sum(axis=0) <= 1).all() else np.zeros_like(group)
