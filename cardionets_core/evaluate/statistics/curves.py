"""The ROC curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics.checks import (
    Floats,
    binary_labels,
    both_classes,
    same_length,
    scores_of,
)


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """Points of an ROC curve from (0, 0) to (1, 1), one per distinct score.

    Attributes:
        false_positive_rate: 1 - specificity, ascending, (points,).
        sensitivity: (points,).
        thresholds: Scores at or above are positive; infinite first.
    """

    false_positive_rate: Floats
    sensitivity: Floats
    thresholds: Floats


def roc_curve(y: ArrayLike, score: ArrayLike) -> RocCurve:
    """Sensitivity over false positive rate at every distinct score.

    Args:
        y: Labels 0/1, (n,).
        score: Higher for cases, (n,).

    Raises:
        EvaluationError: If one class only is there, or a score is not finite.
    """
    labels, scores = binary_labels(y), scores_of(score)
    if scores.ndim != 1:
        raise EvaluationError(f"score: {scores.shape[1]} columns; give the scores of one output")
    same_length(y=labels, score=scores)
    both_classes(labels)
    distinct, place = np.unique(-scores, return_inverse=True)
    cases = np.bincount(place[labels], minlength=len(distinct))
    controls = np.bincount(place[~labels], minlength=len(distinct))
    return RocCurve(
        false_positive_rate=np.r_[0.0, controls.cumsum() / controls.sum()],
        sensitivity=np.r_[0.0, cases.cumsum() / cases.sum()],
        thresholds=np.r_[np.inf, -distinct],
    )
