"""Metrics as plain functions of labels and scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cardionets_core.evaluate.statistics.checks import binary_labels, same_length, scores_of
from cardionets_core.evaluate.statistics.confusion import counts
from cardionets_core.evaluate.statistics.intervals import wilson_interval
from cardionets_core.evaluate.statistics.named import evaluate_metric


def auc(y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Area under the ROC curve, ties half; the mean over outputs, classes one against the rest.

    Args:
        y: Labels 0/1 (n,), class numbers (n,) with scores (n, classes), or 0/1/NaN (n, labels).
        score: Higher for cases, (n,) or (n, outputs).
        weight: How often each case counts, (n,).

    Raises:
        EvaluationError: If one class only is there.
    """
    return evaluate_metric("auc", y, score, weight=weight)


def accuracy(
    y: ArrayLike,
    score: ArrayLike,
    threshold: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> float:
    """Share of right answers; y, score and weight as in ``auc``.

    Args:
        y: Labels.
        score: Scores; a class is the one with the largest.
        threshold: Scores at or above it are positive; 0.5 by default.
        weight: How often each case counts.
    """
    return evaluate_metric("accuracy", y, score, threshold=threshold, weight=weight)


def balanced_accuracy(
    y: ArrayLike,
    score: ArrayLike,
    threshold: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> float:
    """Mean of sensitivity and specificity, or of the classes' sensitivities; as ``accuracy``.

    Raises:
        EvaluationError: If one class only is there.
    """
    return evaluate_metric("balanced_accuracy", y, score, threshold=threshold, weight=weight)


def sensitivity(
    y: ArrayLike,
    score: ArrayLike,
    threshold: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> float:
    """Share of cases found, as ``accuracy``; the mean over outputs; NaN without cases."""
    return evaluate_metric("sensitivity", y, score, threshold=threshold, weight=weight)


def specificity(
    y: ArrayLike,
    score: ArrayLike,
    threshold: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> float:
    """Share of controls spared, as ``accuracy``; the mean over outputs; NaN without controls."""
    return evaluate_metric("specificity", y, score, threshold=threshold, weight=weight)


def ppv(
    y: ArrayLike,
    score: ArrayLike,
    threshold: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> float:
    """Share of cases among the positive, as ``accuracy``; NaN where nobody is positive."""
    return evaluate_metric("ppv", y, score, threshold=threshold, weight=weight)


def npv(
    y: ArrayLike,
    score: ArrayLike,
    threshold: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> float:
    """Share of controls among the negative, as ``accuracy``; NaN where nobody is negative."""
    return evaluate_metric("npv", y, score, threshold=threshold, weight=weight)


def f1(
    y: ArrayLike,
    score: ArrayLike,
    threshold: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> float:
    """2 TP / (2 TP + FP + FN), as ``accuracy``; NaN without cases and positives."""
    return evaluate_metric("f1", y, score, threshold=threshold, weight=weight)


def cohen_kappa(
    y: ArrayLike,
    score: ArrayLike,
    threshold: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> float:
    """Agreement beyond chance, as ``accuracy``; NaN where everyone gets the same answer.

    Source: Cohen 1960.
    """
    return evaluate_metric("cohen_kappa", y, score, threshold=threshold, weight=weight)


def mean_average_precision(
    y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Average precision, tied scores at one rank; the mean over outputs; y and score as in ``auc``.

    Raises:
        EvaluationError: If one class only is there.
    """
    return evaluate_metric("map", y, score, weight=weight)


def brier(y: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Mean squared distance of probabilities to labels; summed over classes, averaged over labels.

    Raises:
        EvaluationError: If a score lies outside [0, 1].

    Source: Brier 1950.
    """
    return evaluate_metric("brier", y, probability, weight=weight)


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of cases with its Wilson interval; NaN throughout where n is 0."""

    value: float
    k: int
    n: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class BinaryMetrics:
    """What follows from the four counts at one threshold, with Wilson intervals of proportions."""

    tp: int
    fp: int
    tn: int
    fn: int
    sensitivity: Proportion
    specificity: Proportion
    ppv: Proportion
    npv: Proportion
    accuracy: Proportion
    f1: float
    balanced_accuracy: float
    cohen_kappa: float


def proportion(k: int, n: int, confidence: float = 0.95) -> Proportion:
    """Give k of n as a share with its Wilson interval.

    Source: Wilson 1927.
    """
    if n == 0:
        return Proportion(np.nan, k, n, np.nan, np.nan)
    low, high = wilson_interval(k, n, confidence)
    return Proportion(k / n, k, n, low, high)


def binary_metrics(
    y: ArrayLike, score: ArrayLike, threshold: ArrayLike | None = None, confidence: float = 0.95
) -> BinaryMetrics:
    """Counts and proportions of one output at a threshold.

    Args:
        y: Labels 0/1, (n,).
        score: (n,).
        threshold: Scores at or above it are positive: one number or one per case; 0.5 by default.
        confidence: Of the Wilson intervals.

    Raises:
        EvaluationError: If labels are not 0/1, or a score is not finite.
    """
    labels, scores = binary_labels(y), scores_of(score)
    same_length(y=labels, score=scores)
    table, _ = counts(labels.astype(np.float64), scores, threshold)
    tp, fp, fn, tn = (int(count) for count in table.sum(axis=(0, 2)))
    both = bool(labels.any() and not labels.all())
    return BinaryMetrics(
        tp=tp,
        fp=fp,
        tn=tn,
        fn=fn,
        sensitivity=proportion(tp, tp + fn, confidence),
        specificity=proportion(tn, tn + fp, confidence),
        ppv=proportion(tp, tp + fp, confidence),
        npv=proportion(tn, tn + fn, confidence),
        accuracy=proportion(tp + tn, len(labels), confidence),
        f1=f1(labels, scores, threshold),
        balanced_accuracy=balanced_accuracy(labels, scores, threshold) if both else np.nan,
        cohen_kappa=cohen_kappa(labels, scores, threshold),
    )
