"""Several classes that exclude each other: the confusion matrix, each class against the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics.checks import (
    Floats,
    label_table,
    numbers,
    same_length,
    scores_of,
)
from cardionets_core.evaluate.statistics.metrics import (
    BinaryMetrics,
    binary_metrics,
    mean_average_precision,
)

Average = Literal["macro", "micro", "weighted"]


def confusion_matrix(y: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """How often each true class (rows) was taken for each class (columns), (classes, classes).

    Args:
        y: True class numbers, (n,).
        predicted: Class numbers, (n,), or scores (n, classes), of which the largest decides.
        classes: How many there are.

    Raises:
        EvaluationError: If a class number is not one of 0 to classes - 1.
    """
    truth, found = numbers(y, "y"), scores_of(predicted, "predicted")
    guess = found.argmax(axis=1).astype(np.float64) if found.ndim == 2 else found
    same_length(y=truth, predicted=guess)
    for name, values in (("y", truth), ("predicted", guess)):
        if not np.isin(values, np.arange(classes)).all():
            raise EvaluationError(f"{name}: not all are class numbers from 0 to {classes - 1}")
    flat = (truth * classes + guess).astype(np.int64)
    return np.bincount(flat, minlength=classes**2).reshape(classes, classes)


def one_vs_rest(
    y: ArrayLike, score: ArrayLike, *, by: Literal["argmax", "threshold"] = "argmax"
) -> Sequence[BinaryMetrics]:
    """Each class against the rest.

    Args:
        y: Class numbers, (n,).
        score: (n, classes).
        by: Whether a class is called where its score is the largest, or where it is at least 0.5.

    Returns:
        The metrics of each class.
    """
    truth, scores = _classes(y, score)
    if by == "argmax":
        scores = (scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1])).astype(np.float64)
    return [binary_metrics(t, s) for t, s in zip(truth.T, scores.T, strict=True)]


def average_precision_of_classes(
    y: ArrayLike, score: ArrayLike, average: Average = "macro"
) -> float:
    """Average precision of each class against the rest, put together.

    Args:
        y: Class numbers, (n,).
        score: (n, classes).
        average: ``macro``: the plain mean. ``weighted``: by the classes' cases. ``micro``: all
            pairs of case and class as one list.

    Raises:
        EvaluationError: If a class is not there.
    """
    truth, scores = _classes(y, score)
    if average == "micro":
        return mean_average_precision(truth.ravel(), scores.ravel())
    pairs = zip(truth.T, scores.T, strict=True)
    weights = truth.sum(axis=0) if average == "weighted" else None
    return float(np.average([mean_average_precision(*pair) for pair in pairs], weights=weights))


def _classes(y: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    truth, scores = numbers(y, "y"), scores_of(score)
    same_length(y=truth, score=scores)
    if truth.ndim != 1 or scores.ndim != 2:
        raise EvaluationError(
            f"y {truth.shape} and scores {scores.shape}; give class numbers (n,) and scores "
            "(n, classes)"
        )
    return label_table(truth, scores.shape[1])[0], scores
