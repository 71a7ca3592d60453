"""Disk errors of making a cohort in one line, and one maker at a time."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cardionets_core.errors import CohortError
from cardionets_core.files import is_disk_full, move_whole, write_whole

__all__ = [
    "disk_errors_in_one_line",
    "move_whole",
    "only_one",
    "require_space",
    "sync",
    "write_whole",
]


def sync(path: Path) -> None:
    """Make the system write out what it holds of a closed file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def disk_errors_in_one_line(out: Path) -> Iterator[None]:
    """Turn a failure to write into a CohortError that says what is kept and what to do.

    Args:
        out: The cohort that is being made.

    Raises:
        CohortError: Where the block raises OSError, or HDF5 fails for want of space.
    """
    try:
        yield
    except OSError as error:
        full = is_disk_full(error)
        found = "the disk (or a quota) is full" if full else f"{type(error).__name__}: {error}"
        remedy = "free some space" if full else "remove the cause"
        raise _not_written(out, found, remedy) from error
    except RuntimeError as error:
        # HDF5 writes the rest when it closes a file, and tells of that in a RuntimeError.
        if not is_disk_full(error):
            raise
        raise _not_written(out, "the disk (or a quota) is full", "free some space") from error


def _not_written(out: Path, found: str, remedy: str) -> CohortError:
    return CohortError(
        f"cannot write {out}: {found}; nothing finished is lost: {remedy} and run the same "
        f"command again to resume"
    )


def require_space(folder: Path, needed_bytes: int, out: Path) -> None:
    """Check that a disk has room.

    Raises:
        CohortError: If it has not.
    """
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        found = f"{free_bytes / 1e9:.1f} GB are free, {needed_bytes / 1e9:.1f} GB are needed"
        raise _not_written(out, found, "free some space")


@contextmanager
def only_one(folder: Path, out: Path) -> Iterator[None]:
    """Hold a lock, so that no two processes prepare the same cohort.

    Args:
        folder: Existing folder for the lock file.
        out: The cohort, for the message.

    Raises:
        CohortError: If another process holds the lock.
    """
    with (folder / "lock").open("w") as file:
        if sys.platform != "win32":
            import fcntl  # noqa: PLC0415 - not there on Windows

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CohortError(
                    f"another process is preparing {out}; wait for it or choose another name"
                ) from error
        yield
