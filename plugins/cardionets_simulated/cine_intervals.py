"""Structures as intervals across the long axis, and how they cover pixels.

Heart coordinates: a runs along the LV axis (base 0, apex positive), r across it (lateral positive),
both in mm. A structure is an interval [low, high] in r for every row of a and every frame.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardionets_simulated.streams import Array

PIXEL_MM = 2.2
SIZE = 96
Image = NDArray[np.float32]

FIRST_ROW_MM = -90.0
LAST_ROW_MM = 150.0
# 1 mm rows: less than half a pixel.
ROWS_MM: Array = np.arange(FIRST_ROW_MM, LAST_ROW_MM + 1.0)


@dataclass(frozen=True, eq=False)
class Interval:
    """A structure in every frame.

    Attributes:
        low_mm: Lower edge in r, (frames, rows).
        high_mm: Upper edge in r, (frames, rows); below low_mm where the structure is absent.
    """

    low_mm: Array
    high_mm: Array


@dataclass(frozen=True, eq=False)
class Pixels:
    """Where the 96 x 96 pixels lie in heart coordinates.

    Attributes:
        rows: Index into ROWS_MM, (9216,).
        r_mm: Distance from the LV axis, (9216,).
    """

    rows: NDArray[np.intp]
    r_mm: Image


@dataclass(frozen=True, eq=False)
class Coverage:
    """How much of each pixel a structure covers.

    Attributes:
        pixels: Pixels that it touches in any frame, (touched,).
        share: Covered share, 0 to 1, (touched, frames).
    """

    pixels: NDArray[np.intp]
    share: Image


def row_share(from_mm: Array | float, to_mm: Array | float) -> Array:
    """How much of each 1 mm row lies between two planes, (frames, rows).

    Intervals are narrowed by it in their last row, so that areas move smoothly with the planes.
    """
    to_edge = np.minimum(ROWS_MM - from_mm, to_mm - ROWS_MM)
    return np.clip(0.5 + to_edge, 0.0, 1.0)


def narrowed(low_mm: Array, high_mm: Array, share: Array) -> Interval:
    """An interval narrowed about its middle to a share of its width; absent where that is 0."""
    middle = 0.5 * (low_mm + high_mm)
    half = 0.5 * (high_mm - low_mm) * share
    # Absent means well outside any pixel's reach: coverage must be exactly 0.
    half = np.where((share > 0) & (half > 0), half, -10.0 * PIXEL_MM)
    return Interval(middle - half, middle + half)


def locate_pixels(
    angle_degrees: float, column: float, row: float, a_mm: float, r_mm: float
) -> Pixels:
    """Heart coordinates of all pixels.

    Args:
        angle_degrees: Angle of the LV axis from the vertical, apex to the upper right.
        column: Column of the reference point.
        row: Row of the reference point.
        a_mm: Its distance along the axis.
        r_mm: Its distance from the axis.

    Returns:
        Where each pixel lies.
    """
    c, s = np.cos(np.radians(angle_degrees)), np.sin(np.radians(angle_degrees))
    x_mm = (np.arange(SIZE) - column) * PIXEL_MM
    y_mm = ((np.arange(SIZE) - row) * PIXEL_MM)[:, None]
    along = a_mm + s * x_mm - c * y_mm
    across = r_mm + c * x_mm + s * y_mm
    rows = np.clip(np.rint(along - FIRST_ROW_MM), 0, len(ROWS_MM) - 1).astype(np.intp)
    return Pixels(rows.ravel(), across.astype(np.float32).ravel())


def cover(interval: Interval, pixels: Pixels) -> Coverage:
    """Antialiased coverage: half a pixel either side of an edge is partly covered."""
    reach = np.float32(0.5 * PIXEL_MM)
    low = np.ascontiguousarray(interval.low_mm.T, dtype=np.float32)
    high = np.ascontiguousarray(interval.high_mm.T, dtype=np.float32)
    outer_low, outer_high = low.min(axis=1) - reach, high.max(axis=1) + reach
    r = pixels.r_mm
    near = (r > outer_low[pixels.rows]) & (r < outer_high[pixels.rows])
    touched = np.flatnonzero(near)
    rows, r = pixels.rows[touched], r[touched, None]
    share = high.take(rows, axis=0)
    share -= r
    to_low = low.take(rows, axis=0)
    np.subtract(r, to_low, out=to_low)
    np.minimum(share, to_low, out=share)
    share *= np.float32(1.0 / PIXEL_MM)
    share += np.float32(0.5)
    np.clip(share, 0.0, 1.0, out=share)
    return Coverage(touched, share)
