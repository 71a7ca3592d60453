"""DICOM files from outside, read with pydicom: bounded, quiet, and in errors of our own.

Nothing here knows ECG or CMR. Elements that are not asked for are skipped, so that names, ids and
birth dates are not even in memory.
"""

from __future__ import annotations

import logging
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from pydicom.datadict import tag_for_keyword
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from cardionets_core.errors import CardionetsError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_PREAMBLE_BYTES = 128
_MAGIC = b"DICM"
_META_GROUP = 0x0002
_PIXEL_DATA_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
# What pydicom raises over damaged files, found by mutating real ones.
_UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


@contextmanager
def silence(package: str) -> Iterator[None]:
    """Keep a foreign package's log lines and all warnings to itself within the block."""
    logger = logging.getLogger(package)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def understanding(error: type[CardionetsError]) -> Iterator[None]:
    """Turn whatever pydicom raises within the block into one line that tells no value.

    pydicom converts elements when they are first looked at: everything that touches a dataset
    belongs into the block. Its warnings and log lines quote values, which may be a patient's name;
    they are silenced within the block.

    Args:
        error: Kind of the error to raise.
    """
    try:
        with silence("pydicom"):
            yield
    except _UNREADABLE as cause:
        # Not chained: the text of the cause would stand in a traceback.
        raise error(
            f"not a DICOM file that can be understood ({type(cause).__name__}); copy or export it "
            "again"
        ) from None


def read_elements(
    file: BinaryIO,
    keywords: Sequence[str],
    *,
    error: type[CardionetsError],
    with_pixels: bool = False,
) -> Dataset:
    """Read chosen top-level elements of a DICOM file, within ``understanding``.

    Args:
        file: At its start, seekable.
        keywords: Which elements, by keyword; sequences are read whole.
        error: Kind of the error to raise.
        with_pixels: Read pixel data too; else reading stops before them.

    Returns:
        The elements that are there, with ``file_meta``.

    Raises:
        CardionetsError: As ``error``, if it is no DICOM file or deflated.
    """
    if file.read(_PREAMBLE_BYTES + len(_MAGIC))[_PREAMBLE_BYTES:] != _MAGIC:
        raise error("not a DICOM file: no 'DICM' at byte 128; needed one with it")
    meta = read_dataset(
        file, is_implicit_VR=False, is_little_endian=True, stop_when=_is_past_the_meta_group
    )
    syntax = _transfer_syntax(meta, error)
    tags: list[BaseTag | int] = [tag for word in keywords if (tag := tag_for_keyword(word))]
    dataset = read_dataset(
        file,
        is_implicit_VR=syntax.is_implicit_VR,
        is_little_endian=syntax.is_little_endian,
        stop_when=None if with_pixels else _is_at_pixels,
        specific_tags=[*tags, *_PIXEL_DATA_TAGS] if with_pixels else tags,
    )
    dataset.file_meta = meta  # type: ignore[assignment]  # a plain dataset serves the decoders
    return dataset


def _transfer_syntax(meta: Dataset, error: type[CardionetsError]) -> UID:
    syntax = UID(str(meta.get("TransferSyntaxUID", "")))
    if syntax == DeflatedExplicitVRLittleEndian:
        # pydicom would inflate it whole: 60 MB of it can hold 60 GB of zeros.
        raise error("a deflated DICOM file; needed Explicit VR Little Endian: convert it first")
    if not syntax.is_transfer_syntax:
        raise error(
            "a DICOM file without a known transfer syntax; export it again as Explicit VR Little "
            "Endian"
        )
    return syntax


def _is_past_the_meta_group(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != _META_GROUP


def _is_at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag in _PIXEL_DATA_TAGS
