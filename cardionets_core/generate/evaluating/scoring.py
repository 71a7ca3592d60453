"""From what was measured to the rows of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cardionets_core.generate.evaluating.measuring import Floats, Measured
from cardionets_core.generate.evaluating.memorisation import closeness_rows
from cardionets_core.generate.evaluating.paired import (
    Resampling,
    mean_difference,
    mean_row,
    r2_difference,
    with_holm,
)
from cardionets_core.generate.evaluating.phenotypes import (
    MEAN_OF_DRAWS,
    ONE_DRAW,
    phenotype_table,
    r2_rows,
)
from cardionets_core.generate.evaluating.pixels import METRICS
from cardionets_core.generate.evaluating.space import REAL, distance_rows

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Rows of every table.

    Attributes:
        pixels: ``method``, ``metric``, ``estimate``, ``low``, ``high``.
        r2: See ``phenotypes.r2_rows``.
        differences: The first generator minus each other method: ``metric``, ``a``, ``b``,
            ``difference``, ``low``, ``high``, ``p``, ``p_holm``.
        distances: See ``space.distance_rows``.
        closeness: See ``memorisation.closeness_rows``.
        phenotypes: A row per phenotype.
    """

    pixels: list[Row]
    r2: list[Row]
    differences: list[Row]
    distances: list[Row]
    closeness: list[Row]
    phenotypes: pd.DataFrame


def score(measured: Measured, first: str, how: Resampling, *, halvings: int) -> Scored:
    """Estimate, with intervals by subject, and compare the first generator with all others.

    Args:
        measured: What was measured.
        first: Name of the generator that is evaluated.
        how: Of bootstraps and permutations.
        halvings: Of the subjects, for distances of distributions.
    """
    drawn = {name: found for name, found in measured.features.items() if name != REAL}
    pixels = [
        {"method": method, "metric": metric, **mean_row(values[metric], how)}
        for method, values in measured.pixels.items()
        for metric in METRICS
    ]
    return Scored(
        pixels=pixels,
        r2=r2_rows(measured.truth, measured.predicted, resamples=how.resamples, seed=how.seed),
        differences=with_holm(_pixel_differences(measured, first, how))
        + with_holm(_r2_differences(measured, first, how)),
        distances=distance_rows(
            measured.space,
            measured.features[REAL],
            drawn,
            how.subjects,
            count=halvings,
            seed=how.seed,
        ),
        closeness=closeness_rows(measured.nearest),
        phenotypes=phenotype_table(measured.truth, measured.predicted),
    )


def _pixel_differences(measured: Measured, first: str, how: Resampling) -> list[Row]:
    own = measured.pixels[first]
    others = {name: found for name, found in measured.pixels.items() if name != first}
    rows = []
    for metric in METRICS:
        for name, other in others.items():
            compared = mean_difference(own[metric], other[metric], how)
            rows.append({"metric": metric, "a": first, "b": name, **compared})
    return rows


def _r2_differences(measured: Measured, first: str, how: Resampling) -> list[Row]:
    """One draw against one draw, and the mean of draws against the same of others.

    A method that draws the same each time has one draw for its mean; true cines and direct
    regression have no draws.
    """
    truth, found = measured.truth, measured.predicted
    rows = []
    for source in (ONE_DRAW, MEAN_OF_DRAWS):
        if (first, source) not in found:
            continue
        for name in dict.fromkeys(method for method, _ in found if method != first):
            own, other = found[first, source], best(found, name, source)
            compared = r2_difference(
                truth.values, own[:, truth.columns], other[:, truth.columns], how
            )
            rows.append({"metric": f"r2, {source}", "a": first, "b": name, **compared})
    return rows


def best(found: dict[tuple[str, str], Floats], name: str, source: str) -> Floats:
    """A method's predictions from this source, or from the one that it has."""
    if (name, source) in found:
        return found[name, source]
    sources = [key for key in found if key[0] == name]
    return found[sources[0]]


def record_table(
    measured: Measured, record_ids: np.ndarray[Any, np.dtype[np.str_]], subjects: Any
) -> pd.DataFrame:
    """A row per record and method: metrics against the truth, distances to training cines."""
    parts = []
    for method, nearest in measured.nearest.items():
        own = measured.pixels.get(method, {})
        columns: dict[str, Any] = {
            "subject_id": subjects,
            "record_id": record_ids,
            "method": method,
            **{metric: own.get(metric, np.nan) for metric in METRICS},
            "nearest_feature": nearest.feature,
            "nearest_pixel": nearest.pixel,
            "nearest_ratio": nearest.ratio,
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)
