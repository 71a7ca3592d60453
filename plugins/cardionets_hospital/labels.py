"""The labels table of a hospital, taken row by row into the database beside the files.

What is wrong in it is told by the line. Nothing out of a cell is ever quoted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

from cardionets_core.cmr.phenotypes import FIELD_IDS
from cardionets_core.errors import ConfigError, SourceError
from cardionets_core.source_files import inside
from cardionets_core.source_tables import Line, Table
from cardionets_hospital import cells
from cardionets_hospital.archive import Archive

NIFTI_ENDINGS = (".nii", ".nii.gz")
# More different texts than this are names or remarks, and no classes.
MOST_CLASSES = 50
_SHOWN_LINES = 10
Sex = Literal["female", "male"]
_TABLE = """
    CREATE TABLE rows (
        line INTEGER PRIMARY KEY, file INTEGER, person TEXT, split TEXT, acquired TEXT, facts TEXT
    );
    CREATE INDEX rows_by_file ON rows (file);
    CREATE INDEX rows_by_person ON rows (person);
"""


class Facts(NamedTuple):
    """What a row says of one record, apart from whose it is.

    Attributes:
        label: As text; as a number where all labels of the table are.
        sex: ``female``, ``male`` or None.
        age_years: At the ECG.
        icd10: Codes without dots; None where nothing is known.
        phenotypes: UK Biobank field id and value.
        cmr_path: Path of the paired CMR below the source, or an empty text.
    """

    label: str | float | None = None
    sex: Sex | None = None
    age_years: float | None = None
    icd10: tuple[str, ...] | None = None
    phenotypes: tuple[tuple[int, float], ...] = ()
    cmr_path: str = ""

    def packed(self) -> str:
        """As text."""
        return json.dumps(self)

    @classmethod
    def unpacked(cls, text: str) -> Facts:
        """What ``packed`` made."""
        label, sex, age_years, icd10, phenotypes, cmr_path = json.loads(text)
        return cls(
            label,
            sex,
            age_years,
            None if icd10 is None else tuple(icd10),
            tuple((int(field_id), float(value)) for field_id, value in phenotypes),
            cmr_path,
        )


@dataclass
class Labels:
    """What was found in the table as a whole.

    Attributes:
        numeric: Every label is a number.
        astray: Rows that name no ECG below the source.
    """

    numeric: bool = True
    astray: int = 0
    _classes: set[str] = field(default_factory=set)

    def note_label(self, label: str | None) -> None:
        """Keep count of what kind of labels there are."""
        if label is None:
            return
        try:
            cells.number_of(label)
        except cells.CellError:
            self.numeric = False
            if len(self._classes) <= MOST_CLASSES:
                self._classes.add(label)

    def check(self, name: str) -> None:
        """Refuse a column that is no label.

        Raises:
            SourceError: If it has too many different texts.
        """
        if len(self._classes) > MOST_CLASSES:
            raise SourceError(
                f"{name}: more than {MOST_CLASSES} different texts in the column label; needed "
                "numbers or classes: is it the right column?"
            )


class _Complaints:
    """Lines that cannot be used, by what was needed in them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: dict[str, list[int]] = {}
        self._counts: dict[str, int] = {}

    def add(self, line: int, told: str) -> None:
        self._counts[told] = self._counts.get(told, 0) + 1
        lines = self._lines.setdefault(told, [])
        if len(lines) < _SHOWN_LINES:
            lines.append(line)

    def raise_if_any(self) -> None:
        if not self._counts:
            return
        told = "; ".join(
            f"{in_lines(lines, self._counts[what])}: {what}" for what, lines in self._lines.items()
        )
        raise SourceError(f"{self._name}: {told}")


def in_lines(lines: list[int], count: int) -> str:
    """``line 4``, or ``lines 4, 9, 12 and 7 more``."""
    shown = ", ".join(map(str, lines[:_SHOWN_LINES]))
    more = count - min(len(lines), _SHOWN_LINES)
    return f"line{'s' if count > 1 else ''} {shown}" + (f" and {more} more" if more else "")


def read_labels(path: Path, archive: Archive) -> Labels:
    """Take a table into the table ``rows`` of the archive's database.

    Args:
        path: The table.
        archive: The files that it is about.

    Raises:
        SourceError: If it lacks a needed column or cannot be read, or a row cannot be understood,
            names no person or several files, leads out of the source, or names a file twice.
        ConfigError: If it pairs NIfTI files and their reader is not installed.
    """
    table = Table(path)
    reader = _Reader(table, archive)
    archive.database.executescript(_TABLE)
    complaints = _Complaints(path.name)
    for line in table.rows():
        try:
            reader.take(line)
        except (cells.CellError, SourceError) as error:
            complaints.add(line.number, str(error))
    _complain_of_doubles(archive.database, complaints)
    complaints.raise_if_any()
    reader.labels.check(path.name)
    return reader.labels


class _Reader:
    """Reads the rows of one table."""

    def __init__(self, table: Table, archive: Archive) -> None:
        self.labels = Labels()
        self._archive = archive
        self._file = table.require("file")
        self._person = table.require("patient_id")
        named = ("label", "acquired_at", "split", "cmr_path", "sex", "age_years", "icd10")
        self._places = {name: table.place(name) for name in named}
        self._phenotypes = {
            field_id: place
            for field_id in FIELD_IDS
            if (place := table.place(str(field_id))) is not None
        }

    def take(self, line: Line) -> None:
        """Put one row into the database."""
        person = line.cells[self._person].strip()
        if cells.is_unknown(person):
            raise cells.CellError("no patient_id; a record of nobody could be in two splits")
        if len(person.splitlines()) > 1:
            raise cells.CellError("patient_id goes over several lines; is a quote out of place?")
        file = self._find(line.cells[self._file].strip())
        self.labels.astray += file is None
        acquired = self._cell(line, "acquired_at", cells.moment_of)
        split = self._cell(line, "split", cells.split_of)
        facts = self._facts(line)
        self.labels.note_label(self._cell(line, "label", cells.label_of))
        self._archive.database.execute(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)",
            (line.number, file, person, split, acquired and acquired.isoformat(), facts.packed()),
        )

    def _find(self, name: str) -> int | None:
        """The record that a row is about, if it is there."""
        if not name:
            return None
        found = self._archive.find(name)
        if found is None:
            path = inside(self._archive.source, name)
            # A name that no file can have is an error of the system's own.
            with suppress(OSError):
                found = self._archive.add_unknown(path) if path.is_file() else None
        return found

    def _facts(self, line: Line) -> Facts:
        values = {
            field_id: self._read(f"{field_id}", line.cells[place], cells.number_of)
            for field_id, place in self._phenotypes.items()
        }
        return Facts(
            label=self._cell(line, "label", cells.label_of),
            sex=self._cell(line, "sex", cells.sex_of),
            age_years=self._cell(line, "age_years", cells.age_of),
            icd10=self._cell(line, "icd10", cells.codes_of),
            phenotypes=tuple((i, value) for i, value in values.items() if value is not None),
            cmr_path=self._cell(line, "cmr_path", self._cmr_path) or "",
        )

    def _cmr_path(self, cell: str) -> str:
        if cells.is_unknown(cell):
            return ""
        inside(self._archive.source, cell.strip())
        if cell.strip().lower().endswith(NIFTI_ENDINGS):
            require_nifti()
        return cell.strip()

    def _cell(self, line: Line, name: str, read: Callable[[str], Any]) -> Any:
        place = self._places[name]
        return None if place is None else self._read(name, line.cells[place], read)

    def _read(self, name: str, cell: str, read: Callable[[str], Any]) -> Any:
        try:
            return read(cell)
        except (cells.CellError, SourceError) as error:
            raise cells.CellError(f"column {name}: {error}") from None


def require_nifti() -> None:
    """Say how to install the reader of NIfTI before hours are spent without it.

    Raises:
        ConfigError: If it is missing.
    """
    if find_spec("nibabel") is None:
        raise ConfigError(
            "labels: cmr_path names NIfTI files, which need another package: "
            "pip install 'cardionets[imaging]'"
        )


def _complain_of_doubles(database: sqlite3.Connection, complaints: _Complaints) -> None:
    doubles = database.execute(
        "SELECT MIN(line), MAX(line) FROM rows WHERE file IS NOT NULL "
        "GROUP BY file HAVING COUNT(*) > 1 ORDER BY 1"
    )
    for first, last in doubles:
        complaints.add(last, f"names the same record as line {first}; needed one row for each")
