"""Any cine to the canonical one: 50 frames of 96 x 96 pixels of a fixed size, uint8.

Source: the size is that of the paper's code (array (50, 96, 96), min-max to 0 to 1); how its
cines were cropped is not published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from cardionets_core.cmr.cine import Cine
from cardionets_core.cmr.geometry_config import CineGeometryOptions, Crop, Intensity
from cardionets_core.cmr.resampling import (
    on_the_pixels,
    resample_beat,
    resample_plane,
    sampling_weights,
)
from cardionets_core.errors import CineError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CANONICAL_FRAMES = 50
CANONICAL_SIZE = 96
# Percentiles of ukbb_cardiac (common/image_utils.py).
_PERCENTILES = (1.0, 99.0)
# Less is what rounding of float32 makes of one intensity.
_LEAST_CONTRAST = 1e-5
# As wide as a heart wall: noise of single pixels is averaged out, the ventricles are not.
_MOTION_BLUR_MM = 5.0


@dataclass(frozen=True, slots=True)
class CineGeometry:
    """What was done to a cine.

    Attributes:
        spacing_mm: Size of a pixel.
        source_spacing_mm: Distance between rows and between columns before.
        source_size: Rows and columns before.
        source_frames: Frames before, those that stand in for missing ones included.
        missing_frames: How many of them do.
        crop: What the crop was centred on.
        offset_mm: Where its centre lies from the picture's centre, down and to the right.
        intensity: How black and white were chosen.
        black: Intensity that became 0.
        white: Intensity that became 255.
        turned: How the picture was turned from how it was stored.
    """

    spacing_mm: float
    source_spacing_mm: tuple[float, float]
    source_size: tuple[int, int]
    source_frames: int
    missing_frames: int
    crop: Crop
    offset_mm: tuple[float, float]
    intensity: Intensity
    black: float
    white: float
    turned: str

    def attributes(self) -> Mapping[str, str | float]:
        """The same as columns of a cohort."""
        return {
            "cine_spacing_mm": self.spacing_mm,
            "cine_source_row_spacing_mm": self.source_spacing_mm[0],
            "cine_source_column_spacing_mm": self.source_spacing_mm[1],
            "cine_source_rows": float(self.source_size[0]),
            "cine_source_columns": float(self.source_size[1]),
            "cine_source_frames": float(self.source_frames),
            "cine_missing_frames": float(self.missing_frames),
            "cine_crop": self.crop,
            "cine_offset_down_mm": self.offset_mm[0],
            "cine_offset_right_mm": self.offset_mm[1],
            "cine_intensity": self.intensity,
            "cine_black": self.black,
            "cine_white": self.white,
            "cine_turned": self.turned,
        }


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalCine:
    """A cine as the cohort stores it, (50, 96, 96) uint8, and how it came about."""

    frames: NDArray[np.uint8]
    geometry: CineGeometry


class _Axis(NamedTuple):
    """The new grid along one axis of the picture, in its pixels."""

    pixels: int
    spacing: float
    centre: float

    def weights(self) -> NDArray[np.float32]:
        return sampling_weights(self.pixels, self.centre, self.spacing, CANONICAL_SIZE)

    def offset(self) -> float:
        return self.centre - (self.pixels - 1) / 2


def canonical_cine(cine: Cine, options: CineGeometryOptions) -> CanonicalCine:
    """Bring a cine to the canonical number of frames, field of view and intensities.

    Frames are resampled in the plane and cut out in one step, then over the heart beat, then
    scaled. Where the field of view is larger than the picture, it is black.

    Raises:
        CineError: If it is of one intensity everywhere.
    """
    axes = _axes(cine, options)
    down, right = (axis.weights() for axis in axes)
    inside = np.outer(down.any(axis=1), right.any(axis=1))
    in_plane = resample_plane(cine.frames, down, right)
    seen = in_plane[:, inside]
    # Where an edge passes a pixel, interpolation over the beat overshoots.
    frames = np.clip(resample_beat(in_plane, CANONICAL_FRAMES), seen.min(), seen.max())
    black, white = _black_and_white(frames[:, inside], options.intensity)
    levels = np.clip((frames - black) * (255 / (white - black)), 0, 255)
    offsets = [axis.offset() * mm for axis, mm in zip(axes, cine.spacing_mm, strict=True)]
    return CanonicalCine(
        frames=np.where(inside, np.rint(levels), 0).astype(np.uint8),
        geometry=CineGeometry(
            spacing_mm=options.spacing_mm,
            source_spacing_mm=cine.spacing_mm,
            source_size=(axes[0].pixels, axes[1].pixels),
            source_frames=len(cine.frames),
            missing_frames=cine.missing_frames,
            crop=options.crop,
            offset_mm=(offsets[0], offsets[1]),
            intensity=options.intensity,
            black=black,
            white=white,
            turned=cine.turned,
        ),
    )


def _axes(cine: Cine, options: CineGeometryOptions) -> tuple[_Axis, _Axis]:
    """The new grid, down and to the right."""
    wanted = centre_of_motion(cine) if options.crop == "temporal-variance" else (None, None)
    down, right = (
        _axis(pixels, options.spacing_mm / mm, centre)
        for pixels, mm, centre in zip(cine.frames.shape[1:], cine.spacing_mm, wanted, strict=True)
    )
    return down, right


def _axis(pixels: int, spacing: float, wanted: float | None) -> _Axis:
    """A grid about a wanted centre, moved to stay within the picture where it can."""
    middle = (pixels - 1) / 2
    room = max(0.0, (pixels - CANONICAL_SIZE * spacing) / 2)
    centre = middle if wanted is None else float(np.clip(wanted, middle - room, middle + room))
    return _Axis(pixels, spacing, on_the_pixels(centre, spacing, CANONICAL_SIZE))


def centre_of_motion(cine: Cine) -> tuple[float, float]:
    """Where the heart is, by what changes over the beat.

    The standard deviation over time, smoothed over 5 mm, where it exceeds half of its largest
    value: the centre of mass of that. The picture's centre where nothing changes.

    Returns:
        Row and column, in pixels.
    """
    blur = [_MOTION_BLUR_MM / distance_mm for distance_mm in cine.spacing_mm]
    motion = gaussian_filter(cine.frames.std(axis=0, dtype=np.float64), blur, mode="nearest")
    motion[motion < motion.max() / 2] = 0
    if not motion.any():
        return (motion.shape[0] - 1) / 2, (motion.shape[1] - 1) / 2
    total = motion.sum()
    row = float(motion.sum(axis=1) @ np.arange(motion.shape[0]) / total)
    column = float(motion.sum(axis=0) @ np.arange(motion.shape[1]) / total)
    return row, column


def _black_and_white(values: NDArray[np.float32], intensity: Intensity) -> tuple[float, float]:
    """The intensities that become 0 and 255."""
    if intensity == "percentile":
        black, white = (float(level) for level in np.percentile(values, _PERCENTILES))
    else:
        black, white = float(values.min()), float(values.max())
    if not white - black > _LEAST_CONTRAST * max(abs(white), abs(black)):
        raise CineError("a cine of one intensity everywhere; needed a picture")
    return black, white
