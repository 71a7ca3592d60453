"""Every metric of a yes-or-no output, as rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.cell_delong import delong_interval, fewest_of_a_class
from cardionets_core.evaluate.metric_rows import (
    MetricRow,
    Resampling,
    as_finite,
    defined_or_reason,
    resampled,
    undefined,
)
from cardionets_core.evaluate.statistics import calibration_slope, wilson_interval

DEFAULT_THRESHOLD = 0.5
_Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]
# Numerator and denominator as masks, from who is a case and who is called one.
SHARES: Mapping[str, Callable[[NDArray[np.bool_], NDArray[np.bool_]], _Masks]] = {
    "sensitivity": lambda case, said: (case & said, case),
    "specificity": lambda case, said: (~case & ~said, ~case),
    "ppv": lambda case, said: (case & said, said),
    "npv": lambda case, said: (~case & ~said, ~said),
    "accuracy": lambda case, said: (case == said, np.ones_like(case)),
}
_NOBODY = {
    "sensitivity": "there is no case",
    "specificity": "there is no control",
    "ppv": "nobody scores at or above the threshold",
    "npv": "nobody scores below the threshold",
    "accuracy": "there is no record",
}
BINARY_METRICS = (
    "auc",
    "map",
    "balanced_accuracy",
    *SHARES,
    "f1",
    "brier",
    "calibration_slope",
)


def binary_rows(
    y: ArrayLike,
    score: ArrayLike,
    *,
    threshold: ArrayLike | None = DEFAULT_THRESHOLD,
    resampling: Resampling | None = None,
    metrics: tuple[str, ...] = BINARY_METRICS,
) -> list[MetricRow]:
    """Metrics of one binary output.

    AUC, mAP, balanced accuracy, F1 and Brier are means over the cells of ``resampling``, if it
    has any. Shares (sensitivity and the like) count the records of all cells, each decided at
    its own threshold, as Wilson's interval needs counts.

    Args:
        y: 1 for cases, 0 for controls, (n,).
        score: Higher for likelier cases, (n,).
        threshold: Called a case at or above it; one number or one per record, (n,). None leaves
            out what needs a decision.
        resampling: How intervals are found.
        metrics: Which, of ``BINARY_METRICS``.

    Returns:
        A row per metric in the order of ``metrics``; what is not defined has a reason.

    Raises:
        EvaluationError: If lengths differ, labels are not 0 and 1, or a value is not finite.
    """
    case, scores = _checked(y, score)
    how = resampling or Resampling()
    if len(case) == 0:
        return [undefined(name, 0, "there is no record with a known label") for name in metrics]
    rows = {row.name: row for row in _score_rows(case, scores, how, metrics)}
    if threshold is not None:
        said = scores >= np.asarray(threshold, dtype=np.float64)
        rows |= {row.name: row for row in _decision_rows(case, said, how, metrics)}
    return [rows[name] for name in metrics if name in rows]


def _checked(y: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    labels, scores = as_finite(y, "labels"), as_finite(score, "scores")
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise EvaluationError(
            f"labels of shape {labels.shape} and scores of shape {scores.shape}; one label and "
            "one score per record are needed"
        )
    if not np.isin(labels, (0, 1)).all():
        raise EvaluationError("labels other than 0 and 1; 1 for cases and 0 for controls needed")
    return labels == 1, scores


def _score_rows(
    case: NDArray[np.bool_], scores: NDArray[np.float64], how: Resampling, metrics: tuple[str, ...]
) -> list[MetricRow]:
    """What needs no threshold."""
    y = case.astype(np.float64)
    rows = []
    if "auc" in metrics:
        rows.append(defined_or_reason("auc", len(y), lambda: _auc(y, scores, how)))
    if "map" in metrics:
        rows.append(resampled("map", y, scores, how))
    of_probabilities = [name for name in ("brier", "calibration_slope") if name in metrics]
    return rows + [_of_probabilities(name, y, scores, how) for name in of_probabilities]


def _decision_rows(
    case: NDArray[np.bool_], said: NDArray[np.bool_], how: Resampling, metrics: tuple[str, ...]
) -> list[MetricRow]:
    """What follows from calling each record a case or not."""
    y, decision = case.astype(np.float64), said.astype(np.float64)
    rows = [_share(name, case, said, how) for name in SHARES if name in metrics]
    if "balanced_accuracy" in metrics:
        rows.append(resampled("balanced_accuracy", y, decision, how))
    if "f1" in metrics:
        known = resampled("f1", y, decision, how, note=at_prevalence(y))
        rows.append(known if case.any() else undefined("f1", len(y), _NOBODY["sensitivity"]))
    return rows


def at_prevalence(y: NDArray[np.float64]) -> str:
    """Says for which share of cases a PPV, NPV or F1 holds."""
    return f"at a prevalence of {100 * y.mean():.3g} %"


def _auc(y: NDArray[np.float64], scores: NDArray[np.float64], how: Resampling) -> MetricRow:
    """AUC with DeLong's interval; the bootstrap's if subjects repeat or a class is one record."""
    if how.repeats or fewest_of_a_class(y, how.cells) == 1:
        return resampled("auc", y, scores, how)
    found = delong_interval(y, scores, how.cells, how.confidence)
    return MetricRow("auc", found.estimate, found.low, found.high, "DeLong", len(y))


def _share(
    name: str, case: NDArray[np.bool_], said: NDArray[np.bool_], how: Resampling
) -> MetricRow:
    """A proportion with Wilson's interval."""
    right, among = SHARES[name](case, said)
    k, n = int(right.sum()), int(among.sum())
    if n == 0:
        return undefined(name, 0, _NOBODY[name])
    notes = [at_prevalence(case.astype(np.float64))] * (name in {"ppv", "npv"})
    if how.repeats:
        notes.append("the interval takes a subject's records for independent")
    low, high = wilson_interval(k, n, how.confidence)
    return MetricRow(name, k / n, low, high, "Wilson", n, "; ".join(notes))


def _of_probabilities(
    name: str, y: NDArray[np.float64], scores: NDArray[np.float64], how: Resampling
) -> MetricRow:
    outside = int(((scores < 0) | (scores > 1)).sum())
    if outside:
        reason = f"{outside} of {len(scores)} scores lie outside 0 to 1 and are no probabilities"
        return undefined(name, len(y), reason)
    if name == "brier":
        return resampled(name, y, scores, how)
    return defined_or_reason(name, len(y), lambda: _calibration(name, y, scores, how))


def _calibration(
    name: str, y: NDArray[np.float64], scores: NDArray[np.float64], how: Resampling
) -> MetricRow:
    """Slope of the labels on the logit of the probability, as the mean over cells."""
    cells = np.zeros(len(y)) if how.cells is None else how.cells
    slopes = [
        calibration_slope(y[cells == cell], scores[cells == cell]) for cell in np.unique(cells)
    ]
    slope = float(np.mean(slopes))
    if not np.isfinite(slope):
        return undefined(name, len(y), "there is no finite slope")
    return MetricRow(name, slope, n=len(y), note="1 is ideal")
