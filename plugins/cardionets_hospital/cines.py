"""The CMR that a row of the labels pairs with an ECG, as the cohort stores it.

Messages name no file, no series and nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from cardionets_core.cmr.cine import Cine
from cardionets_core.cmr.dicom_cine import Opener, read_dicom_cine
from cardionets_core.cmr.dicom_headers import CineHeader
from cardionets_core.cmr.geometry import CanonicalCine, canonical_cine
from cardionets_core.cmr.nifti_cine import read_nifti_cine
from cardionets_core.errors import CineError
from cardionets_core.source_files import (
    MOST_ARCHIVE_BYTES,
    MOST_MEMBER_BYTES,
    MOST_MEMBERS,
    inside,
    open_archive,
    walk,
)
from cardionets_hospital.config import HospitalConfig
from cardionets_hospital.labels import NIFTI_ENDINGS

_ZIP_MARK = b"PK\x03\x04"


def read_paired_cine(config: HospitalConfig, cmr_path: str) -> CanonicalCine:
    """Read a CMR, and bring it to the canonical frames and pixels.

    Args:
        config: The options.
        cmr_path: Path below the source of a folder or zip file of DICOM images, of one DICOM file
            of all frames, or of a NIfTI file.

    Raises:
        SourceError: If the path leads out of the source, or a zip file is none or means harm.
        CineError: If there is nothing there, or no cine, several, or one that cannot be read.
    """
    path = inside(config.source, cmr_path)
    # A name that no file can have is an error of the system's own.
    with _seen():
        is_folder, is_file = path.is_dir(), path.is_file()
    if is_folder:
        cine = _of_files(list(_openers(path)), config)
    elif not is_file:
        raise CineError("no file or folder at the cmr_path of the labels; needed the CMR there")
    elif path.name.lower().endswith(NIFTI_ENDINGS):
        _require_size(path)
        cine = read_nifti_cine(path)
    elif _begins_as_zip(path):
        with open_archive(path) as archive:
            cine = _of_files([partial(archive.open, name) for name in archive.names], config)
    else:
        _require_size(path)
        cine = _of_files([partial(_open, path)], config)
    return canonical_cine(cine, config)


def _of_files(openers: list[Opener], config: HospitalConfig) -> Cine:
    return read_dicom_cine(openers, wanted=_wanted(config.series))


def _wanted(series: str | None) -> Callable[[CineHeader], bool]:
    """Whether a file is of the series that the options name; any is if they name none."""
    if series is None:
        return lambda _: True
    name = "_".join(series.split())
    pattern = re.compile(name, re.IGNORECASE)

    def wanted(header: CineHeader) -> bool:
        found = header.series_name
        return found == name.lower() or pattern.fullmatch(found) is not None

    return wanted


def _openers(folder: Path) -> Iterator[Opener]:
    """One for each file below a folder, while they stay within bounds."""
    count, size = 0, 0
    for path in walk(folder):
        count, size = count + 1, size + _require_size(path)
        if count > MOST_MEMBERS or size > MOST_ARCHIVE_BYTES:
            raise CineError(
                f"more than {MOST_MEMBERS} files or {MOST_ARCHIVE_BYTES} bytes in the folder of "
                "one CMR; needed the folder of one study, or of its cine alone"
            )
        yield partial(_open, path)


def _require_size(path: Path) -> int:
    with _seen():
        size = path.stat().st_size
    if size > MOST_MEMBER_BYTES:
        raise CineError(f"a file of {size} bytes in a CMR; needed at most {MOST_MEMBER_BYTES}")
    return size


def _open(path: Path) -> BinaryIO:
    with _seen():
        return path.open("rb")


def _begins_as_zip(path: Path) -> bool:
    with _open(path) as file:
        return file.read(len(_ZIP_MARK)) == _ZIP_MARK


@contextmanager
def _seen() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CineError(
            f"a file of the CMR cannot be read ({error.strerror}); needed files that you may read"
        ) from None
