"""Intensities of the frames in one DICOM file, compressed or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from pydicom.pixels.decoders.base import get_decoder

from cardionets_core.cmr.cine import MOST_PIXELS
from cardionets_core.cmr.dicom_headers import FrameHeader
from cardionets_core.dicom_files import read_elements, understanding
from cardionets_core.errors import CineError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset
    from pydicom.pixels.decoders.base import Decoder
    from pydicom.uid import UID

_KEYWORDS = (
    "BitsAllocated",
    "BitsStored",
    "Columns",
    "HighBit",
    "NumberOfFrames",
    "PhotometricInterpretation",
    "PixelRepresentation",
    "PlanarConfiguration",
    "Rows",
    "SamplesPerPixel",
)
_REMEDY = "pip install 'cardionets[imaging]'"


def read_intensities(
    file: BinaryIO, frames: Sequence[FrameHeader], rows: int, columns: int
) -> NDArray[np.float32]:
    """Read some frames of a file, bright where the tissue is bright.

    Args:
        file: At its start, seekable.
        frames: Which frames, in any order.
        rows: Of each, as its header said.
        columns: Likewise.

    Returns:
        Rescaled intensities, (frames, rows, columns).

    Raises:
        CineError: If it is in colour, damaged, or compressed in a way that cannot be decoded here.
    """
    with understanding(CineError):
        dataset = read_elements(file, _KEYWORDS, error=CineError, with_pixels=True)
        counts = _counts(dataset, rows, columns)[[frame.place for frame in frames]]
        slope = np.array([frame.slope for frame in frames], dtype=np.float32)
        intercept = np.array([frame.intercept for frame in frames], dtype=np.float32)
        intensities: NDArray[np.float32] = counts * slope[:, None, None] + intercept[:, None, None]
        return intensities


def _counts(dataset: Dataset, rows: int, columns: int) -> NDArray[np.float32]:
    """All frames as stored, (frames, rows, columns), inverted where white is the lowest."""
    shape = (int(dataset.get("NumberOfFrames") or 1), int(dataset.Rows), int(dataset.Columns))
    if shape[1:] != (rows, columns) or np.prod(shape) > MOST_PIXELS:
        raise CineError(f"a file of {' x '.join(map(str, shape))} pixels; is it damaged?")
    photometric = str(dataset.PhotometricInterpretation).strip()
    if int(dataset.SamplesPerPixel) != 1 or photometric not in {"MONOCHROME1", "MONOCHROME2"}:
        raise CineError("pictures in colour; needed a greyscale cine, not a screenshot")
    counts = _decoded(dataset).reshape(shape).astype(np.float32)
    if photometric == "MONOCHROME1":
        stored = int(dataset.BitsStored)
        lowest = -(1 << (stored - 1)) if int(dataset.PixelRepresentation) else 0
        counts = np.float32(2 * lowest + (1 << stored) - 1) - counts
    return counts


def _decoded(dataset: Dataset) -> NDArray[np.generic]:
    syntax = dataset.file_meta.TransferSyntaxUID
    decoder = _decoder(syntax)
    try:
        decoded, _ = decoder.as_array(dataset, raw=True)
    except RuntimeError:
        # pydicom's word for data that no installed decoder makes sense of.
        raise CineError(
            f"compressed as {syntax.name}, and cannot be decoded: damaged, or another decoder is "
            f"needed: {_REMEDY}"
        ) from None
    return decoded


def _decoder(syntax: UID) -> Decoder:
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise CineError(
            f"compressed as {syntax.name}, which is not read; needed single pictures: export it "
            "uncompressed"
        ) from None
    if not decoder.is_available:
        raise CineError(
            f"compressed as {syntax.name}, which needs another package: {_REMEDY}, or export it "
            "uncompressed"
        )
    return decoder
