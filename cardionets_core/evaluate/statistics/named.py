"""The metrics by name, and how a name or a function of the user's becomes a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics import confusion, continuous
from cardionets_core.evaluate.statistics.checks import (
    Floats,
    Index,
    both_classes,
    label_table,
    numbers,
    same_length,
    scores_of,
)
from cardionets_core.evaluate.statistics.ranked import pooled_exchange, ranked_sample
from cardionets_core.evaluate.statistics.samples import Exchanged, Sample, Weighted

# (y, score, weight) -> value; weight (n,) is how often each case counts.
MetricFunction = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that the resampling engines know.

    Attributes:
        name: In code and in tables.
        sample: y, score and threshold, encoded.
        target: What kind of y it takes.
        thresholded: Whether it looks at a threshold.
        needs_both_classes: It means nothing where a label has one value only.
        better: Which way is better.
    """

    name: str
    sample: Callable[[Floats, Floats, ArrayLike | None], Sample]
    target: Literal["labels", "values"] = "labels"
    thresholded: bool = False
    needs_both_classes: bool = False
    better: Literal["higher", "lower"] = "higher"


def _thresholded(name: str) -> Metric:
    return Metric(
        name,
        partial(confusion.confusion_sample, name),
        thresholded=True,
        needs_both_classes=name == "balanced_accuracy",
    )


def _continuous(name: str) -> Metric:
    return Metric(
        name,
        lambda y, score, _: continuous.continuous_sample(name, y, score),
        target="values",
        better="lower" if name in {"mae", "rmse"} else "higher",
    )


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("auc", lambda y, s, _: ranked_sample("auc", y, s), needs_both_classes=True),
        Metric("map", lambda y, s, _: ranked_sample("map", y, s), needs_both_classes=True),
        *map(_thresholded, confusion.FORMULAS),
        Metric("brier", lambda y, s, _: continuous.brier_sample(y, s), better="lower"),
        *map(_continuous, continuous.FORMULAS),
    )
}


def metric_of(name: str) -> Metric:
    """The metric of that name.

    Raises:
        EvaluationError: If there is none.
    """
    if name not in METRICS:
        raise EvaluationError(f"no metric {name!r}; there are {', '.join(METRICS)}")
    return METRICS[name]


@dataclass(frozen=True, slots=True, eq=False)
class Called:
    """Cases for a metric that is a function: it is called once per resample."""

    y: Floats
    score: Floats
    metric: MetricFunction

    def take(self, rows: Index) -> Self:
        """Some of the cases."""
        return type(self)(self.y[rows], self.score[rows], self.metric)

    def weighted(self) -> Weighted:
        """The metric as a function of weights, one row after the other."""

        def values(weights: NDArray[Any]) -> Floats:
            found = [float(self.metric(self.y, self.score, row)) for row in weights]
            return np.array(found, dtype=np.float64)

        return values

    def exchanged(self, other: Self) -> Exchanged:
        """The difference as a function of exchanges, on the rows of both models together."""
        y, score = np.concatenate([self.y, other.y]), np.concatenate([self.score, other.score])
        return pooled_exchange(type(self)(y, score, self.metric).weighted())


def sample_of(
    metric: str | MetricFunction, y: Floats, score: Floats, threshold: ArrayLike | None
) -> Sample:
    """Cases encoded for a metric.

    Raises:
        EvaluationError: If the name is unknown or the arrays do not fit the metric.
    """
    if isinstance(metric, str):
        return metric_of(metric).sample(y, score, threshold)
    if threshold is not None:
        raise EvaluationError(
            "a threshold does not reach a metric that is a function; bind it there"
        )
    return Called(y, score, metric)


def check_labels(metric: str | MetricFunction, y: Floats, score: Floats, where: str = "") -> None:
    """Refuse labels that a metric means nothing for.

    Raises:
        EvaluationError: If y holds NaN where it must not, or a label has one class only.
    """
    if y.ndim == 1 and np.isnan(y).any():
        raise EvaluationError(
            f"y: {int(np.isnan(y).sum())} of {len(y)} values are NaN{where}; leave these cases out"
        )
    if not isinstance(metric, str) or not metric_of(metric).needs_both_classes:
        return
    table, _ = label_table(y, score.shape[1] if score.ndim == 2 else 1)
    for output, column in enumerate(table.T):
        named = f" for output {output}{where}" if table.shape[1] > 1 else where
        both_classes(column[~np.isnan(column)] == 1, named)


def _weights(values: ArrayLike) -> Floats:
    weights = scores_of(values, "weight")
    if weights.ndim != 1 or weights.min() < 0 or weights.max() == 0:
        raise EvaluationError(
            f"weight: shape {weights.shape}, from {weights.min():g} to {weights.max():g}; "
            "give how often each case counts, (n,), none below 0 and not all 0"
        )
    return weights


def evaluate_metric(
    metric: str | MetricFunction,
    y: ArrayLike,
    score: ArrayLike,
    *,
    threshold: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> float:
    """One metric on all cases.

    Args:
        metric: A name in ``METRICS`` or a function of y, score and weight.
        y: Labels 0/1 (n,), class numbers (n,) with scores (n, classes), labels 0/1/NaN
            (n, outputs), or values (n,) or (n, outputs).
        score: (n,) or (n, outputs).
        threshold: As ``predictions`` takes it.
        weight: How often each case counts, (n,); None means once.

    Returns:
        The metric; the mean over outputs; NaN where it is 0/0.

    Raises:
        EvaluationError: If the arrays do not fit the metric, or one class only is there.
    """
    truth, found = numbers(y, "y"), scores_of(score)
    times = None if weight is None else _weights(weight)
    same_length(y=truth, score=found, weight=times)
    counted = slice(None) if times is None else times > 0
    check_labels(metric, truth[counted], found[counted])
    weights = np.ones(len(truth)) if times is None else times
    return float(sample_of(metric, truth, found, threshold).weighted()(weights[None])[0])
