"""Whether probabilities are as high as the shares they foretell."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics.checks import (
    Floats,
    StatisticsWarning,
    binary_labels,
    both_classes,
    numbers,
    same_length,
    scores_of,
)
from cardionets_core.evaluate.statistics.intervals import wilson_interval

# Probabilities of 0 and 1 have no logit; float32 cannot tell them from these.
NEAREST_TO_CERTAIN = 1e-7
NEWTON_STEPS = 100


def calibration_slope(
    y: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Slope of a logistic regression of the labels on the logits; 1 is right, less is overfitted.

    Args:
        y: Labels 0/1, (n,).
        probability: (n,), kept 1e-7 away from 0 and 1.
        weight: How often each case counts, (n,).

    Returns:
        The slope; infinite, with a ``StatisticsWarning``, where a threshold parts the classes; NaN
        where all probabilities are equal.

    Raises:
        EvaluationError: If one class only is there, or a score is no probability.

    Source: Cox 1958; Van Calster et al. 2019.
    """
    labels, logits, times = _logits(y, probability, weight)
    cases, controls = logits[labels], logits[~labels]
    if logits.min() == logits.max():
        return math.nan
    for sign, low, high in ((1, controls, cases), (-1, cases, controls)):
        if low.max() <= high.min():
            warnings.warn(
                "a threshold parts cases from controls: the calibration slope has no finite value",
                StatisticsWarning,
                stacklevel=2,
            )
            return sign * math.inf
    design = np.stack([np.ones_like(logits), logits], axis=1)
    return float(_logistic_regression(labels, design, np.zeros_like(logits), times)[1])


def calibration_intercept(
    y: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Calibration in the large: what to add to all logits so that their mean risk is the share.

    Args:
        y: Labels 0/1, (n,).
        probability: (n,), kept 1e-7 away from 0 and 1.
        weight: How often each case counts, (n,).

    Returns:
        The intercept of a logistic regression whose slope is held at 1; 0 is right, below 0 the
        probabilities are too high.

    Raises:
        EvaluationError: If one class only is there, or a score is no probability.

    Source: Cox 1958; Van Calster et al. 2019.
    """
    labels, logits, times = _logits(y, probability, weight)
    design = np.ones((len(logits), 1))
    return float(_logistic_regression(labels, design, logits, times)[0])


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityBins:
    """Probabilities in bins beside the shares of cases in them; empty bins are left out.

    Attributes:
        predicted: Mean probability of each bin, (bins,).
        observed: Share of cases.
        low: Lower Wilson limit of the share.
        high: Upper Wilson limit.
        counts: Records in each bin.
    """

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    counts: NDArray[np.int64]


def reliability_bins(
    y: ArrayLike,
    probability: ArrayLike,
    *,
    bins: int = 10,
    strategy: Literal["uniform", "quantile"] = "uniform",
    confidence: float = 0.95,
) -> ReliabilityBins:
    """What a calibration plot shows.

    Args:
        y: Labels 0/1, (n,).
        probability: (n,).
        bins: How many; quantile bins with equal edges become one.
        strategy: Edges at equal distances in [0, 1], or at quantiles of the probabilities.
        confidence: Of the Wilson limits.

    Raises:
        EvaluationError: If labels are not 0/1, or a score is no probability.
        ValueError: If bins is below 1.
    """
    if bins < 1:
        raise ValueError(f"bins = {bins}: at least one is needed")
    labels, found = binary_labels(y), _probabilities(probability)
    same_length(y=labels, probability=found)
    edges = np.linspace(0, 1, bins + 1)
    if strategy == "quantile":
        edges = np.unique(np.quantile(found, edges))
    number = np.searchsorted(edges[1:-1], found, side="right")
    size = np.bincount(number)
    used = size > 0
    cases = np.bincount(number, weights=labels)[used]
    counts = size[used]
    limits = [
        wilson_interval(float(k), int(n), confidence) for k, n in zip(cases, counts, strict=True)
    ]
    low, high = np.array(limits).T
    mean = np.bincount(number, weights=found)[used] / counts
    return ReliabilityBins(mean, cases / counts, low, high, counts.astype(np.int64))


def _probabilities(values: ArrayLike) -> Floats:
    found = scores_of(values, "probability")
    if found.ndim != 1:
        raise EvaluationError(f"probability: {found.shape[1]} columns; give those of one output")
    if found.min() < 0 or found.max() > 1:
        raise EvaluationError(
            f"scores from {found.min():g} to {found.max():g} are no probabilities; "
            "turn them into probabilities (sigmoid) first"
        )
    return found


def _logits(
    y: ArrayLike, probability: ArrayLike, weight: ArrayLike | None
) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Labels, logits and weights of the cases that count."""
    labels, found = binary_labels(y), _probabilities(probability)
    times = np.ones(len(labels)) if weight is None else numbers(weight, "weight")
    same_length(y=labels, probability=found, weight=times)
    counted = times > 0
    both_classes(labels[counted])
    kept = np.clip(found[counted], NEAREST_TO_CERTAIN, 1 - NEAREST_TO_CERTAIN)
    return labels[counted], np.log(kept / (1 - kept)), times[counted]


def _logistic_regression(
    labels: NDArray[np.bool_], design: Floats, offset: Floats, times: Floats
) -> Floats:
    """Coefficients of greatest likelihood, (columns,), by Newton's method with halved steps."""

    def loss(coefficients: Floats) -> float:
        risk = design @ coefficients + offset
        return float(times @ (np.logaddexp(0, risk) - labels * risk))

    coefficients = np.zeros(design.shape[1])
    now = loss(coefficients)
    for _ in range(NEWTON_STEPS):
        risk = 1 / (1 + np.exp(-(design @ coefficients + offset)))
        gradient = design.T @ (times * (labels - risk))
        curvature = (design * (times * risk * (1 - risk))[:, None]).T @ design
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        while (then := loss(coefficients + step)) > now and np.abs(step).max() > 1e-12:
            step = step / 2
        coefficients, now = coefficients + step, then
        if np.abs(step).max() <= 1e-12 * max(1.0, np.abs(coefficients).max()):
            return coefficients
    raise EvaluationError(
        "the calibration could not be fitted; see whether the probabilities are all near 0 or 1"
    )
