"""Weights files written in full or not at all, and the sha256 of a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cardionets_core.errors import WeightsError
from cardionets_core.files import is_disk_full, whole_file


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place when the block ends well.

    Raises:
        WeightsError: If the disk is full or the folder cannot be written; ``path`` is unchanged.
    """
    with disk_errors(path), whole_file(path) as file:
        yield file


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's error about writing ``path`` into one clear line."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise WeightsError(
                f"{path}: the disk is full and nothing was kept; free space, or write elsewhere "
                "(downloads: set CARDIONETS_CACHE)"
            ) from error
        # By number: the text that pyarrow gives names our temporary file.
        reason = os.strerror(error.errno) if error.errno else error
        raise WeightsError(
            f"{path}: cannot be written ({reason}); choose a folder that exists "
            "and is yours (downloads: set CARDIONETS_CACHE)"
        ) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
