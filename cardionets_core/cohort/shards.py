"""Blocks of records on their way into a cohort: each is a small file, there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cardionets_core.cohort import layout
from cardionets_core.cohort.encoding import Row, encode
from cardionets_core.cohort.files import disk_errors_in_one_line, write_whole
from cardionets_core.cohort.opening import open_hdf5
from cardionets_core.cohort.reasons import quarantine_reason
from cardionets_core.cohort.splits import ROLES, SPLITS, Draws
from cardionets_core.errors import CohortError
from cardionets_core.interfaces import Dataset, SubjectRef

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Item:
    """One record to read: where it is, and what it will be called. Holds no key."""

    ref: SubjectRef
    subject_id: str
    record_id: str
    draws: Draws


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive records of the source, and the file that they go into."""

    items: tuple[Item, ...]
    path: Path

    def digest(self) -> str:
        """What the block holds; a finished file of another digest is not reused.

        What a source's tables say of a record goes with its location: were it not part of this, a
        table that is corrected before an interrupted run goes on would hold for half the cohort.
        """
        parts = [
            (i.record_id, i.subject_id, i.ref.role, i.ref.split, i.ref.origin, _told(i.ref))
            for i in self.items
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _told(ref: SubjectRef) -> str:
    """A location as text, without places in memory, which are others every time."""
    return _ADDRESS.sub("", repr(ref.location))


def is_finished(block: Block) -> bool:
    """True if the block's file is there, whole, and of these very records."""
    try:
        with open_hdf5(block.path) as file:
            return bool(file.attrs["block"] == block.digest())
    except (OSError, KeyError):
        return False


def read_and_write(dataset: Dataset, block: Block) -> int:
    """Read a block's records and write its file; runs in a worker process.

    A record that cannot be read goes into the file's quarantine table and stops nothing.

    Args:
        dataset: The source.
        block: What to read.

    Returns:
        Number of records dealt with.

    Raises:
        CohortError: If the file cannot be written.
    """
    rows, failed = read_items(dataset, block.items)
    write_block(block, rows, failed)
    return len(block.items)


def read_items(
    dataset: Dataset, items: Iterable[Item]
) -> tuple[list[tuple[Item, Row]], list[tuple[Item, str]]]:
    """Read records into the form of the store.

    Args:
        dataset: The source.
        items: Which.

    Returns:
        Records that could be read, and those that could not, with the reason.
    """
    rows: list[tuple[Item, Row]] = []
    failed: list[tuple[Item, str]] = []
    for item in items:
        try:
            rows.append((item, _read(dataset, item)))
        except Exception as error:  # noqa: BLE001 - whatever a reader raises, the others go on
            failed.append((item, quarantine_reason(error, item.ref)))
    return rows, failed


def write_block(block: Block, rows: list[tuple[Item, Row]], failed: list[tuple[Item, str]]) -> None:
    """Write a block's file, whole or not at all.

    Args:
        block: Which.
        rows: Records that could be read.
        failed: Those that could not, with the reason.

    Raises:
        CohortError: If the file cannot be written.
    """
    with disk_errors_in_one_line(block.path.parent):
        write_whole(block.path, block_image(block, rows, failed))


def _read(dataset: Dataset, item: Item) -> Row:
    ref = item.ref
    if not ref.subject_key or not ref.record_key:
        raise CohortError("the source gives no id of the subject or of the record")
    row = encode(dataset.read(ref), ref.origin)
    row.values["subject/subject_id"] = item.subject_id.encode()
    row.values["subject/record_id"] = item.record_id.encode()
    return row


def block_image(
    block: Block, rows: list[tuple[Item, Row]], failed: list[tuple[Item, str]]
) -> bytes:
    """The block's HDF5 file as bytes, built in memory so that it can be written in one go."""
    # HDF5 knows files in memory by their names too: threads must not use the same one.
    name = f"{block.path}.image"
    with h5py.File(name, "w", driver="core", backing_store=False, libver=layout.LIBVER) as file:
        layout.create_columns(file, len(rows))
        layout.create_tables(file)
        _fill_columns(file, [row for _, row in rows])
        layout.append(file, _diagnosis_columns([row for _, row in rows]))
        layout.append(file, _quarantine_columns(failed))
        asked = [(_place(ROLES, item.ref.role), _place(SPLITS, item.ref.split)) for item, _ in rows]
        file["block/asked"] = np.array(asked, dtype=np.int8).reshape(-1, 2)
        file["block/draws"] = np.array([i.draws for i, _ in rows]).reshape(-1, len(Draws._fields))
        extras = [json.dumps([r.flags, r.details, r.attributes]) for _, r in rows]
        file.create_dataset("block/extras", data=np.array(extras, dtype=object), dtype=layout.TEXT)
        file.attrs["block"] = block.digest()
        file.flush()
        return bytes(file.id.get_file_image())


def _place(names: tuple[str, ...], name: str | None) -> int:
    return layout.UNKNOWN if name is None else names.index(name)


def _fill_columns(file: h5py.File, rows: list[Row]) -> None:
    """Write what the rows hold; small columns in one go, as HDF5 takes its time for every call."""
    for column in layout.COLUMNS:
        there = [(i, r.values[column.name]) for i, r in enumerate(rows) if column.name in r.values]
        if not there:
            continue
        dataset = file[column.name]
        target = dataset if column.bulky else dataset[:]
        for place, value in there:
            target[place] = value
        if not column.bulky:
            dataset[:] = target


def _diagnosis_columns(rows: list[Row]) -> dict[str, Any]:
    table = [(place, *diagnosis) for place, row in enumerate(rows) for diagnosis in row.diagnoses]
    return {name: [line[i] for line in table] for i, name in enumerate(layout.DIAGNOSES)}


def _quarantine_columns(failed: list[tuple[Item, str]]) -> dict[str, Any]:
    columns = (
        [item.subject_id.encode() for item, _ in failed],
        [item.record_id.encode() for item, _ in failed],
        [reason for _, reason in failed],
    )
    return dict(zip(layout.QUARANTINE, columns, strict=True))
