"""The loss of a prediction on each subject, and how far two models' losses lie apart."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.metric_rows import MetricRow, defined_or_reason, undefined
from cardionets_core.evaluate.scores import Scores
from cardionets_core.evaluate.statistics import cohens_d

# A probability of 0 for what then happens would be an infinite loss.
_NEAREST_TO_CERTAIN = 1e-7
# Differences that vary by less, relative to the losses, are equal but for rounding.
_ROUNDING = 1e-12


def loss_name(scores: Scores) -> str:
    """What is averaged per subject."""
    if scores.kind != "regression":
        return "log loss"
    return "squared error" + " in SDs of each target" * (scores.y.shape[1] > 1)


def effect_of_loss(a: Scores, b: Scores | None, people: NDArray[np.str_]) -> tuple[MetricRow, ...]:
    """Mean loss per subject of each model, and Cohen's d_z of B's minus A's.

    Args:
        a: Scores of A.
        b: Scores of B in A's order, or None.
        people: Subject of each record; a subject's loss is the mean over its records.

    Returns:
        Rows ``loss_a`` and, with B, ``loss_b`` and ``d_z``; d_z is positive where A's is smaller.
    """
    names = ("loss_a", "loss_b")
    models = [a] if b is None else [a, b]
    count = len(np.unique(people))
    losses: list[NDArray[np.float64]] = []
    rows: list[MetricRow] = []
    for name, model in zip(names, models, strict=False):
        try:
            loss = _per_subject(_losses(model), people)
        except EvaluationError as error:
            rows.append(undefined(name, count, str(error)))
            continue
        losses.append(loss)
        rows.append(MetricRow(name, float(loss.mean()), n=count))
    if b is None:
        return tuple(rows)
    if len(losses) < len(models):
        return (*rows, undefined("d_z", count, "a model has no such loss"))
    return (*rows, defined_or_reason("d_z", count, lambda: _effect(*losses)))


def paired_effect(loss_a: NDArray[np.float64], loss_b: NDArray[np.float64]) -> float:
    """Cohen's d_z of the loss of B minus that of A; NaN where they differ but by rounding alone.

    Args:
        loss_a: Loss of A on each subject, (n,).
        loss_b: Loss of B on the same subjects, (n,).

    Raises:
        EvaluationError: If there are too few subjects, or a loss is not finite.

    Source: Lakens 2013.
    """
    d_z = cohens_d(loss_b, loss_a, paired=True)
    # Rounding is relative to what is subtracted, not to what is left of it.
    largest = max(np.abs(loss_a).max(), np.abs(loss_b).max())
    if not math.isfinite(d_z) or np.ptp(loss_b - loss_a) <= _ROUNDING * largest:
        return math.nan
    return d_z


def _effect(loss_a: NDArray[np.float64], loss_b: NDArray[np.float64]) -> MetricRow:
    d_z = paired_effect(loss_a, loss_b)
    if math.isnan(d_z):
        return undefined("d_z", len(loss_a), "the losses differ by the same in every subject")
    return MetricRow("d_z", d_z, n=len(loss_a))


def _losses(model: Scores) -> NDArray[np.float64]:
    """Loss of each record, (n,)."""
    if model.kind == "regression":
        # A single quantity keeps its unit; several have none in common.
        unit = np.nanstd(model.y, axis=0) if model.y.shape[1] > 1 else np.ones(1)
        errors = ((model.score - model.y) / unit) ** 2
        return np.asarray(np.nanmean(errors, axis=1), dtype=np.float64)
    if model.score.min() < 0 or model.score.max() > 1:
        raise EvaluationError(
            f"scores from {model.score.min():.3g} to {model.score.max():.3g} are no probabilities"
        )
    truth = model.y[:, 0].astype(np.intp)
    of_truth = (
        np.where(truth == 1, model.score[:, 0], 1 - model.score[:, 0])
        if model.kind == "binary"
        else model.score[np.arange(len(truth)), truth]
    )
    return -np.log(np.clip(of_truth, _NEAREST_TO_CERTAIN, 1 - _NEAREST_TO_CERTAIN))


def _per_subject(losses: NDArray[np.float64], people: NDArray[np.str_]) -> NDArray[np.float64]:
    _, person = np.unique(people, return_inverse=True)
    return np.bincount(person, weights=losses) / np.bincount(person)
