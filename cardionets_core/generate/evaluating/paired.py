"""Means with intervals, and paired differences with intervals and p-values, by subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.statistics import bootstrap_ci, compare_models, holm

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Resampling:
    """How often and whom the bootstrap and the permutations draw.

    Attributes:
        subjects: Subject of each row, (n,); a subject is drawn with all rows.
        resamples: Bootstrap resamples, and permutations.
        seed: Of both.
    """

    subjects: NDArray[np.str_]
    resamples: int
    seed: int


def mean_row(values: Floats, how: Resampling) -> dict[str, float]:
    """Mean of a value per record, with its 95 % bootstrap interval."""
    interval = bootstrap_ci(
        "mae",
        *_as_distances(values),
        clusters=how.subjects,
        resamples=how.resamples,
        seed=how.seed,
    )
    floor = float(values.min())
    return {
        "estimate": floor + interval.estimate,
        "low": floor + interval.low,
        "high": floor + interval.high,
    }


def mean_difference(a: Floats, b: Floats, how: Resampling) -> dict[str, float]:
    """Mean of a minus b, paired by record: 95 % bootstrap interval and permutation p-value."""
    floor, values = _as_distances(np.concatenate([a, b]))
    return _compared("mae", floor[: len(a)], values[: len(a)], values[len(a) :], how)


def r2_difference(truth: Floats, a: Floats, b: Floats, how: Resampling) -> dict[str, float]:
    """Mean R2 of predictions a minus that of b, (n, k) each: interval and permutation p-value."""
    return _compared("r2", truth, a, b, how)


def with_holm(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with ``p_holm``, adjusted over the comparisons of each metric."""
    adjusted: dict[int, float] = {}
    for metric in dict.fromkeys(row["metric"] for row in rows):
        places = [place for place, row in enumerate(rows) if row["metric"] == metric]
        values = holm([rows[place]["p"] for place in places])
        adjusted |= dict(zip(places, values.tolist(), strict=True))
    return [{**row, "p_holm": adjusted[place]} for place, row in enumerate(rows)]


def _compared(metric: str, y: Floats, a: Floats, b: Floats, how: Resampling) -> dict[str, float]:
    found = compare_models(
        metric,
        y,
        a,
        b,
        clusters=how.subjects,
        resamples=how.resamples,
        permutations=how.resamples,
        seed=how.seed,
    )
    return {"difference": found.difference, "low": found.low, "high": found.high, "p": found.p}


def _as_distances(values: Floats) -> tuple[Floats, Floats]:
    """Values as a truth below them all and a prediction.

    The mean of values is their floor and the mean absolute error about it, which the resampling
    engine knows how to draw thousands of times at once.
    """
    return np.full(len(values), values.min()), values
