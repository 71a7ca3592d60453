"""Cine DICOM made up for tests, with a planted patient that must not be seen again.

``files_of(cine)`` gives the bytes of one file per frame, as scanners write them;
``enhanced_file_of(cine)`` one file of all frames. Everything can be changed by a function that
gets each dataset before it is written.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

MR, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
PLANTED = ("PLANTEDNAME", "PLANTEDID42", "19330317")
# A slice tilted out of the transversal plane, as a 4-chamber view is: columns run to the left and
# the feet, rows to the back and the feet.
RIGHT = (0.9, 0.3, -0.3162)
DOWN = (-0.1, 0.85, 0.5217)
_ROOT = "1.2.826.0.1.3680043.8.498"


def phantom(frames: int = 10, rows: int = 40, columns: int = 48) -> np.ndarray:
    """A beating disc beside a square in a corner, different on every side, uint16."""
    row, column = np.mgrid[:rows, :columns]
    square = 300 * ((row < rows // 5) & (column < columns // 4))
    edge = 100 * (column > columns - 4)
    distance = np.hypot(row - rows * 0.6, column - columns * 0.55)
    radius = rows / 6 * (1 + 0.4 * np.cos(2 * np.pi * np.arange(frames) / frames))
    disc = 900 * (distance < radius[:, None, None])
    return (50 + square + edge + disc).astype(np.uint16)


def files_of(
    cine: np.ndarray,
    *,
    series_name: str = "CINE_segmented_LAX_4Ch",
    series: int = 1,
    spacing_mm: tuple[float, float] = (1.8, 1.6),
    interval_ms: float = 20.0,
    change: Callable[[Dataset, int], None] = lambda _dataset, _frame: None,
    syntax: str = ExplicitVRLittleEndian,
) -> list[bytes]:
    """One file per frame of a cine (frames, rows, columns) of uint16 or int16.

    Args:
        cine: Counts.
        series_name: Series description.
        series: Number of the series; a repeat has a higher one.
        spacing_mm: Distance between rows, and between columns.
        interval_ms: Between frames.
        change: Gets each dataset and its frame before it is written.
        syntax: Transfer syntax; RLE and other codecs are compressed by pydicom.
    """
    contents = []
    for frame, picture in enumerate(cine):
        made = image(picture[None], series_name=series_name, series=series, number=frame + 1)
        made.CardiacNumberOfImages = len(cine)
        made.TriggerTime = interval_ms * frame
        made.InstanceNumber = frame + 1
        made.PixelSpacing = list(spacing_mm)
        made.ImageOrientationPatient = [*RIGHT, *DOWN]
        made.ImagePositionPatient = [-80.0, -60.0, 30.0]
        change(made, frame)
        contents.append(to_bytes(made, syntax))
    return contents


def enhanced_file_of(
    cine: np.ndarray,
    *,
    spacing_mm: tuple[float, float] = (1.8, 1.6),
    order: Sequence[int] | None = None,
    change: Callable[[Dataset], None] = lambda _dataset: None,
) -> bytes:
    """One file of all frames, stored in the order given."""
    order = range(len(cine)) if order is None else order
    made = image(cine[list(order)], series_name="CINE 4Ch", series=1, number=1)
    made.SOPClassUID = ENHANCED_MR
    shared = Dataset()
    shared.PixelMeasuresSequence = [item(PixelSpacing=list(spacing_mm))]
    shared.PlaneOrientationSequence = [item(ImageOrientationPatient=[*RIGHT, *DOWN])]
    made.SharedFunctionalGroupsSequence = [shared]
    made.PerFrameFunctionalGroupsSequence = [_functional_groups(frame) for frame in order]
    change(made)
    return to_bytes(made)


def _functional_groups(frame: int) -> Dataset:
    return item(
        CardiacSynchronizationSequence=[item(NominalCardiacTriggerDelayTime=20.0 * frame)],
        FrameContentSequence=[item(TemporalPositionIndex=frame + 1)],
        PlanePositionSequence=[item(ImagePositionPatient=[-80.0, -60.0, 30.0])],
        PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=-frame)],
    )


def item(**elements: object) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def image(pictures: np.ndarray, *, series_name: str, series: int, number: int) -> Dataset:
    """An MR image of pictures (frames, rows, columns), without geometry and times."""
    made = item(
        SOPClassUID=MR,
        SOPInstanceUID=f"{_ROOT}.{series}.{number}",
        SeriesInstanceUID=f"{_ROOT}.{series}",
        SeriesDescription=series_name,
        AcquisitionDate="20150830",
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=pictures.shape[1],
        Columns=pictures.shape[2],
        BitsAllocated=16,
        BitsStored=12,
        HighBit=11,
        PixelRepresentation=int(pictures.dtype.kind == "i"),
    )
    made.PatientName, made.PatientID, made.PatientBirthDate = PLANTED
    if len(pictures) > 1:
        made.NumberOfFrames = len(pictures)
    made.add_new("PixelData", "OW", pictures.astype(pictures.dtype.newbyteorder("<")).tobytes())
    return made


def to_bytes(made: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    with warnings.catch_warnings():
        # Some of what is made up here is wrong on purpose.
        warnings.simplefilter("ignore")
        if syntax != ExplicitVRLittleEndian:
            made.compress(syntax, generate_instance_uid=False)
        file = io.BytesIO()
        dcmwrite(file, made, enforce_file_format=True)
    return file.getvalue()
