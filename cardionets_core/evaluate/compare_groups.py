"""Folds, seeds and people of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.metric_rows import Resampling
from cardionets_core.evaluate.scores import Scores

if TYPE_CHECKING:
    from cardionets_core.evaluate.compare import CompareOptions

_Labels = NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Which records belong together.

    Attributes:
        people: Subject of each record; its id where the files name no subjects.
        cells: Fold, or fold and seed, of each record; None where all count as one.
        seeds: Seed of each record, or None where there is one.
        fold_count: Folds that metrics are means over; 0 for none.
        pooled_folds: Folds whose records are pooled; 0 for none.
    """

    people: _Labels
    cells: _Labels | None
    seeds: _Labels | None
    fold_count: int
    pooled_folds: int

    @classmethod
    def of(cls, scores: Scores, *, pooled: bool) -> Self:
        """Groups by the columns ``subject``, ``seed`` and ``fold``, as far as they are there."""
        subjects, seeds = scores.column("subject"), _several(scores.column("seed"))
        folds = _several(scores.column("fold"))
        count = 0 if folds is None else len(np.unique(folds))
        parts = [labels for labels in (None if pooled else folds, seeds) if labels is not None]
        return cls(
            people=scores.ids if subjects is None else subjects,
            cells=_joined(parts) if parts else None,
            seeds=seeds,
            fold_count=0 if pooled else count,
            pooled_folds=count if pooled else 0,
        )

    @property
    def repeats(self) -> bool:
        """Whether a subject has several records."""
        return len(np.unique(self.people)) < len(self.people)

    def resampling(self, how: CompareOptions) -> Resampling:
        """How intervals are found among these groups."""
        return Resampling(
            confidence=how.confidence,
            resamples=how.resamples,
            seed=how.seed,
            cells=self.cells,
            clusters=self.people if self.repeats else None,
            seeds=self.seeds,
        )


def _several(labels: _Labels | None) -> _Labels | None:
    return None if labels is None or len(np.unique(labels)) == 1 else labels


def _joined(parts: list[_Labels]) -> _Labels:
    if len(parts) == 1:
        return parts[0]
    pairs = zip(*(part.tolist() for part in parts), strict=True)
    return np.array([f"{fold}, seed {seed}" for fold, seed in pairs])
