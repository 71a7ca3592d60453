"""Blocks to one cohort file: settle everybody's role, then copy row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort import layout
from cardionets_core.cohort.assigning import Assigner
from cardionets_core.cohort.parts import Part, PartTable, read_table
from cardionets_core.cohort.roles import RoleConfig
from cardionets_core.cohort.splits import ROLES, SPLITS, Assignment, Draws

DUPLICATE_FLAG = "duplicate-signal"


@dataclass
class Plan:
    """What goes into the file, settled before anything is written.

    Attributes:
        kept: For each part, its rows that go in, counted from its start.
        places: For each part, role, split and fold of these rows, (kept, 3) as stored.
        quarantine: Subject id, record id and reason of every record left out.
        new_records: Record ids that are kept or left out here, other than an extended cohort's.
        persons: Subject ids of all rows.
        duplicates: Fingerprints that belong to more than one person.
        flags: Names of quality flags, in the order of their bits.
        text_columns: Extra columns that hold text.
        number_columns: Extra columns that hold numbers.
    """

    kept: list[NDArray[np.int64]] = field(default_factory=list)
    places: list[NDArray[np.int8]] = field(default_factory=list)
    quarantine: list[tuple[bytes, bytes, str]] = field(default_factory=list)
    new_records: set[bytes] = field(default_factory=set)
    persons: set[bytes] = field(default_factory=set)
    duplicates: set[int] = field(default_factory=set)
    flags: list[str] = field(default_factory=list)
    text_columns: set[str] = field(default_factory=set)
    number_columns: set[str] = field(default_factory=set)

    @property
    def rows(self) -> int:
        """Number of rows of the file."""
        return sum(len(kept) for kept in self.kept)


def settle(parts: Iterable[Part], config: RoleConfig) -> Plan:
    """Give every record its role and split, or the reason why it is left out.

    Args:
        parts: Everything that the file is made of, in the order of the source.
        config: Shares of roles and splits.
    """
    plan, assigner = Plan(), Assigner(config)
    flags: set[str] = {DUPLICATE_FLAG}
    for part in parts:
        table = read_table(part)
        _settle_part(part, table, assigner, plan)
        for extra in table.extras:
            flags.update(extra.flags)
            for name, value in extra.attributes.items():
                (plan.text_columns if isinstance(value, str) else plan.number_columns).add(name)
    # A column that holds text somewhere is text everywhere.
    plan.number_columns -= plan.text_columns
    plan.duplicates = assigner.duplicates
    plan.flags = sorted(flags)
    return plan


def _settle_part(part: Part, table: PartTable, assigner: Assigner, plan: Plan) -> None:
    columns = table.columns
    kept: list[int] = []
    places: list[tuple[int, int, int]] = []
    for row, (subject_id, record_id, fingerprint) in enumerate(
        zip(
            columns["subject/subject_id"],
            columns["subject/record_id"],
            columns["ecg/fingerprint"].tolist(),
            strict=True,
        )
    ):
        if part.finished:
            there = _stored_place(columns, row)
            assigner.keep(subject_id, record_id, fingerprint, there)
        else:
            plan.new_records.add(record_id)
            asked = int(table.asked_role[row])
            settled = assigner.settle(
                subject_id,
                record_id,
                fingerprint,
                Draws(*table.draws[row].tolist()),
                None if asked == layout.UNKNOWN else ROLES[asked],
            )
            if isinstance(settled, str):
                plan.quarantine.append((subject_id, record_id, settled))
                continue
            there = settled
        kept.append(row)
        plan.persons.add(subject_id)
        places.append((ROLES.index(there.role), SPLITS.index(there.split), there.fold))
    plan.kept.append(np.array(kept, dtype=np.int64))
    plan.places.append(np.array(places, dtype=np.int8).reshape(-1, 3))


def _stored_place(columns: Mapping[str, NDArray[Any]], row: int) -> Assignment:
    role, split, fold = (int(columns[f"subject/{n}"][row]) for n in ("role", "split", "fold"))
    return Assignment(ROLES[role], SPLITS[split], fold)


def write(
    path: Path, parts: Iterable[Part], plan: Plan, provenance: Mapping[str, str | int | bool]
) -> str:
    """Write the cohort file.

    Args:
        path: Where to write; overwritten.
        parts: What ``plan`` was settled on, in the same order.
        plan: Which rows, and where they belong.
        provenance: Attributes of the provenance group.

    Returns:
        The content hash: of everything stored but ids and provenance.

    Raises:
        OSError: If the disk is full or cannot be written.
    """
    content = hashlib.sha256(f"{layout.LAYOUT_NAME} {layout.LAYOUT_VERSION}".encode())
    with h5py.File(path, "w", libver=layout.LIBVER) as file:
        _create(file, plan)
        at = 0
        for part, kept, places in zip(parts, plan.kept, plan.places, strict=True):
            _copy_part(file, at, part, kept, places, plan, content)
            at += len(kept)
        for place, name in enumerate(layout.QUARANTINE):
            layout.append(file, {name: [entry[place] for entry in plan.quarantine]})
        file.create_group("provenance").attrs.update(provenance)
        file.attrs["layout"] = layout.LAYOUT_NAME
        file.attrs["layout_version"] = layout.LAYOUT_VERSION
        file.attrs["content_hash"] = content.hexdigest()
    return content.hexdigest()


def _create(file: h5py.File, plan: Plan) -> None:
    layout.create_columns(file, plan.rows)
    layout.create_tables(file)
    file.create_dataset("quality/details", shape=(plan.rows,), dtype=layout.TEXT)
    file["quality/flags"].attrs["names"] = plan.flags
    extra = file.create_group("attributes")
    for name in sorted(plan.text_columns):
        extra.create_dataset(name, shape=(plan.rows,), dtype=layout.TEXT)
    for name in sorted(plan.number_columns):
        extra.create_dataset(name, shape=(plan.rows,), dtype="f8", fillvalue=np.nan)


def _copy_part(
    file: h5py.File,
    at: int,
    part: Part,
    kept: NDArray[np.int64],
    places: NDArray[np.int8],
    plan: Plan,
    content: Any,
) -> None:
    """Write a part's rows from row ``at`` on, and add them to the content hash."""
    if not len(kept):
        return
    table = read_table(part)
    rows = slice(at, at + len(kept))
    columns = {name: values[kept] for name, values in table.columns.items()}
    for place, name in enumerate(("role", "split", "fold")):
        columns[f"subject/{name}"] = places[:, place]
    extras = [table.extras[row] for row in kept]
    columns["quality/flags"] = _bits(extras, columns["ecg/fingerprint"], plan)
    for name, values in columns.items():
        file[name][rows] = values
    file["quality/details"][rows] = [extra.details for extra in extras]
    for name, dataset in file["attributes"].items():
        absent: str | float = "" if name in plan.text_columns else np.nan
        found = [extra.attributes.get(name, absent) for extra in extras]
        dataset[rows] = [str(v) for v in found] if name in plan.text_columns else found
    layout.append(file, _diagnoses(table, kept, at))
    _copy_bulky(file, at, part, kept, columns)
    content.update(columns["subject/digest"].tobytes() + places.tobytes())


def _bits(extras: list[Any], fingerprints: NDArray[np.uint64], plan: Plan) -> NDArray[np.uint32]:
    """Quality flags as bits; a signal that two persons share is flagged at both."""
    bits = np.zeros(len(extras), dtype=np.uint32)
    for row, (extra, fingerprint) in enumerate(zip(extras, fingerprints.tolist(), strict=True)):
        names = set(extra.flags) - {DUPLICATE_FLAG}
        if fingerprint in plan.duplicates:
            names.add(DUPLICATE_FLAG)
        bits[row] = sum(1 << plan.flags.index(name) for name in names)
    return bits


def _diagnoses(table: PartTable, kept: NDArray[np.int64], at: int) -> dict[str, NDArray[Any]]:
    """The kept rows' diagnoses, with row numbers of the file."""
    new_row = np.full(len(table.extras), -1, dtype=np.int64)
    new_row[kept] = np.arange(at, at + len(kept))
    moved = new_row[table.diagnoses["diagnoses/row"]]
    columns = {name: values[moved >= 0] for name, values in table.diagnoses.items()}
    columns["diagnoses/row"] = moved[moved >= 0]
    return columns


def _copy_bulky(
    file: h5py.File,
    at: int,
    part: Part,
    kept: NDArray[np.int64],
    columns: Mapping[str, NDArray[Any]],
) -> None:
    """Copy signals and cines chunk by chunk, as they are on disk: nothing is packed anew."""
    with h5py.File(part.path, "r", locking=False) as source:
        for column in layout.BULKY:
            present = columns[f"{column.name.split('/')[0]}/present"]
            rest = (0,) * len(column.shape)
            for place in np.flatnonzero(present).tolist():
                row = part.start + int(kept[place])
                skipped, chunk = source[column.name].id.read_direct_chunk((row, *rest))
                file[column.name].id.write_direct_chunk((at + place, *rest), chunk, skipped)
