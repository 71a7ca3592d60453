"""Blocks to one cohort file, row by row, once everybody's place is settled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort import layout
from cardionets_core.cohort.opening import open_hdf5
from cardionets_core.cohort.parts import Extras, Part, PartTable, read_table
from cardionets_core.cohort.settling import DUPLICATE_FLAG, Plan
from cardionets_core.cohort.synthetic import require_in_training


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
        The content hash: of everything stored but ids, quarantine and provenance.

    Raises:
        LeakageError: If the plan puts a synthetic record anywhere but into the training split.
        OSError: If the disk is full or cannot be written.
    """
    # A file that an earlier failure left half open must not be written over, but replaced.
    path.unlink(missing_ok=True)
    with h5py.File(path, "w", libver=layout.LIBVER) as file:
        _create(file, plan)
        copier = _Copier(file, plan)
        for part, kept, places in zip(parts, plan.kept, plan.places, strict=True):
            if len(kept):
                copier.copy(part, kept, places)
        for place, name in enumerate(layout.QUARANTINE):
            layout.append(file, {name: [entry[place] for entry in plan.quarantine]})
        file.create_group("provenance").attrs.update(provenance)
        file.attrs["layout"] = layout.LAYOUT_NAME
        file.attrs["layout_version"] = layout.LAYOUT_VERSION
        file.attrs["content_hash"] = copier.content.hexdigest()
        return copier.content.hexdigest()


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


class _Copier:
    """Appends parts to the file and keeps the content hash."""

    def __init__(self, file: h5py.File, plan: Plan) -> None:
        self.file = file
        self.plan = plan
        self.at = 0
        self.content = hashlib.sha256(f"{layout.LAYOUT_NAME} {layout.CONTENT_VERSION}".encode())

    def copy(self, part: Part, kept: NDArray[np.int64], places: NDArray[np.int8]) -> None:
        """Append a part's kept rows."""
        table = read_table(part)
        extras = [table.extras[row] for row in kept]
        columns = {name: values[kept] for name, values in table.columns.items()}
        for place, name in enumerate(("role", "split", "fold")):
            columns[f"subject/{name}"] = places[:, place]
        require_in_training(columns, self.file.filename)
        columns["quality/flags"] = _bits(extras, columns["ecg/fingerprint"], self.plan)
        rows = slice(self.at, self.at + len(kept))
        for name, values in columns.items():
            self.file[name][rows] = values
        self._copy_extras(rows, extras)
        layout.append(self.file, _diagnoses(table, kept, self.at))
        self._copy_bulky(part, kept, columns)
        # Row by row, so that the hash does not depend on how rows were dealt into parts.
        self.content.update(np.hstack([columns["subject/digest"], places.view("u1")]).tobytes())
        self.at += len(kept)

    def _copy_extras(self, rows: slice, extras: list[Extras]) -> None:
        self.file["quality/details"][rows] = [extra.details for extra in extras]
        for name in self.plan.text_columns:
            texts = [str(extra.attributes.get(name, "")) for extra in extras]
            self.file[f"attributes/{name}"][rows] = texts
        for name in self.plan.number_columns:
            numbers = [extra.attributes.get(name, np.nan) for extra in extras]
            self.file[f"attributes/{name}"][rows] = numbers

    def _copy_bulky(
        self, part: Part, kept: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]
    ) -> None:
        """Copy signals and cines chunk by chunk, as they are on disk: nothing is packed anew."""
        with open_hdf5(part.path) as source:
            for column in layout.BULKY:
                present = columns[f"{column.name.split('/')[0]}/present"]
                read, write = source[column.name].id, self.file[column.name].id
                rest = (0,) * len(column.shape)
                for place in np.flatnonzero(present).tolist():
                    row = part.start + int(kept[place])
                    skipped_filters, chunk = read.read_direct_chunk((row, *rest))
                    write.write_direct_chunk((self.at + place, *rest), chunk, skipped_filters)


def _bits(extras: list[Extras], fingerprints: NDArray[np.uint64], plan: Plan) -> NDArray[np.uint32]:
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
