"""``record_list.csv``: which ECGs there are, whose, from when, and where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cardionets_core.errors import ConfigError, SourceError
from cardionets_core.source_tables import Table
from cardionets_mimic.cells import id_or_none, time_or_none

FILE_NAME = "record_list.csv"


class Listed(NamedTuple):
    """One row.

    Attributes:
        subject: The person: the number, or whatever stands there.
        record: The ECG, likewise.
        study: The ECG as a number, to look it up by; None if it is none.
        path: Path of the record below the folder, without ending.
        time: When it was taken, as text that sorts; None if unknown.
        problem: Why the row cannot be used; None if it can.
    """

    subject: str
    record: str
    study: int | None
    path: str
    time: str | None
    problem: str | None


def find_table(folder: Path, name: str) -> Path | None:
    """A table of the release, as it is or compressed; None if it is not there."""
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def read_record_list(source: Path) -> Iterator[Listed]:
    """Every row, in order.

    Raises:
        ConfigError: If the folder does not hold the table.
        SourceError: If the table cannot be read or lists nothing.
    """
    path = find_table(source, FILE_NAME)
    if path is None:
        raise ConfigError(
            f"source {source}: no {FILE_NAME} in it; needed the folder of the MIMIC-IV-ECG release "
            "that holds that table and the folder files"
        )
    table = Table(path)
    subject, study, where = map(table.require, ("subject_id", "study_id", "path"))
    time = table.place("ecg_time")
    line = None
    for line in table.rows():
        yield _listed(
            line.number,
            line.cells[subject].strip(),
            line.cells[study].strip(),
            line.cells[where].strip(),
            "" if time is None else line.cells[time],
        )
    if line is None:
        raise SourceError(f"{path.name}: no record is listed; is it cut off? download it again")


def _listed(number: int, subject: str, study: str, path: str, time: str) -> Listed:
    whose, which = id_or_none(subject), id_or_none(study)
    problem = None
    if whose is None or which is None:
        what = "subject_id" if whose is None else "study_id"
        problem = f"a {what} in {FILE_NAME} that is no whole number; needed one"
    elif not path:
        problem = f"no path in {FILE_NAME}; needed that of the record"
    return Listed(
        subject if whose is None else str(whose),
        # Rows without an id stay apart: each is told on its own.
        str(which or study or f"line {number}"),
        which,
        path,
        time_or_none(time),
        problem,
    )
