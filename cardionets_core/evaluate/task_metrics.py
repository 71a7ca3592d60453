"""The metrics of a task's outputs, whatever its kind of target: what a finished run reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.binary_rows import DEFAULT_THRESHOLD, binary_rows
from cardionets_core.evaluate.class_rows import class_rows
from cardionets_core.evaluate.metric_rows import (
    MetricRow,
    Resampling,
    as_finite,
    mean_over,
    named,
)
from cardionets_core.evaluate.regression_rows import regression_rows
from cardionets_core.spec import TargetKind

__all__ = ["MetricRow", "task_metrics"]

# Of a task with several labels, these are told for each of them, the rest for their mean only.
_PER_LABEL = ("auc", "map", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv", "f1")


def task_metrics(
    target_kind: TargetKind,
    y: ArrayLike,
    score: ArrayLike,
    *,
    threshold: Sequence[float] | float | None = None,
    outputs: Sequence[str],
    clusters: ArrayLike | None = None,
    cells: ArrayLike | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> list[MetricRow]:
    """Evaluate a task's scores against its targets.

    Args:
        target_kind: ``binary``, ``multiclass``, ``multilabel`` or ``regression``.
        y: Targets, (n, T): 0 or 1; class index; 0 or 1 per label; physical values. NaN where
            unknown; such records are left out, per output where there are several.
        score: What the head predicts, (n, K): probabilities, or physical values.
        threshold: Called a case at or above it: one number, or one per output. None for 0.5.
        outputs: Names of the outputs: the finding, the classes, the labels, the quantities.
        clusters: Subject of each record, (n,), where a subject may have several.
        cells: Fold of each record, (n,), for metrics that are means over folds.
        confidence: Of every interval.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        Rows, the overall metrics first, then ``metric[output]``. What these records do not define
        is a row with estimate NaN and the reason.

    Raises:
        EvaluationError: If shapes do not fit each other, or a score is not finite.
    """
    targets, scores = _two_dimensional(y), as_finite(_two_dimensional(score), "scores")
    _check_shapes(target_kind, targets, scores, len(outputs))
    how = Resampling(
        confidence,
        resamples,
        seed,
        cells=None if cells is None else np.asarray(cells),
        clusters=None if clusters is None else np.asarray(clusters),
    )
    if target_kind == "regression":
        return regression_rows(targets, scores, outputs, how)
    if target_kind == "multiclass":
        return class_rows(targets[:, 0], scores, outputs, how)
    thresholds = _thresholds(threshold, len(outputs))
    if target_kind == "binary":
        return _known_rows(targets[:, 0], scores[:, 0], thresholds[0], how)
    return _label_rows(targets, scores, thresholds, outputs, how)


def _two_dimensional(values: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    return found[:, np.newaxis] if found.ndim == 1 else found


def _check_shapes(
    kind: TargetKind, y: NDArray[np.float64], score: NDArray[np.float64], outputs: int
) -> None:
    columns = 1 if kind in {"binary", "multiclass"} else outputs
    scored = 1 if kind == "binary" else outputs
    if y.shape != (len(score), columns) or score.shape != (len(y), scored):
        raise EvaluationError(
            f"targets of shape {y.shape} and scores of shape {score.shape}; a {kind} task of "
            f"{outputs} outputs needs (n, {columns}) and (n, {scored})"
        )


def _thresholds(threshold: Sequence[float] | float | None, outputs: int) -> list[float]:
    if threshold is None or (not isinstance(threshold, int | float) and len(threshold) == 0):
        return [DEFAULT_THRESHOLD] * outputs
    if isinstance(threshold, int | float):
        return [float(threshold)] * outputs
    if len(threshold) != outputs:
        raise EvaluationError(
            f"{len(threshold)} thresholds for {outputs} outputs; one for each is needed"
        )
    return [float(value) for value in threshold]


def _known_rows(
    y: NDArray[np.float64], score: NDArray[np.float64], threshold: float, how: Resampling
) -> list[MetricRow]:
    known = ~np.isnan(y)
    return binary_rows(y[known], score[known], threshold=threshold, resampling=how.of(known))


def _label_rows(
    y: NDArray[np.float64],
    scores: NDArray[np.float64],
    thresholds: Sequence[float],
    outputs: Sequence[str],
    how: Resampling,
) -> list[MetricRow]:
    """The means over labels, then each label as a task of its own."""
    per_label = [
        {row.name: row for row in _known_rows(y[:, i], scores[:, i], thresholds[i], how)}
        for i in range(len(outputs))
    ]
    decisions = (scores >= np.asarray(thresholds)).astype(np.float64)
    told = {"auc": scores, "map": scores, "balanced_accuracy": decisions}
    macro = [
        _macro(name, y, found, [rows[name].defined for rows in per_label], how)
        for name, found in told.items()
    ]
    return macro + [
        named(rows[name], output)
        for output, rows in zip(outputs, per_label, strict=True)
        for name in _PER_LABEL
    ]


def _macro(
    name: str,
    y: NDArray[np.float64],
    scores: NDArray[np.float64],
    defined: Sequence[bool],
    how: Resampling,
) -> MetricRow:
    """Mean over the labels that have the metric."""
    return mean_over(
        "labels", name, y, scores, defined, how, reason="no label has both cases and controls"
    )
