"""What headers of DICOM images say about frames of a cine; nothing of the patient is read.

Source: DICOM PS3.3 C.7.6.3 (Image Pixel), C.8.13 (Enhanced MR), C.7.6.18.1 (Cardiac
Synchronization).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from cardionets_core.cmr.cine import MOST_FRAMES
from cardionets_core.dicom_files import read_elements, understanding
from cardionets_core.errors import CineError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_KEYWORDS = (
    "CardiacNumberOfImages",
    "Columns",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "InstanceNumber",
    "NumberOfFrames",
    "PerFrameFunctionalGroupsSequence",
    "PixelSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "Rows",
    "SOPInstanceUID",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SharedFunctionalGroupsSequence",
    "TriggerTime",
)


class FrameHeader(NamedTuple):
    """What is said about one frame.

    Attributes:
        place: Its place in its file, from 0.
        trigger_ms: Time after the R wave.
        number: Its number in the series.
        spacing_mm: Distance between rows, and between columns.
        directions: Where columns and then rows increase to, in patient axes.
        position_mm: Where its first pixel lies, in patient axes.
        slope: Intensity of one count.
        intercept: Intensity of a count of zero.
    """

    place: int
    trigger_ms: float | None
    number: int | None
    spacing_mm: tuple[float, float] | None
    directions: tuple[float, ...] | None
    position_mm: tuple[float, ...] | None
    slope: float
    intercept: float


@dataclass(frozen=True, slots=True)
class CineHeader:
    """What is said about one file.

    Attributes:
        series_uid: Of its series; repeats of a series differ in it.
        series_name: Name of its series, in lower case with ``_`` for spaces.
        object_uid: Its own.
        rows: Of each frame.
        columns: Of each frame.
        cardiac_images: Frames of the heart beat, if it says so.
        frames: Its frames, in the order of the file.
    """

    series_uid: str
    series_name: str
    object_uid: str
    rows: int
    columns: int
    cardiac_images: int | None
    frames: tuple[FrameHeader, ...]


def read_cine_header(file: BinaryIO) -> CineHeader:
    """Read the header of a DICOM image, up to its pixels.

    Args:
        file: At its start, seekable.

    Raises:
        CineError: If it is no DICOM image, or is damaged.
    """
    with understanding(CineError):
        dataset = read_elements(file, _KEYWORDS, error=CineError)
        count = int(dataset.get("NumberOfFrames") or 1)
        rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
        if not (rows and columns and 1 <= count <= MOST_FRAMES):
            raise CineError(
                f"a DICOM file with {count} frames of {rows} x {columns} pixels; needed images of "
                "a cine"
            )
        return CineHeader(
            series_uid=str(dataset.get("SeriesInstanceUID") or ""),
            series_name="_".join(str(dataset.get("SeriesDescription") or "").lower().split()),
            object_uid=str(dataset.get("SOPInstanceUID") or ""),
            rows=rows,
            columns=columns,
            cardiac_images=_whole(dataset, "CardiacNumberOfImages"),
            frames=tuple(_frames(dataset, count)),
        )


def _frames(dataset: Dataset, count: int) -> Iterator[FrameHeader]:
    """Frames, each by its own functional groups, the shared ones, or the file's own elements."""
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])[:1]
    each = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    if each and len(each) != count:
        raise CineError(f"announces {count} frames and describes {len(each)}; export it again")
    for place in range(count):
        groups = [*each[place : place + 1], *shared]
        yield FrameHeader(
            place=place,
            trigger_ms=_trigger_ms(dataset, groups, count),
            number=_number(dataset, groups, place, count),
            spacing_mm=_pair(_found(dataset, groups, "PixelMeasuresSequence", "PixelSpacing")),
            directions=_numbers(
                _found(dataset, groups, "PlaneOrientationSequence", "ImageOrientationPatient"), 6
            ),
            position_mm=_numbers(
                _found(dataset, groups, "PlanePositionSequence", "ImagePositionPatient"), 3
            ),
            slope=_rescale(dataset, groups, "RescaleSlope", 1.0),
            intercept=_rescale(dataset, groups, "RescaleIntercept", 0.0),
        )


def _trigger_ms(dataset: Dataset, groups: list[Dataset], count: int) -> float | None:
    sequence = "CardiacSynchronizationSequence"
    said = _real(_found(dataset, groups, sequence, "NominalCardiacTriggerDelayTime"))
    return _real(dataset.get("TriggerTime")) if said is None and count == 1 else said


def _number(dataset: Dataset, groups: list[Dataset], place: int, count: int) -> int | None:
    said = _real(_found(dataset, groups, "FrameContentSequence", "TemporalPositionIndex"))
    if said is not None:
        return int(said)
    return _whole(dataset, "InstanceNumber") if count == 1 else place + 1


def _rescale(dataset: Dataset, groups: list[Dataset], keyword: str, absent: float) -> float:
    said = _real(_found(dataset, groups, "PixelValueTransformationSequence", keyword))
    return absent if said is None else said


def _found(dataset: Dataset, groups: list[Dataset], sequence: str, keyword: str) -> object:
    """An element out of the first functional group that has it, else the file's own."""
    for group in groups:
        items = group.get(sequence)
        if items and items[0].get(keyword) is not None:
            return items[0].get(keyword)
    return dataset.get(keyword)


def _real(value: object) -> float | None:
    if value is None or value == "":
        return None
    number = float(str(value))
    if not math.isfinite(number):
        raise CineError("a number in the header is beyond any size; is the file damaged?")
    return number


def _whole(dataset: Dataset, keyword: str) -> int | None:
    number = _real(dataset.get(keyword))
    return None if number is None else int(number)


def _numbers(values: object, count: int) -> tuple[float, ...] | None:
    if values is None or isinstance(values, str) or not hasattr(values, "__len__"):
        return None
    found = [_real(value) for value in values]  # type: ignore[attr-defined]  # a MultiValue
    known = tuple(value for value in found if value is not None)
    return known if len(known) == len(found) == count else None


def _pair(values: object) -> tuple[float, float] | None:
    found = _numbers(values, 2)
    return None if found is None else (found[0], found[1])
