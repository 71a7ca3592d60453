"""What every reader of cine CMR returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardionets_core.errors import CineError

# Fewer do not show a heart beat.
FEWEST_FRAMES = 8
MOST_FRAMES = 500
# A cine of 512 x 512 x 100 has 26 million pixels; more is no single slice.
MOST_PIXELS = 1 << 25
_LEAST_SIDE = 16
_FINEST_MM, _COARSEST_MM = 0.1, 20.0


@dataclass(frozen=True, slots=True, eq=False)
class Cine:
    """One heart beat of one slice, as its source stores it.

    Attributes:
        frames: Intensities, (frames, rows, columns) float32; the first frame at the trigger.
        spacing_mm: Distance between rows, and between columns; see ``rounded``.
        missing_frames: How many of the frames stand in for ones that are missing.
        turned: How the picture was turned from how it was stored.
    """

    frames: NDArray[np.float32]
    spacing_mm: tuple[float, float]
    missing_frames: int = 0
    turned: str = "as stored"

    def __post_init__(self) -> None:
        """Refuse what is no cine."""
        check_size(*self.frames.shape)
        check_spacing(self.spacing_mm)
        if not np.isfinite(self.frames).all():
            raise CineError("intensities that are no numbers; needed finite ones")


def rounded(spacing_mm: tuple[float, float]) -> tuple[float, float]:
    """Distances to 1e-5 mm: NIfTI holds no more, and one cine has one size in every format."""
    return round(spacing_mm[0], 5), round(spacing_mm[1], 5)


def check_size(frames: int, rows: int, columns: int) -> None:
    """Check a size before anything of that size is made.

    Raises:
        CineError: If it is no cine's.
    """
    if not FEWEST_FRAMES <= frames <= MOST_FRAMES:
        raise CineError(
            f"{frames} frames; needed {FEWEST_FRAMES} to {MOST_FRAMES} of one heart beat"
        )
    if min(rows, columns) < _LEAST_SIDE or frames * rows * columns > MOST_PIXELS:
        raise CineError(
            f"{frames} frames of {rows} x {columns} pixels; needed sides of at least "
            f"{_LEAST_SIDE} and {MOST_PIXELS} pixels in all at most"
        )


def check_spacing(spacing_mm: tuple[float, float]) -> None:
    """Check the distances between pixels.

    Raises:
        CineError: If they are none of a CMR.
    """
    if not all(_FINEST_MM <= distance_mm <= _COARSEST_MM for distance_mm in spacing_mm):
        told = " x ".join(f"{distance_mm:g}" for distance_mm in spacing_mm)
        raise CineError(
            f"pixels of {told} mm; needed {_FINEST_MM} to {_COARSEST_MM:g} mm: is the unit right?"
        )
