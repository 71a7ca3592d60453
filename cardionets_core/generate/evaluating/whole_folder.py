"""A folder that is there in full or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cardionets_core.errors import UsageError
from cardionets_core.files import temporary_beside


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its place when the block ends well.

    Args:
        out: Where to; not there, or empty.

    Raises:
        UsageError: If it cannot be made.
    """
    temporary = temporary_beside(out.absolute())
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
    except OSError as error:
        raise UsageError(f"cannot make {out}: {error.strerror}; name another --out") from error
    try:
        yield temporary
        temporary.replace(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
