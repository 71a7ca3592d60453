"""Opening a finished cohort file, with every way in which that can fail in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py

from cardionets_core.cohort import layout
from cardionets_core.errors import CohortError

JSON_ATTRIBUTES = ("config", "roles", "versions", "history", "synthetic")
# The first bytes of every HDF5 file, also of a damaged one.
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def open_hdf5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading, also on disks that cannot lock.

    What is opened here is never changed in place, so that a lock is not needed. It is asked for
    all the same: HDF5 refuses to open a file twice in a process with different locking.

    Raises:
        OSError: If it is missing or no whole HDF5 file.
    """
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if "lock" not in str(error):
            raise
        return h5py.File(path, "r", locking=False)


def open_file(path: Path) -> h5py.File:
    """Open a finished cohort for reading and check that it is one.

    Raises:
        CohortError: If it is missing, no HDF5 file, no cohort, truncated, or of another layout.
    """
    if not path.is_file():
        raise CohortError(
            f"no cohort at {path}; make one with: cardionets prepare DATASET --out {path}"
        )
    try:
        file = open_hdf5(path)
    except OSError as error:
        raise CohortError(
            f"{path} is no whole HDF5 file ({_first_clause(error)}); copy it again from where it "
            f"came, or prepare it anew"
        ) from error
    try:
        _require_layout(path, file)
    except BaseException:
        file.close()
        raise
    return file


def is_cohort(path: Path) -> bool:
    """Whether a file is a cohort of any layout, or looks like a damaged one."""
    if not path.is_file():
        return False
    try:
        with open_hdf5(path) as file:
            return bool(file.attrs.get("layout") == layout.LAYOUT_NAME)
    except OSError:
        return _begins_as_hdf5(path)


def read_provenance(file: h5py.File) -> dict[str, Any]:
    """The provenance group of an open cohort as plain data."""
    found: dict[str, Any] = {}
    for name, value in file["provenance"].attrs.items():
        plain = value.item() if hasattr(value, "item") else value
        found[name] = json.loads(plain) if name in JSON_ATTRIBUTES else plain
    return found


def stored_provenance(path: Path) -> dict[str, Any]:
    """The provenance of a cohort file as plain data.

    Raises:
        CohortError: As ``open_file``.
    """
    with open_file(path) as file:
        return read_provenance(file)


def stored_record_ids(path: Path) -> frozenset[bytes]:
    """HMAC ids of the records that a cohort file holds.

    Raises:
        CohortError: As ``open_file``.
    """
    with open_file(path) as file:
        return frozenset(file["subject/record_id"][:].tolist())


def _begins_as_hdf5(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE
    except OSError:
        return False


def _require_layout(path: Path, file: h5py.File) -> None:
    if file.attrs.get("layout") != layout.LAYOUT_NAME:
        raise CohortError(
            f"{path} is an HDF5 file but no cardionets cohort; make one with: "
            f"cardionets prepare DATASET --out FILE"
        )
    found = int(file.attrs["layout_version"])
    if found not in layout.READABLE_VERSIONS:
        remedy = (
            "update cardionets"
            if found > layout.LAYOUT_VERSION
            else "prepare it anew from its source"
        )
        raise CohortError(
            f"{path} has layout version {found}, but this cardionets reads version "
            f"{layout.READABLE_VERSIONS[0]} to {layout.READABLE_VERSIONS[-1]}; {remedy}"
        )
    missing = [name for name in layout.dataset_names(found) if name not in file]
    if missing:
        raise CohortError(
            f"{path} lacks {', '.join(missing)}, which a cohort must have; prepare it anew"
        )


def _first_clause(error: OSError) -> str:
    """The reason within HDF5's parentheses, without addresses and numbers."""
    return str(error).rpartition("(")[2].rstrip(")").partition(",")[0] or type(error).__name__
