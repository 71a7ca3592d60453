"""Where drawn cines go: one file, or a new folder that is there in full or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cardionets_core.errors import UsageError
from cardionets_core.evaluate.cine_files import CINE_SUFFIXES, cine_suffix
from cardionets_core.files import temporary_beside
from cardionets_core.weights.atomic import disk_errors

DEFAULT_SUFFIX = ".gif"


def is_folder(out: Path) -> bool:
    """Whether a name stands for a folder of cines: it is one, or has no ending."""
    return out.is_dir() or not out.suffix


def check_output(
    paths: Sequence[Path], out: Path, *, samples: int = 1, suffix: str | None = None
) -> str:
    """Refuse a place where cines cannot be written, before anything is read.

    Args:
        paths: ECG files, folders and cohorts.
        out: Cine file or folder.
        samples: Cines per ECG.
        suffix: Format of the files of a folder; None for GIF. A file's name decides by itself.

    Returns:
        The suffix of what is written.

    Raises:
        UsageError: If a format is unknown or lacks its package, several cines are to become one
            file, a folder is not empty, or an ECG would be replaced.
    """
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}; make it, or name another")
    if is_folder(out):
        if out.is_dir() and any(out.iterdir()):
            raise UsageError(f"--out {out} is a folder with files in it; name a new one")
        return _folder_suffix(suffix)
    found = cine_suffix(out)
    if suffix is not None:
        raise UsageError(f"--format {suffix} is for a folder, and --out {out} is a file; drop one")
    if samples > 1 or len(paths) > 1 or any(path.is_dir() or _is_cohort(path) for path in paths):
        raise UsageError(
            f"--out {out} holds one cine, and several ECGs, samples, a folder or a cohort give "
            "more; name a folder (a name without ending)"
        )
    if out.exists() and any(path.exists() and out.samefile(path) for path in paths):
        raise UsageError(f"{out} is the ECG and would be replaced by the cine; name another --out")
    return found


def _folder_suffix(suffix: str | None) -> str:
    if suffix is None:
        return DEFAULT_SUFFIX
    asked = f".{suffix.lstrip('.').lower()}"
    if asked not in CINE_SUFFIXES:
        known = ", ".join(name[1:] for name in CINE_SUFFIXES)
        raise UsageError(f"--format {suffix}: needed one of {known}")
    return cine_suffix(f"cine{asked}")


def _is_cohort(path: Path) -> bool:
    return path.suffix == ".h5"


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A new folder to write to, which takes its name when the block ends well.

    Args:
        out: Its name; nothing, or an empty folder, may be there.

    Raises:
        WeightsError: If the disk is full or the folder cannot be written; nothing is left.
    """
    temporary = temporary_beside(out)
    try:
        with disk_errors(out):
            temporary.mkdir()
            yield temporary
            if out.is_dir():
                out.rmdir()
            temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
