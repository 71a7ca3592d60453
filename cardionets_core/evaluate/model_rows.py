"""Every metric of one model's scores, and the threshold they are decided at."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.binary_rows import BINARY_METRICS, DEFAULT_THRESHOLD, binary_rows
from cardionets_core.evaluate.class_rows import class_rows
from cardionets_core.evaluate.metric_rows import MetricRow, Resampling, undefined
from cardionets_core.evaluate.regression_rows import regression_rows
from cardionets_core.evaluate.scores import ScoreKind, Scores

METRICS_OF: Mapping[ScoreKind, tuple[str, ...]] = {
    "binary": BINARY_METRICS,
    "multiclass": ("auc", "map", "balanced_accuracy", "accuracy"),
    "regression": ("r2", "pearson", "mae", "rmse"),
}
_NO_THRESHOLD = "scores outside 0 to 1 need a threshold; give --threshold"


def threshold_of(
    scores: Scores, given: float | None = None
) -> tuple[NDArray[np.float64] | None, str]:
    """Threshold of each record, (n,), or None; and where it comes from.

    Args:
        scores: Of one model.
        given: By the user; else the file's own, else 0.5 where scores are probabilities.
    """
    n = len(scores.y)
    if scores.kind != "binary":
        return None, ""
    if given is not None:
        return np.full(n, given), "given"
    if scores.threshold is not None:
        return scores.threshold, "the file's own column 'threshold'"
    if scores.score.min() < 0 or scores.score.max() > 1:
        return None, _NO_THRESHOLD
    return np.full(n, DEFAULT_THRESHOLD), "the default, as none was given"


def model_rows(
    scores: Scores,
    threshold: NDArray[np.float64] | None,
    how: Resampling,
    metrics: tuple[str, ...] = (),
) -> list[MetricRow]:
    """Metrics of one model.

    Args:
        scores: Of the model.
        threshold: Of each record, (n,), or None where decisions cannot be made.
        how: How intervals are found.
        metrics: Which of ``METRICS_OF`` its kind; empty for all.

    Returns:
        A row per metric, and of several outputs a row per output for the first.
    """
    wanted = metrics or METRICS_OF[scores.kind]
    if scores.kind == "binary":
        y, score = scores.y[:, 0], scores.score[:, 0]
        found = binary_rows(y, score, threshold=threshold, resampling=how, metrics=wanted)
        rows = {row.name: row for row in found}
        return [rows.get(name) or undefined(name, len(y), _NO_THRESHOLD) for name in wanted]
    if scores.kind == "multiclass":
        rows_found = class_rows(scores.y[:, 0], scores.score, scores.outputs, how)
    else:
        rows_found = regression_rows(scores.y, scores.score, scores.outputs, how)
    return [row for row in rows_found if row.name.split("[", 1)[0] in wanted]
