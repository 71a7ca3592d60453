"""How alike drawn cines are to the true ones, as metrics with intervals over subjects."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.cmr.image_metrics import DEFAULT_METRICS, ImageMetricOptions, cine_metrics
from cardionets_core.evaluate.metric_rows import MetricRow
from cardionets_core.evaluate.statistics import bootstrap_ci

_RESAMPLES = 2000


def cine_rows(
    drawn: ArrayLike, truth: ArrayLike, options: ImageMetricOptions = DEFAULT_METRICS
) -> list[MetricRow]:
    """SSIM, PSNR, MAE and RMSE of cines against their truth, means over subjects.

    Args:
        drawn: (n, T, H, W) in [-1, 1], one per subject.
        truth: Likewise.
        options: Parameters of the metrics.
    """
    found = cine_metrics(drawn, truth, options)
    return [
        mean_row(name, getattr(found, name), note=options.describe())
        for name in ("ssim", "psnr", "mae", "rmse")
    ]


def mean_row(name: str, values: NDArray[np.float64], *, note: str = "") -> MetricRow:
    """A mean over subjects with its bootstrap interval.

    Args:
        name: Of the metric.
        values: One per subject, (n,).
        note: For the row.
    """
    found = bootstrap_ci(_mean, values, values, resamples=_RESAMPLES, stratified=False)
    return MetricRow(
        name, found.estimate, found.low, found.high, "bootstrap", len(values), note=note
    )


def _mean(values: NDArray[Any], _: NDArray[Any], weight: NDArray[Any]) -> float:
    return float(np.average(values, weights=weight))
