"""Which frames make the cine, in which order, and which are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from cardionets_core.cmr.cine import check_size
from cardionets_core.cmr.dicom_headers import CineHeader, FrameHeader
from cardionets_core.errors import CineError

# What rounding in headers may amount to.
_SAME_PLACE_MM = 0.5
_SAME_DIRECTION = 0.01


class PlacedFrame(NamedTuple):
    """A frame with the number of its file."""

    file: int
    frame: FrameHeader


class Order(NamedTuple):
    """Frames of a cine in their order; a missing one is its predecessor once more."""

    frames: tuple[PlacedFrame, ...]
    missing: int


def chosen_series(
    headers: Iterable[tuple[int, CineHeader]], wanted: Callable[[CineHeader], bool]
) -> list[tuple[int, CineHeader]]:
    """Files of the series that is wanted; of repeats the last in the order of their UIDs.

    Args:
        headers: Number and header of each file.
        wanted: Whether a file's series is.

    Returns:
        Number and header of each file of the series, every object once.

    Raises:
        CineError: If no series is wanted, or several of different names.
    """
    found = [(number, header) for number, header in headers if wanted(header)]
    if not found:
        raise CineError("none of the DICOM images is of the wanted series; needed one")
    names = {header.series_name for _, header in found}
    if len(names) > 1:
        raise CineError(
            f"{len(names)} series of different names; needed one, or repeats of one: choose it by "
            "name"
        )
    last = max(header.series_uid for _, header in found)
    objects = {
        header.object_uid or number: (number, header)
        for number, header in found
        if header.series_uid == last
    }
    return list(objects.values())


def ordered(
    files: Sequence[tuple[int, CineHeader]],
    expected_frames: int | None,
    most_missing: int,
) -> Order:
    """Frames of one series by trigger time, else by number, gaps filled with the frame before.

    Args:
        files: Number and header of each file.
        expected_frames: Frames of the heart beat, if known; else what the headers say.
        most_missing: More missing frames than these are too many.

    Raises:
        CineError: If there are several planes, frames of one moment, or too many are missing.
    """
    frames = [PlacedFrame(number, frame) for number, header in files for frame in header.frames]
    _check_one_plane(frames)
    moments = _moments(frames)
    in_order = [frames[at] for at in np.argsort(moments, kind="stable")]
    if expected_frames is None:
        expected_frames = max(header.cardiac_images or 0 for _, header in files)
    numbers = [placed.frame.number for placed in in_order]
    slots = _slots(sorted(moments), numbers, expected_frames)
    count = max(expected_frames, slots[-1] + 1)
    missing = count - len(frames)
    if missing > most_missing:
        raise CineError(
            f"{missing} of {count} frames are missing; needed all, or all but {most_missing}"
        )
    check_size(count, files[0][1].rows, files[0][1].columns)
    # Before the first one of a beat there is the last one: -1.
    before = np.searchsorted(slots, np.arange(count), side="right") - 1
    return Order(tuple(in_order[at] for at in before), missing)


def _check_one_plane(frames: Sequence[PlacedFrame]) -> None:
    for name, tolerance in (("position_mm", _SAME_PLACE_MM), ("directions", _SAME_DIRECTION)):
        said = [getattr(frame, name) for _, frame in frames if getattr(frame, name) is not None]
        if said and np.ptp(np.array(said), axis=0).max() > tolerance:
            raise CineError(
                f"{len({tuple(np.round(each, 1)) for each in said})} slices in one series; needed "
                "one slice"
            )


def _moments(frames: Sequence[PlacedFrame]) -> list[float]:
    """Trigger times, or numbers where times are missing or do not tell frames apart."""
    for name in ("trigger_ms", "number"):
        said = [getattr(frame, name) for _, frame in frames]
        if None not in said and len(set(said)) == len(said):
            return [float(moment) for moment in said]
    raise CineError(
        f"{len(frames)} frames that neither trigger times nor numbers tell apart; needed one frame "
        "for each moment"
    )


def _slots(moments: Sequence[float], numbers: Sequence[int | None], expected: int) -> list[int]:
    """The frame of the heart beat that each moment is, from 0, none twice.

    With all frames there, they follow each other. With some missing, their numbers tell which if
    they count this heart beat from 1; else the gaps between moments do, and what these do not
    tell is missing at the end.
    """
    if len(moments) >= expected:
        return list(range(len(moments)))
    counted = [number for number in numbers if number is not None]
    is_count = counted == sorted(set(counted)) and len(counted) == len(moments)
    if is_count and counted[0] >= 1 and counted[-1] <= expected:
        return [number - 1 for number in counted]
    gaps = np.diff(moments)
    steps = np.maximum(np.rint(gaps / median(gaps)), 1).astype(int) if len(gaps) else gaps
    slots = [0, *np.cumsum(steps).astype(int).tolist()]
    return slots if slots[-1] < expected else list(range(len(moments)))
