"""One orientation of pictures, whatever file they come from.

Pictures are shown as scanners show them: of a transversal slice the patient's left is on the right
and the back is below; of a coronal one the left is on the right and the feet are below; of a
sagittal one the back is on the right and the feet are below. Oblique slices count as transversal
unless they stand nearly upright, and then as what they are nearest to: 4-chamber planes of steep
hearts are nearer to a coronal or sagittal plane than to a transversal one, and would otherwise be
mirrored or transposed against those of other people. DICOM files are stored so by scanners
already; NIfTI files are stored as their converter liked.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Patient axes of DICOM: x to the left, y to the back, z to the head.
_LEFT, _BACK, _FEET = np.eye(3) * [1, 1, -1]
# Right and down of the picture, by the patient axis that the slice is across.
_SHOWN = ((_BACK, _FEET), (_LEFT, _FEET), (_LEFT, _BACK))
_SHORTEST = 0.5
# Cosine of 70 degrees between a slice and a transversal one.
_UPRIGHT = 0.34


class Turn(NamedTuple):
    """How to turn a picture: first swap rows and columns, then flip."""

    swap: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    def of(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """The frames (frames, rows, columns), turned."""
        turned = frames.transpose(0, 2, 1) if self.swap else frames
        rows = slice(None, None, -1 if self.flip_rows else 1)
        columns = slice(None, None, -1 if self.flip_columns else 1)
        return np.ascontiguousarray(turned[:, rows, columns])

    def of_spacing(self, spacing_mm: tuple[float, float]) -> tuple[float, float]:
        """The distances between rows and between columns, turned."""
        return spacing_mm[::-1] if self.swap else spacing_mm

    def __str__(self) -> str:
        told = ["rows and columns swapped"] if self.swap else []
        told += ["rows flipped"] if self.flip_rows else []
        told += ["columns flipped"] if self.flip_columns else []
        return ", ".join(told) or "as stored"


def turn_to_shown(right: NDArray[np.float64], down: NDArray[np.float64]) -> Turn:
    """How to turn a stored picture into the one that is shown.

    Args:
        right: Where columns increase to, in patient axes of DICOM, (3,).
        down: Where rows increase to, likewise.

    Returns:
        The turn; none if the axes are no directions.
    """
    across = np.abs(np.cross(right, down))
    if not np.isfinite(across).all() or np.linalg.norm(across) < _SHORTEST:
        return Turn()
    shown_right, shown_down = _SHOWN[2 if across[2] > _UPRIGHT else int(np.argmax(across))]
    as_stored = abs(right @ shown_right) + abs(down @ shown_down)
    swap = bool(as_stored < abs(down @ shown_right) + abs(right @ shown_down))
    if swap:
        right, down = down, right
    return Turn(swap, bool(down @ shown_down < 0), bool(right @ shown_right < 0))
