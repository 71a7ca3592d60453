"""Metrics of thresholded scores, from the counts of hits and misses per output."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics.checks import Floats, label_table
from cardionets_core.evaluate.statistics.moments import Moments
from cardionets_core.evaluate.statistics.samples import ratio

DEFAULT_THRESHOLD = 0.5

# Counts tp, fp, fn, tn, each (..., outputs), to values per output.
Formula = Callable[[Floats, Floats, Floats, Floats], Floats]


def predictions(
    score: Floats, threshold: ArrayLike | None, *, exclusive: bool
) -> NDArray[np.bool_]:
    """Which outputs are predicted positive.

    Args:
        score: (n, outputs).
        threshold: Scores at or above it are positive: one number, one per output, one per case
            (n,) where there is one output, or (n, outputs). None means 0.5, and the largest score
            where outputs exclude each other.
        exclusive: Exactly one output is true.

    Returns:
        (n, outputs).

    Raises:
        EvaluationError: If the threshold is NaN, does not fit the scores, or is given for classes.
    """
    if exclusive:
        if threshold is not None:
            raise EvaluationError(
                "a threshold was given for scores of several classes, which the largest decides; "
                "leave it out, or evaluate one class against the rest"
            )
        return score.argmax(axis=1)[:, None] == np.arange(score.shape[1])
    limit = np.asarray(DEFAULT_THRESHOLD if threshold is None else threshold, dtype=np.float64)
    if limit.ndim == 1 and score.shape[1] == 1:
        limit = limit[:, None]
    if np.isnan(limit).any():
        raise EvaluationError(
            "the threshold is NaN; take one from the inner split, or leave it out"
        )
    try:
        limits = np.broadcast_to(limit, score.shape)
    except ValueError as error:
        raise EvaluationError(
            f"thresholds of shape {limit.shape} do not fit scores {score.shape}; give one number, "
            "one per output or one per score"
        ) from error
    return score >= limits


def counts(y: Floats, score: Floats, threshold: ArrayLike | None) -> tuple[Floats, bool]:
    """Hits and misses of each case.

    Args:
        y: Labels as ``label_table`` takes them.
        score: (n,) or (n, outputs).
        threshold: As ``predictions`` takes it.

    Returns:
        (n, 4, outputs) of 0/1: true positive, false positive, false negative, true negative, all 0
        where the label is unknown; and whether the outputs exclude each other.
    """
    table = score if score.ndim == 2 else score[:, None]
    truth, exclusive = label_table(y, table.shape[1])
    positive = predictions(table, threshold, exclusive=exclusive)
    case, control = truth == 1, truth == 0
    cells = (case & positive, control & positive, case & ~positive, control & ~positive)
    return np.stack(cells, axis=1).astype(np.float64), exclusive


def _sensitivity(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    return ratio(tp, tp + fn)


def _specificity(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    return ratio(tn, tn + fp)


def _ppv(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    return ratio(tp, tp + fp)


def _npv(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    return ratio(tn, tn + fn)


def _f1(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    return ratio(2 * tp, 2 * tp + fp + fn)


def _accuracy(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    return ratio(tp + tn, tp + fp + fn + tn)


def _balanced_accuracy(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    return (_sensitivity(tp, fp, fn, tn) + _specificity(tp, fp, fn, tn)) / 2


def _cohen_kappa(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    total = tp + fp + fn + tn
    observed = ratio(tp + tn, total)
    chance = ratio((tp + fp) * (tp + fn) + (tn + fn) * (tn + fp), total**2)
    kappa = ratio(observed - chance, 1 - chance)
    # Whoever gives everyone the same answer agrees or disagrees by no skill of his own.
    constant = ((tp + fp) == 0) | ((tn + fn) == 0)
    return np.where(constant, np.nan, kappa)


def _share_of_right_classes(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    right, cases = tp.sum(axis=-1, keepdims=True), (tp + fn).sum(axis=-1, keepdims=True)
    return ratio(right, cases)


FORMULAS: Mapping[str, Formula] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "sensitivity": _sensitivity,
    "specificity": _specificity,
    "ppv": _ppv,
    "npv": _npv,
    "f1": _f1,
    "cohen_kappa": _cohen_kappa,
}
# Among classes that exclude each other these two are not means over one-against-the-rest.
OF_CLASSES: Mapping[str, Formula] = {
    "accuracy": _share_of_right_classes,
    "balanced_accuracy": _sensitivity,
}


def confusion_sample(
    name: str, y: Floats, score: Floats, threshold: ArrayLike | None = None
) -> Moments:
    """Cases encoded for the metric of that name in ``FORMULAS``; the mean over outputs."""
    features, exclusive = counts(y, score, threshold)
    formula = OF_CLASSES.get(name, FORMULAS[name]) if exclusive else FORMULAS[name]

    def value(sums: Floats) -> Floats:
        tp, fp, fn, tn = np.moveaxis(sums, -2, 0)
        return formula(tp, fp, fn, tn).mean(axis=-1)

    return Moments(features, value)
