"""Is it memorising? How near generated cines are to training cines, against real test cines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.statistics import wilson_interval
from cardionets_core.generate.evaluating.cines import RealCines, blocks
from cardionets_core.generate.evaluating.space import REAL

Floats = NDArray[np.float64]
PERCENTILE = 1.0
FEATURE, PIXEL, RATIO = "feature", "pixel", "ratio"
MEASURES: Mapping[str, str] = {
    FEATURE: "cosine distance of CMR features",
    PIXEL: "RMSE of pixels, in [-1, 1]",
    RATIO: "nearest RMSE / second nearest",
}


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Nearest training cine of each row.

    Attributes:
        feature: Cosine distance of features to the nearest, (n,).
        pixel: RMSE to the nearest in pixels, (n,).
        ratio: That RMSE divided by the RMSE to the second nearest: near 1 for somebody new, and
            near 0 for a copy, however blurred cines are, (n,).
        place: Place of the nearest in pixels among the training rows, (n,).
    """

    feature: Floats
    pixel: Floats
    ratio: Floats
    place: NDArray[np.int64]


def nearest_features(features: Floats, train: Floats) -> Floats:
    """Smallest cosine distance of each row (n, P) to any training row (m, P), (n,)."""
    others = _unit(train).T
    parts = [1.0 - (_unit(features[rows]) @ others).max(axis=1) for rows in blocks(len(features))]
    return np.asarray(np.concatenate(parts).clip(0.0))


def _unit(rows: Floats) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1.0))


def nearest_pixels(
    cines: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    count: int,
    train: Callable[[], Iterable[NDArray[np.float32]]],
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """RMSE to the nearest and to the second nearest training cine, and which is nearest.

    Args:
        cines: Places to cines (b, T, H, W).
        count: How many cines.
        train: Blocks of training cines (b, T, H, W), walked once for every few hundred cines.

    Returns:
        (n,) each.
    """
    squares = np.full((count, 2), np.inf)
    place = np.zeros(count, np.int64)
    for rows in np.array_split(np.arange(count), -(-count // 512)):
        own = cines(rows).reshape(len(rows), -1)
        first = 0
        for block in train():
            found = _mean_squares(own, block.reshape(len(block), -1))
            _keep_nearest(squares, place, rows, found, first)
            first += len(block)
    roots = np.sqrt(squares)
    return roots[:, 0], roots[:, 1], place


def _mean_squares(a: NDArray[np.float32], b: NDArray[np.float32]) -> Floats:
    """Mean square differences of rows (n, p) and (m, p), (n, m)."""
    square = [np.einsum("ij,ij->i", x, x, dtype=np.float64) for x in (a, b)]
    products = (a @ b.T).astype(np.float64)
    found = square[0][:, None] + square[1][None] - 2.0 * products
    return np.asarray(found.clip(0.0) / a.shape[1])


def _keep_nearest(
    squares: Floats,
    place: NDArray[np.int64],
    rows: NDArray[np.int64],
    found: Floats,
    first: int,
) -> None:
    """Update the two smallest values of some rows and the place of the smallest, in place."""
    best = found.argmin(axis=1)
    closer = found[np.arange(len(rows)), best] < squares[rows, 0]
    place[rows[closer]] = first + best[closer]
    two = np.sort(np.concatenate([squares[rows], found], axis=1), axis=1)[:, :2]
    squares[rows] = two


def nearest_training_cines(
    views: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    features: Floats,
    train_features: Floats,
    real: RealCines,
    train: NDArray[np.int64],
) -> Nearest:
    """Look for the nearest training cine of some cines.

    Args:
        views: Places to cines in the frame, (b, T, H, W).
        features: Standardised features of all of them, (n, P).
        train_features: Standardised features of the training cines, (m, P).
        real: The cohort's cines.
        train: Their rows, (m,).
    """

    def training() -> Iterable[NDArray[np.float32]]:
        return (real.views(train[places]).numpy() for places in blocks(len(train)))

    nearest, second, place = nearest_pixels(views, len(features), training)
    ratio = np.where(second > 0, nearest / np.where(second > 0, second, 1.0), 0.0)
    return Nearest(nearest_features(features, train_features), nearest, ratio, place)


def closeness_rows(found: Mapping[str, Nearest]) -> list[dict[str, Any]]:
    """Share of each method's cines that are nearer than the nearest 1 % of real test cines.

    Args:
        found: ``real`` and each method to its nearest training cines.

    Returns:
        Rows ``method``, ``measure``, ``median``, ``threshold``, ``closer`` (a count), ``records``,
        and ``share`` with Wilson's interval ``low`` and ``high``.
    """
    rows = []
    for measure in MEASURES:
        threshold = float(np.percentile(getattr(found[REAL], measure), PERCENTILE))
        for method, nearest in found.items():
            values = getattr(nearest, measure)
            closer = int((values < threshold).sum())
            low, high = wilson_interval(closer, len(values))
            rows.append(
                {
                    "method": method,
                    "measure": measure,
                    "median": float(np.median(values)),
                    "threshold": threshold,
                    "closer": closer,
                    "records": len(values),
                    "share": closer / len(values),
                    "low": low,
                    "high": high,
                }
            )
    return rows
