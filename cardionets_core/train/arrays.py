"""Arrays that are computed once, kept on disk and read by row: no cohort is held in memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from cardionets_core.errors import CohortError
from cardionets_core.files import move_whole, temporary_beside
from cardionets_core.weights.cache import default_cache_dir

_ROWS_PER_BLOCK = 64


def cached_array(
    name: str,
    key: object,
    *,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    fill: Callable[[NDArray[np.int64]], NDArray[Any]],
    rows: NDArray[np.int64],
    on_block: Callable[[int], None] = lambda _: None,
) -> NDArray[Any]:
    """A memory-mapped array whose rows are computed at first use.

    Args:
        name: What it holds, for the file's name.
        key: Everything its content depends on, as JSON-able data.
        shape: Shape of the whole array; the first axis counts cohort rows.
        dtype: Type of its elements.
        fill: Rows (b,) to their content (b, ...).
        rows: Rows to be computed; the others stay zero and are never read.
        on_block: Told how many rows were computed.

    Returns:
        The array, read-only.

    Raises:
        CohortError: If the disk is full.
    """
    content = [version("cardionets"), key, list(shape), np.dtype(dtype).str]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(rows).tobytes())
    folder = default_cache_dir() / "arrays"
    path = folder / f"{name}-{digest.hexdigest()[:24]}.npy"
    if not path.exists():
        _compute(path, shape, dtype, fill, _blocks(rows), on_block)
    mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped


def drop_arrays() -> int:
    """Delete every array; what is needed again is computed again. Returns how many there were.

    A name does not tell whose records an array holds, and arrays of a cohort's earlier states, or
    of others made of the same people, hold them as well: so all go when somebody withdraws.

    Raises:
        CohortError: If one cannot be deleted.
    """
    folder = default_cache_dir() / "arrays"
    found = [path for path in folder.glob("*") if path.is_file()] if folder.is_dir() else []
    for path in found:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise CohortError(
                f"cannot delete {path}: {error.strerror}; it may hold what is derived from people "
                "who withdrew: delete it"
            ) from error
    return len(found)


def _blocks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[i : i + _ROWS_PER_BLOCK] for i in range(0, len(rows), _ROWS_PER_BLOCK)]


def _compute(
    path: Path,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    fill: Callable[[NDArray[np.int64]], NDArray[Any]],
    blocks: Iterable[NDArray[np.int64]],
    on_block: Callable[[int], None],
) -> None:
    """Fill a temporary file and put it in place, so that a kill leaves no half array."""
    temporary = temporary_beside(path)
    try:
        # Derived from patients' records, so for their user's eyes alone.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _reserve(temporary, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)
        for block in blocks:
            array[block] = fill(block)
            on_block(len(block))
        array.flush()
        del array
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        move_whole(temporary, path)
    except OSError as error:
        raise CohortError(
            f"cannot write {path}: {error.strerror}; free some space or set CARDIONETS_CACHE "
            "to a folder with more"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _reserve(path: Path, size_bytes: int) -> None:
    """Fail now on a full disk: writing to a map without space ends the process with SIGBUS."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, max(size_bytes, 1))
