"""What a cohort is put together from: finished blocks, and the cohort that is being extended."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort import layout
from cardionets_core.cohort.opening import open_hdf5
from cardionets_core.cohort.splits import Draws

_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """Rows ``start`` to ``stop`` of a block's file, or of a finished cohort."""

    path: Path
    start: int
    stop: int
    finished: bool

    @property
    def rows(self) -> slice:
        """The rows as a slice."""
        return slice(self.start, self.stop)


class Extras(NamedTuple):
    """Kinds of quality flags, the flags in words, and extra columns of the source."""

    flags: tuple[str, ...]
    details: str
    attributes: dict[str, str | float]


@dataclass(frozen=True, eq=False)
class PartTable:
    """Everything small of a part, (rows, ...).

    Attributes:
        columns: Small columns by name.
        asked: Role and split that the source asks for, (rows, 2), or ``layout.UNKNOWN``.
        draws: Uniform numbers of role, split and fold, (rows, 3).
        extras: What has no fixed width, row by row.
        diagnoses: Ragged columns by name; rows are counted from the start of the part.
    """

    columns: dict[str, NDArray[Any]]
    asked: NDArray[np.int8]
    draws: NDArray[np.float64]
    extras: list[Extras]
    diagnoses: dict[str, NDArray[Any]]


def parts_of(path: Path, *, finished: bool) -> Iterator[Part]:
    """Cut a file into parts whose tables fit into memory."""
    with open_hdf5(path) as file:
        rows = len(file["subject/record_id"])
    for start in range(0, rows, _ROWS_AT_ONCE):
        yield Part(path, start, min(start + _ROWS_AT_ONCE, rows), finished)


def quarantined(path: Path) -> list[tuple[bytes, bytes, str]]:
    """Subject id, record id and reason of every record that a file's making left out."""
    with open_hdf5(path) as file:
        subject_ids, record_ids, reasons = (file[name] for name in layout.QUARANTINE)
        return list(zip(subject_ids[:], record_ids[:], reasons.asstr()[:], strict=True))


def read_table(part: Part) -> PartTable:
    """Read everything small of a part."""
    with open_hdf5(part.path) as file:
        count = part.stop - part.start
        columns = {c.name: layout.rows_of(file, c.name, part.rows) for c in layout.SMALL}
        if part.finished:
            asked = np.full((count, 2), layout.UNKNOWN, dtype=np.int8)
            draws = np.zeros((count, len(Draws._fields)))
            extras = _finished_extras(file, part.rows)
        else:
            asked, draws = file["block/asked"][part.rows], file["block/draws"][part.rows]
            extras = [Extras(*json.loads(text)) for text in file["block/extras"].asstr()[part.rows]]
        return PartTable(columns, asked, draws, extras, _diagnoses(file, part))


def _finished_extras(file: h5py.File, rows: slice) -> list[Extras]:
    """Flags and attributes of a finished cohort's rows, by name."""
    names = [str(name) for name in file["quality/flags"].attrs["names"]]
    details = file["quality/details"].asstr()[rows]
    bits = file["quality/flags"][rows]
    extras = [
        Extras(flag_names(int(flags), names), str(words), {})
        for flags, words in zip(bits, details, strict=True)
    ]
    for name, dataset in file["attributes"].items():
        for extra, value in zip(extras, attribute_values(dataset, rows), strict=True):
            if value is not None:
                extra.attributes[name] = value
    return extras


def flag_names(bits: int, names: Sequence[str]) -> tuple[str, ...]:
    """Names of the bits that are set."""
    return tuple(name for bit, name in enumerate(names) if bits >> bit & 1)


def attribute_values(dataset: h5py.Dataset, rows: slice | int) -> list[str | float | None]:
    """Values of an extra column; None where the source gave none."""
    if h5py.check_string_dtype(dataset.dtype) is None:
        numbers = np.atleast_1d(dataset[rows])
        return [None if np.isnan(number) else float(number) for number in numbers]
    texts = np.atleast_1d(dataset.asstr()[rows])
    return [str(text) or None for text in texts]


def _diagnoses(file: h5py.File, part: Part) -> dict[str, NDArray[Any]]:
    """The part of the ragged table that belongs to a part; its rows are in ascending order."""
    first, last = (bisect_left(file["diagnoses/row"], row) for row in (part.start, part.stop))
    table = {name: file[name][first:last] for name in layout.DIAGNOSES}
    table["diagnoses/row"] = table["diagnoses/row"] - part.start
    return table
