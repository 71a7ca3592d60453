"""Resampling of cines in the plane and over the heart beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample
from scipy.sparse import csr_array

# Of the spacing: closer ones are the same, and pixels need not be mixed.
_SAME_SPACING = 1e-3


def sampling_weights(
    size: int, centre: float, spacing: float, out_size: int
) -> NDArray[np.float32]:
    """Weights that take one axis of a picture to another grid.

    Linear interpolation; where the grid is coarser than the pixels, its triangle is widened to the
    coarser spacing, so that details too fine for the grid are averaged out and not folded back.
    Points outside the picture have no weight at all.

    Args:
        size: Pixels of the axis.
        centre: Where the middle of the new grid lies, in pixels from the first one's middle.
        spacing: Of the new grid, in pixels.
        out_size: Points of the new grid.

    Returns:
        (out_size, size); rows sum to 1, or to 0 outside.
    """
    points = centre + (np.arange(out_size) - (out_size - 1) / 2) * spacing
    distances = np.abs(points[:, None] - np.arange(size))
    weights = np.maximum(1.0 - distances / max(1.0, spacing), 0.0)
    # Between the outermost pixels' middles and their edges the outermost pixel stands alone.
    sums = weights.sum(axis=1, keepdims=True)
    outside = (points < -0.5) | (points > size - 0.5)
    weights = np.where(outside[:, None], 0.0, weights / np.where(sums > 0, sums, 1.0))
    return weights.astype(np.float32)


def on_the_pixels(centre: float, spacing: float, out_size: int) -> float:
    """Move the middle of a grid of the pixels' own spacing so that its points lie on pixels.

    Args:
        centre: Where the middle of the grid lies, in pixels.
        spacing: Of the grid, in pixels.
        out_size: Points of the grid.

    Returns:
        The nearest such middle up to half a pixel off; the same one for any other spacing.
    """
    if abs(spacing - 1.0) > _SAME_SPACING:
        return centre
    offset = (out_size - 1) / 2
    return float(np.floor(centre - offset + 0.5) + offset)


def resample_plane(
    frames: NDArray[np.float32], down: NDArray[np.float32], right: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Take every frame to another grid.

    Sparse sums run in one order whatever the number of threads, so that results are the same to
    the bit; a matrix product of a threaded library is not.

    Args:
        frames: (frames, rows, columns).
        down: Weights of the rows, (out rows, rows).
        right: Weights of the columns, (out columns, columns).

    Returns:
        (frames, out rows, out columns).
    """
    return _along_rows(_along_rows(frames, down).transpose(0, 2, 1), right).transpose(0, 2, 1)


def resample_beat(frames: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Take a heart beat to another number of frames, the first frame staying the first.

    The beat is periodic: its last frame comes before its first. Fourier interpolation follows it
    exactly up to the finest motion that its frames hold, where linear interpolation would blur
    every frame differently; where an edge passes a pixel it overshoots.

    Args:
        frames: (frames, rows, columns).
        count: Frames wanted.

    Returns:
        (count, rows, columns).
    """
    if len(frames) == count:
        return frames
    return np.asarray(resample(frames, count, axis=0), dtype=np.float32)


def _along_rows(frames: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply weights (out, rows) to the rows of (frames, rows, columns)."""
    count, rows, columns = frames.shape
    stacked = frames.transpose(1, 0, 2).reshape(rows, count * columns)
    taken = np.asarray(csr_array(weights) @ stacked, dtype=np.float32)
    return taken.reshape(len(weights), count, columns).transpose(1, 0, 2)
