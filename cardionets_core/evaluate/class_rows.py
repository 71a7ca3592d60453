"""Metrics of a task with one of several classes, as rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.binary_rows import binary_rows
from cardionets_core.evaluate.metric_rows import MetricRow, Resampling, named, resampled, undefined
from cardionets_core.evaluate.statistics import wilson_interval

_OVER_CLASSES = ("auc", "map", "balanced_accuracy")


def class_rows(
    y: NDArray[np.float64],
    score: NDArray[np.float64],
    classes: Sequence[str],
    how: Resampling,
) -> list[MetricRow]:
    """Macro one-vs-rest AUC and mAP, balanced and plain accuracy, and the AUC of each class.

    The class of the highest score is the one decided for.

    Args:
        y: Class indices, (n,); NaN where unknown, which is left out.
        score: (n, classes).
        classes: Their names.
        how: How intervals are found.
    """
    known = ~np.isnan(y)
    y, score, how = y[known], score[known], how.of(known)
    absent = [name for index, name in enumerate(classes) if not (y == index).any()]
    if absent:
        reason = f"no record of class {', '.join(absent)}"
        rows = [undefined(name, len(y), reason) for name in _OVER_CLASSES]
    else:
        rows = [resampled(name, y, score, how) for name in _OVER_CLASSES]
    rows.append(_accuracy(y, score, how))
    for index, name in enumerate(classes):
        own = (y == index).astype(np.float64)
        against_rest = binary_rows(own, score[:, index], resampling=how, metrics=("auc",))
        rows += [named(row, name) for row in against_rest]
    return rows


def _accuracy(y: NDArray[np.float64], score: NDArray[np.float64], how: Resampling) -> MetricRow:
    if len(y) == 0:
        return undefined("accuracy", 0, "there is no record")
    right = int((score.argmax(axis=1) == y).sum())
    low, high = wilson_interval(right, len(y), how.confidence)
    return MetricRow("accuracy", right / len(y), low, high, "Wilson", len(y))
