"""Which records of an archive go into a cohort, and whose they are."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from cardionets_core.errors import SourceError
from cardionets_core.interfaces import SelectionStep, Split, SubjectRef
from cardionets_core.source_tables import new_private_database
from cardionets_hospital.archive import Archive, list_archive
from cardionets_hospital.cells import alike, number_of
from cardionets_hospital.config import HospitalConfig
from cardionets_hospital.labels import Facts, Labels, in_lines, read_labels

_log = logging.getLogger(__name__)
_SHOWN_PERSONS = 5
_PERSONS = """
    CREATE TABLE persons AS
    SELECT person, MAX(split) AS split, MIN(acquired) AS first FROM rows GROUP BY person;
    CREATE UNIQUE INDEX persons_by_id ON persons (person);
"""
# Files of one moment, and files without one, follow the order of their paths.
_TAKEN = """
    CREATE TABLE taken AS
    SELECT file, line FROM (
        SELECT file, line, ROW_NUMBER() OVER (
            PARTITION BY person ORDER BY acquired {direction}, file {direction}
        ) AS place FROM rows WHERE file IS NOT NULL
    ) WHERE {which};
    CREATE UNIQUE INDEX taken_by_file ON taken (file);
"""
_WHICH = {"all": ("ASC", "TRUE"), "first": ("ASC", "place = 1"), "last": ("DESC", "place = 1")}
_REFS = """
    SELECT files.path, files.shown, files.format, rows.person, persons.split,
        CAST(julianday(date(rows.acquired)) - julianday(date(persons.first)) AS INTEGER), rows.facts
    FROM files {join} JOIN taken ON taken.file = files.id
    LEFT JOIN rows ON rows.line = taken.line
    LEFT JOIN persons ON persons.person = rows.person
    {where} ORDER BY files.id
"""
_NOT_CHOSEN = (
    "WHERE taken.file IS NOT NULL OR files.id NOT IN (SELECT file FROM rows WHERE file IS NOT NULL)"
)


class Location(NamedTuple):
    """What ``read`` needs of one record.

    Attributes:
        path: Path below the source, as the system has it.
        format_name: Name of its format; empty if it is of none.
        days_since_first: Days since the person's first record; None where not known.
        facts: What its row says; None of a file without one.
    """

    path: str
    format_name: str
    days_since_first: int | None = None
    facts: Facts | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Records with their persons, in a database on disk.

    Attributes:
        archive: All ECG records below the source.
        labels: What the table of labels holds as a whole; None without one.
        config: The options.
    """

    archive: Archive
    labels: Labels | None
    config: HospitalConfig

    def refs(self) -> Iterator[SubjectRef]:
        """The records, in the order of their paths."""
        database = self.archive.database
        if self.labels is None:
            for path, shown, name in database.execute(
                "SELECT path, shown, format FROM files ORDER BY id"
            ):
                yield SubjectRef(shown, shown, tuple(Location(os.fsdecode(path), name)))
            return
        for path, shown, name, person, split, days, facts in database.execute(self._refs_query()):
            row = None if facts is None else self._facts(facts)
            yield SubjectRef(
                # A file without a row counts as a person of its own.
                subject_key=person or shown,
                record_key=shown,
                location=Location(os.fsdecode(path), name, days, row),
                split=cast("Split | None", split),
            )

    def _facts(self, packed: str) -> Facts:
        facts = Facts.unpacked(packed)
        if self.labels is None or not self.labels.numeric or facts.label is None:
            return facts
        return facts._replace(label=number_of(str(facts.label)))

    def _refs_query(self) -> str:
        if self.config.unlisted == "include":
            return _REFS.format(join="LEFT", where=_NOT_CHOSEN)
        return _REFS.format(join="", where="")

    def steps(self) -> Iterator[SelectionStep]:
        """From the files of the source to the records that are listed."""
        passed_over = dict(self.archive.passed_over)
        found = self.archive.records
        labels = self.labels
        start = "Files below the source"
        if labels is not None and labels.astray:
            start += ", and rows of the labels without a file"
            passed_over["a row of the labels that names no ECG below the source"] = labels.astray
        yield SelectionStep(start, found + sum(passed_over.values()))
        alone = found if labels is None else None
        yield SelectionStep("ECG records below the source", found, alone, passed_over)
        if labels is not None:
            yield from self._steps_of_labels(found)

    def _steps_of_labels(self, found: int) -> Iterator[SelectionStep]:
        count = self._count
        rows = count("SELECT COUNT(file) FROM rows")
        persons = count("SELECT COUNT(DISTINCT person) FROM rows WHERE file IS NOT NULL")
        without = found - rows
        if self.config.unlisted == "leave-out":
            excluded = {"no row in the labels": without} if without else {}
            yield SelectionStep("ECG records with a row in the labels", rows, persons, excluded)
            without = 0
        if self.config.ecgs_per_person != "all":
            taken = count("SELECT COUNT(*) FROM taken")
            which = self.config.ecgs_per_person
            excluded = {f"not the person's {which}": rows - taken} if rows > taken else {}
            yield SelectionStep(
                f"The {which} ECG of each person", taken + without, persons + without, excluded
            )

    def _count(self, query: str) -> int:
        return int(self.archive.database.execute(query).fetchone()[0])


def make_listing(config: HospitalConfig) -> Listing:
    """List an archive, and take its labels to it.

    Raises:
        ConfigError: If there is no such folder.
        SourceError: If the labels cannot be used; see ``read_labels``. Also if a person is asked
            for in two splits, or the order of a person's ECGs is needed and not known.
    """
    not_these = {config.labels.resolve()} if config.labels else set[Path]()
    archive = list_archive(config.source, new_private_database(), not_these)
    if config.labels is None:
        return Listing(archive, None, config)
    labels = read_labels(config.labels, archive)
    database = archive.database
    _require_a_record(database, config)
    _require_one_split_each(database, config.labels.name)
    _warn_of_look_alikes(database, config.labels.name)
    if config.ecgs_per_person != "all":
        _require_moments(database, config.labels.name)
    database.executescript(_PERSONS)
    direction, which = _WHICH[config.ecgs_per_person]
    database.executescript(_TAKEN.format(direction=direction, which=which))
    return Listing(archive, labels, config)


def _require_a_record(database: sqlite3.Connection, config: HospitalConfig) -> None:
    """A table of another archive, or of other names, is told of at once."""
    rows, files = database.execute("SELECT COUNT(*), COUNT(file) FROM rows").fetchone()
    if files or config.unlisted == "include" or config.labels is None:
        return
    raise SourceError(
        f"{config.labels.name}: none of its {rows} rows names an ECG below the source; needed the "
        "column file as paths below the source, or as file names: is it the right table?"
    )


def _require_one_split_each(database: sqlite3.Connection, name: str) -> None:
    """All records of a person go into one split."""
    found = database.execute(
        "SELECT person FROM rows GROUP BY person HAVING COUNT(DISTINCT split) > 1 "
        "ORDER BY MIN(line)"
    ).fetchmany(_SHOWN_PERSONS)
    if not found:
        return
    told = []
    for (person,) in found:
        lines = database.execute(
            "SELECT MIN(line) FROM rows WHERE person = ? AND split NOT NULL GROUP BY split "
            "ORDER BY 1",
            (person,),
        )
        told.append(" and ".join(str(line) for (line,) in lines))
    raise SourceError(
        f"{name}: lines {'; '.join(told)} put one person into different splits; needed one split "
        "for each person"
    )


def _warn_of_look_alikes(database: sqlite3.Connection, name: str) -> None:
    """Tell of ids that may be one person's; which they are is for the user to know."""
    database.create_function("alike", 1, alike, deterministic=True)
    (count,) = database.execute(
        "SELECT COUNT(*) FROM (SELECT 1 FROM rows GROUP BY alike(person) "
        "HAVING COUNT(DISTINCT person) > 1)"
    ).fetchone()
    if count:
        _log.warning(
            "%s: %d patient_id differ from another one only in leading zeros, capitals or "
            "full-width signs: if that is one person, write one id, or training and test may share "
            "that person",
            name,
            count,
        )


def _require_moments(database: sqlite3.Connection, name: str) -> None:
    found = database.execute(
        "SELECT line FROM rows WHERE acquired IS NULL AND file IS NOT NULL AND person IN ("
        "SELECT person FROM rows WHERE file IS NOT NULL GROUP BY person HAVING COUNT(*) > 1)"
        " ORDER BY line"
    )
    lines = [line for (line,) in found.fetchmany(_SHOWN_PERSONS)]
    if lines:
        count = len(lines) + sum(1 for _ in found)
        raise SourceError(
            f"{name}: {in_lines(lines, count)}: no acquired_at of a person with several ECGs; "
            "needed it for ecgs_per_person first and last"
        )
