"""Files that are there whole or not at all, and disk errors in one line."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cardionets_core.errors import CohortError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader finds either all of it or none of it, even after a crash."""
    temporary = path.with_name(f"{path.name}.writing")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    move_whole(temporary, path)


def move_whole(source: Path, target: Path) -> None:
    """Put a finished, synced file in the place of another in one step, and sync the folder."""
    source.replace(target)
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def sync(path: Path) -> None:
    """Make the system write out what it holds of a closed file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def disk_errors_in_one_line(out: Path) -> Iterator[None]:
    """Turn an OSError of writing into a CohortError that says what is kept and what to do.

    Args:
        out: The cohort that is being made.

    Raises:
        CohortError: Where the block raises OSError.
    """
    try:
        yield
    except OSError as error:
        # HDF5 reports a full disk without errno, in the text only.
        full = error.errno in _FULL or any(os.strerror(code) in str(error) for code in _FULL)
        found = "the disk (or a quota) is full" if full else f"{type(error).__name__}: {error}"
        remedy = "free some space" if full else "remove the cause"
        raise CohortError(
            f"cannot write {out}: {found}; nothing finished is lost: {remedy} and run the same "
            f"command again to resume"
        ) from error


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
