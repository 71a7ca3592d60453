"""DeLong's interval and paired test of areas under ROC curves, in O(n log n)."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics.checks import (
    Floats,
    StatisticsWarning,
    binary_labels,
    both_classes,
    same_length,
    scores_of,
)
from cardionets_core.evaluate.statistics.intervals import Interval, normal_quantile


@dataclass(frozen=True, slots=True)
class DelongTest:
    """A paired comparison of two AUCs on the same cases.

    Attributes:
        auc_a: Of the first model.
        auc_b: Of the second.
        variance_a: Of the first AUC.
        variance_b: Of the second.
        covariance: Of both.
        difference: First minus second.
        low: Lower limit of the difference.
        high: Upper limit.
        z: Difference over its standard error; 0 where both are 0.
        p: Two-sided.
    """

    auc_a: float
    auc_b: float
    variance_a: float
    variance_b: float
    covariance: float
    difference: float
    low: float
    high: float
    z: float
    p: float


def delong_ci(y: ArrayLike, score: ArrayLike, confidence: float = 0.95) -> Interval:
    """AUC with DeLong's normal interval, cut to [0, 1].

    Args:
        y: Labels 0/1, (n,).
        score: Higher for cases, (n,).
        confidence: Between 0 and 1.

    Returns:
        The interval; where its variance is 0 (an AUC of 1 or 0) both limits are the AUC, with a
        ``StatisticsWarning``.

    Raises:
        EvaluationError: If one class only is there, or a score is not finite.
        ValueError: If confidence is outside (0, 1).

    Source: DeLong et al. 1988; Sun and Xu 2014.
    """
    reach = normal_quantile(confidence)
    labels, scores = _checked(y, score=score)
    auc, covariance = _aucs(labels, scores)
    estimate, variance = float(auc[0]), float(covariance[0, 0])
    if variance == 0:
        warnings.warn(
            f"AUC of {estimate:g}: DeLong's variance is 0 and the interval has no width, which "
            "says nothing about other cases",
            StatisticsWarning,
            stacklevel=2,
        )
    half = reach * math.sqrt(variance)
    low, high = max(0.0, estimate - half), min(1.0, estimate + half)
    return Interval(estimate, low, high, confidence)


def delong_test(
    y: ArrayLike, score_a: ArrayLike, score_b: ArrayLike, confidence: float = 0.95
) -> DelongTest:
    """Whether two models' AUCs on the same cases differ.

    Args:
        y: Labels 0/1, (n,).
        score_a: Scores of the first model, (n,); scales may differ.
        score_b: Scores of the second, (n,).
        confidence: Of the interval of the difference.

    Raises:
        EvaluationError: If one class only is there, or a score is not finite.
        ValueError: If confidence is outside (0, 1).

    Source: DeLong et al. 1988; Sun and Xu 2014.
    """
    reach = normal_quantile(confidence)
    labels, scores = _checked(y, score_a=score_a, score_b=score_b)
    (auc_a, auc_b), covariance = _aucs(labels, scores)
    difference = float(auc_a - auc_b)
    error = math.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]))
    z = _standardised(difference, error)
    return DelongTest(
        auc_a=float(auc_a),
        auc_b=float(auc_b),
        variance_a=float(covariance[0, 0]),
        variance_b=float(covariance[1, 1]),
        covariance=float(covariance[0, 1]),
        difference=difference,
        low=difference - reach * error,
        high=difference + reach * error,
        z=z,
        p=math.erfc(abs(z) / math.sqrt(2)),
    )


def _standardised(difference: float, error: float) -> float:
    """z; 0 for no difference, as pROC has it, and infinite for one without error."""
    if error > 0:
        return difference / error
    return 0.0 if difference == 0 else math.copysign(math.inf, difference)


def _checked(y: ArrayLike, **scores: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    """Labels (n,) and scores (models, n)."""
    labels = binary_labels(y)
    found = {name: scores_of(values, name) for name, values in scores.items()}
    for name, values in found.items():
        if values.ndim != 1:
            raise EvaluationError(
                f"{name}: {values.shape[1]} columns; give the scores of one output"
            )
    same_length(y=labels, **found)
    both_classes(labels)
    rarer = min(int(labels.sum()), int((~labels).sum()))
    if rarer < 2:
        raise EvaluationError(
            f"{int(labels.sum())} cases and {int((~labels).sum())} controls, but DeLong's variance "
            "needs two of each; use the bootstrap, or more cases"
        )
    return labels, np.stack(list(found.values()))


def _aucs(labels: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """AUCs (models,) and their covariance (models, models).

    A case's placement is the share of controls it outranks: its rank among all less its rank among
    the cases. The covariance is that of placements of cases and of controls, each over its number.
    """
    cases, controls = scores[:, labels], scores[:, ~labels]
    m, n = cases.shape[1], controls.shape[1]
    ranks = rankdata(scores, axis=1)
    of_cases = (ranks[:, labels] - rankdata(cases, axis=1)) / n
    of_controls = 1 - (ranks[:, ~labels] - rankdata(controls, axis=1)) / m
    auc = of_cases.mean(axis=1)
    covariance = _covariance(of_cases) / m + _covariance(of_controls) / n
    return auc, covariance


def _covariance(placements: Floats) -> Floats:
    """Covariance of rows, with n - 1."""
    centred = placements - placements.mean(axis=1, keepdims=True)
    return centred @ centred.T / (placements.shape[1] - 1)
