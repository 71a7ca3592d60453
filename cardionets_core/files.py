"""Files that are there whole or not at all, whoever writes them and whenever they are killed."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_TEMPORARY_SUFFIX = ".tmp"


def temporary_beside(path: Path) -> Path:
    """A name in the same folder that nobody else uses, so that a rename is atomic."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{_TEMPORARY_SUFFIX}")


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place when the block ends well.

    Raises:
        OSError: If it cannot be written, e.g. on a full disk; ``path`` is unchanged.
    """
    temporary = temporary_beside(path)
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        move_whole(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader finds either all of it or none of it, even after a crash.

    Raises:
        OSError: If it cannot be written; an old file is unchanged.
    """
    with whole_file(path) as file:
        file.write(data)


def move_whole(source: Path, target: Path) -> None:
    """Put a finished, synced file in the place of another in one step, and sync the folder."""
    source.replace(target)
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def sweep_temporaries(folder: Path) -> None:
    """Remove what killed writers left in a folder that no other process writes to."""
    for left in folder.glob(f".*{_TEMPORARY_SUFFIX}"):
        left.unlink(missing_ok=True)


def is_disk_full(error: Exception) -> bool:
    """Whether a failed write tells that disk, quota or the largest allowed file is used up."""
    # HDF5 reports a full disk without errno, in the text only.
    known = isinstance(error, OSError) and error.errno in _FULL
    return known or any(os.strerror(code) in str(error) for code in _FULL)
