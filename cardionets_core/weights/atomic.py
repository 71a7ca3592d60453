"""Files that are either there in full or not there, and the sha256 of a file."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cardionets_core.errors import WeightsError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place when the block ends well.

    Raises:
        WeightsError: If the disk is full or the folder cannot be written; ``path`` is unchanged.
    """
    temporary = temporary_beside(path)
    try:
        with disk_errors(path):
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_beside(path: Path) -> Path:
    """A name in the same folder that nobody else uses, so that a rename is atomic."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's error about writing ``path`` into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise WeightsError(
                f"{path}: the disk is full and nothing was kept; free space, or write elsewhere "
                "(downloads: set CARDIONETS_CACHE)"
            ) from error
        raise WeightsError(
            f"{path}: cannot be written ({error.strerror or error}); choose a folder that exists "
            "and is yours (downloads: set CARDIONETS_CACHE)"
        ) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
