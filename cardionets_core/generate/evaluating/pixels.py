"""Generated cines against the paired truth: SSIM, PSNR, MAE and RMSE of every test record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cmr.image_metrics import DEFAULT_METRICS, CineMetrics, cine_metrics
from cardionets_core.generate.evaluating.cines import RealCines, blocks

METRICS = ("ssim", "psnr", "mae", "rmse")
BETTER_LOWER = ("mae", "rmse")
PARAMETERS = DEFAULT_METRICS.describe()
Floats = NDArray[np.float64]


def pixel_metrics(
    drawn: NDArray[Any], real: RealCines, rows: NDArray[np.int64]
) -> dict[str, Floats]:
    """Compare one cine of each test row with the true one.

    Args:
        drawn: Generated views, (n, T, H, W), read by block.
        real: The cohort's cines.
        rows: Cohort row of each, (n,).

    Returns:
        Metric to its value for every row, (n,).
    """
    found: list[CineMetrics] = []
    for places in blocks(len(rows)):
        truth = real.views(rows[places]).numpy()
        found.append(cine_metrics(drawn[places].astype(np.float32), truth))
    return {name: np.concatenate([getattr(part, name) for part in found]) for name in METRICS}
