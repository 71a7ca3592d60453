"""A metric with its interval, method and remarks: what reports of every kind are made of."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics import StatisticsWarning, bootstrap_ci


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of one model.

    Attributes:
        name: Metric; ``metric[output]`` for one output of several.
        estimate: Its value; NaN if it is not defined here, and ``note`` says why.
        low: Lower end of the interval, or NaN.
        high: Upper end of the interval, or NaN.
        method: How the interval was found: ``DeLong``, ``Wilson``, ``bootstrap``; empty without.
        n: Records that it rests on; for shares their denominator.
        note: What a reader has to know, or an empty text.
    """

    name: str
    estimate: float
    low: float = math.nan
    high: float = math.nan
    method: str = ""
    n: int = 0
    note: str = ""

    @property
    def defined(self) -> bool:
        """Whether there is a value."""
        return math.isfinite(self.estimate)


@dataclass(frozen=True, slots=True, eq=False)
class Resampling:
    """How intervals are found.

    Attributes:
        confidence: Of every interval.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        cells: Fold, or fold and seed, of each record, (n,): metrics are means over them. None to
            take all records as one.
        clusters: Subject of each record, (n,), whose records are resampled together. None where
            each record is a subject's only one.
        seeds: Seed of the training of each record's model, (n,), where there are several: seeds
            are resampled too.
    """

    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 0
    cells: NDArray[np.generic] | None = None
    clusters: NDArray[np.generic] | None = None
    seeds: NDArray[np.generic] | None = None

    def of(self, chosen: NDArray[np.bool_]) -> Resampling:
        """The same for some of the records."""
        cells, clusters, seeds = (
            None if labels is None else labels[chosen]
            for labels in (self.cells, self.clusters, self.seeds)
        )
        return replace(self, cells=cells, clusters=clusters, seeds=seeds)

    @property
    def repeats(self) -> int:
        """Records beyond the first of a subject."""
        return 0 if self.clusters is None else len(self.clusters) - len(np.unique(self.clusters))


def undefined(name: str, n: int, reason: str) -> MetricRow:
    """A metric that these records do not define, with the reason."""
    return MetricRow(name, math.nan, n=n, note=reason)


def named(row: MetricRow, output: str) -> MetricRow:
    """The row of one output of several: ``auc`` becomes ``auc[cad]``."""
    return replace(row, name=f"{row.name}[{output}]")


def defined_or_reason(name: str, n: int, row: Callable[[], MetricRow]) -> MetricRow:
    """The row, or an undefined one with the reason where the statistics refuse the records.

    What the statistics warn of becomes part of the note.
    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", StatisticsWarning)
        try:
            found = row()
        except EvaluationError as error:
            return undefined(name, n, str(error))
    remarks = [found.note] * bool(found.note) + sorted({str(warning.message) for warning in told})
    return replace(found, note="; ".join(remarks))


def resampled(
    name: str, y: NDArray[np.float64], score: NDArray[np.float64], how: Resampling, note: str = ""
) -> MetricRow:
    """A metric with its bootstrap interval; undefined with its reason where it means nothing.

    Args:
        name: In ``cardionets_core.evaluate.statistics.METRICS``.
        y: Labels or values as that metric takes them, (n,) or (n, outputs).
        score: Scores, or decisions 0 and 1 for a metric that needs a threshold.
        how: How the interval is found.
        note: For the row.
    """
    return defined_or_reason(name, len(y), lambda: _resampled(name, y, score, how, note))


def _resampled(
    name: str, y: NDArray[np.float64], score: NDArray[np.float64], how: Resampling, note: str
) -> MetricRow:
    found = bootstrap_ci(
        name,
        y,
        score,
        resamples=how.resamples,
        seed=how.seed,
        cells=how.cells,
        clusters=how.clusters,
        seeds=how.seeds,
        confidence=how.confidence,
    )
    if not math.isfinite(found.estimate):
        return undefined(
            name, len(y), "0 divided by 0" + " in one of the folds" * (how.cells is not None)
        )
    return MetricRow(name, found.estimate, found.low, found.high, "bootstrap", len(y), note)


def mean_over(
    what: str,
    name: str,
    y: NDArray[np.float64],
    scores: NDArray[np.float64],
    defined: Sequence[bool],
    how: Resampling,
    *,
    reason: str,
) -> MetricRow:
    """Mean of a metric over those of the labels or outputs that have it.

    Args:
        what: What the columns are, in the plural.
        name: As ``resampled`` takes it.
        y: Targets, (n, columns), NaN where unknown.
        scores: Scores, (n, columns).
        defined: Which columns have the metric.
        how: How the interval is found.
        reason: Why there is no mean if none has.
    """
    there = np.flatnonzero(defined)
    if len(there) == 0:
        return undefined(name, len(y), reason)
    note = f"mean over {len(there)} of {len(defined)} {what}"
    known = np.asarray((~np.isnan(y[:, there])).any(axis=1), dtype=np.bool_)
    return resampled(name, y[known][:, there], scores[known][:, there], how.of(known), note)


def as_finite(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Values as float64.

    Raises:
        EvaluationError: If one is not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    bad = int((~np.isfinite(found)).sum())
    if bad:
        raise EvaluationError(
            f"{bad} of {found.size} {what} are not finite numbers; leave those records out, or "
            "check the model that made them"
        )
    return found
