"""Metrics of continuous outputs, from sums over cases; unknown values (NaN) are left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics.checks import Floats, label_table
from cardionets_core.evaluate.statistics.moments import Moments
from cardionets_core.evaluate.statistics.samples import ratio

# A sum of squares this small beside the one it was taken from is rounding.
ROUNDING = 1e-13

# Sums over cases, each (..., outputs), to values per output.
Formula = Callable[..., Floats]


def _left_over(squares: Floats, total: Floats, count: Floats) -> Floats:
    """Sum of squares about the mean; 0 where only rounding is left."""
    rest = squares - ratio(total**2, count)
    return np.where(rest <= ROUNDING * squares, 0.0, rest)


def _r2(count: Floats, total: Floats, squares: Floats, error: Floats) -> Floats:
    spread = _left_over(squares, total, count)
    # As scikit-learn: a truth without spread is met exactly or not at all.
    without_spread = np.where(error == 0, 1.0, 0.0)
    explained = 1 - ratio(error, spread)
    return np.where(count == 0, np.nan, np.where(spread == 0, without_spread, explained))


def _pearson(
    count: Floats, y: Floats, yy: Floats, score: Floats, score2: Floats, product: Floats
) -> Floats:
    spread = _left_over(yy, y, count) * _left_over(score2, score, count)
    correlation = ratio(product - ratio(y * score, count), np.sqrt(spread))
    return np.clip(correlation, -1.0, 1.0)


def _mean(count: Floats, total: Floats) -> Floats:
    return ratio(total, count)


def _root_mean(count: Floats, total: Floats) -> Floats:
    return np.sqrt(ratio(total, count))


def _centre(y: Floats, known: Floats) -> Floats:
    """Mean of the known truth, (outputs,); about it, sums of squares lose few digits."""
    return ratio(np.where(known > 0, y, 0.0).sum(axis=0), known.sum(axis=0))


def _about_centre(y: Floats, known: Floats) -> Floats:
    """The truth about its mean, 0 where unknown, and all 0 where only rounding is left."""
    centred = np.where(known > 0, y - _centre(y, known), 0.0)
    largest = np.where(known > 0, np.abs(y), 0.0).max(axis=0)
    return np.where(np.abs(centred).max(axis=0) <= ROUNDING * largest, 0.0, centred)


def _r2_features(y: Floats, score: Floats, known: Floats) -> tuple[Floats, ...]:
    centred = _about_centre(y, known)
    return known, centred, centred**2, np.where(known > 0, score - y, 0.0) ** 2


def _pearson_features(y: Floats, score: Floats, known: Floats) -> tuple[Floats, ...]:
    # Both models' predictions about one number: exchanged sums have to mean the same.
    left, right = _about_centre(y, known), np.where(known > 0, score - _centre(y, known), 0.0)
    return known, left, left**2, right, right**2, left * right


def _absolute_features(y: Floats, score: Floats, known: Floats) -> tuple[Floats, ...]:
    return known, np.where(known > 0, np.abs(score - y), 0.0)


def _squared_features(y: Floats, score: Floats, known: Floats) -> tuple[Floats, ...]:
    return known, np.where(known > 0, score - y, 0.0) ** 2


FORMULAS: Mapping[str, tuple[Callable[[Floats, Floats, Floats], tuple[Floats, ...]], Formula]] = {
    "r2": (_r2_features, _r2),
    "pearson": (_pearson_features, _pearson),
    "mae": (_absolute_features, _mean),
    "rmse": (_squared_features, _root_mean),
}


def continuous_sample(name: str, y: Floats, score: Floats) -> Moments:
    """Cases encoded for the metric of that name in ``FORMULAS``; the mean over outputs.

    Args:
        name: Of the metric.
        y: Truth, (n,) or (n, outputs), NaN where unknown.
        score: Predictions of the same shape.

    Raises:
        EvaluationError: If shapes differ.
    """
    if y.shape != score.shape:
        raise EvaluationError(
            f"y has shape {y.shape} and the predictions {score.shape}; "
            "give one prediction per value"
        )
    truth, guess = (v if v.ndim == 2 else v[:, None] for v in (y, score))
    features_of, formula = FORMULAS[name]
    known = (~np.isnan(truth)).astype(np.float64)
    features = np.stack(features_of(truth, guess, known), axis=1)
    return Moments(features, lambda sums: formula(*np.moveaxis(sums, -2, 0)).mean(axis=-1))


def brier_sample(y: Floats, score: Floats) -> Moments:
    """Squared distances of probabilities to labels, encoded; classes are summed, labels averaged.

    Raises:
        EvaluationError: If a score is no probability.
    """
    table = score if score.ndim == 2 else score[:, None]
    if ((table < 0) | (table > 1)).any():
        raise EvaluationError(
            f"scores from {table.min():g} to {table.max():g} are no probabilities; "
            "turn them into probabilities (sigmoid or softmax) first"
        )
    truth, exclusive = label_table(y, table.shape[1])
    known = (~np.isnan(truth)).astype(np.float64)
    features = np.stack(_squared_features(truth, table, known), axis=1)
    together = np.sum if exclusive else np.mean
    return Moments(features, lambda sums: together(_mean(*np.moveaxis(sums, -2, 0)), axis=-1))
