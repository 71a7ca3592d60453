"""The three tables of the release, joined by study in a database on disk.

800,035 rows each do not belong into memory. The database is private to the process that lists the
records and is gone with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from cardionets_core.errors import SourceError
from cardionets_core.source_tables import new_private_database
from cardionets_mimic.labels import Label
from cardionets_mimic.measurements import Measurement
from cardionets_mimic.record_list import Listed

if TYPE_CHECKING:
    import sqlite3

_TABLES = """
CREATE TABLE record (
    row INTEGER PRIMARY KEY, subject TEXT, record TEXT, study INTEGER, path TEXT, time TEXT,
    problem TEXT
);
CREATE TABLE label (
    study INTEGER PRIMARY KEY, subject TEXT, sex TEXT, age_years REAL, fold INTEGER, codes TEXT,
    attributes TEXT, problem TEXT
);
CREATE TABLE measurement (study INTEGER PRIMARY KEY, attributes TEXT);
"""
_INSERT_LABEL = """
INSERT INTO label VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (study) DO UPDATE
SET problem = 'the labels have this record twice, and differently; needed one row of it'
WHERE (subject, sex, age_years, fold, codes, attributes, problem) IS NOT
    (excluded.subject, excluded.sex, excluded.age_years, excluded.fold, excluded.codes,
     excluded.attributes, excluded.problem)
"""
# What goes with a person, whichever of the records says so.
_FOLDS = """
CREATE TABLE fold AS
SELECT record.subject AS subject, min(label.fold) AS lowest, max(label.fold) AS highest
FROM record JOIN label USING (study) WHERE label.fold IS NOT NULL GROUP BY record.subject;
CREATE UNIQUE INDEX fold_subject ON fold (subject);
"""
_ROWS = """
SELECT record.subject, record.record, record.path, record.problem,
    label.subject, label.sex, label.age_years, label.codes, label.attributes, label.problem,
    measurement.attributes, fold.lowest, fold.highest
FROM listed JOIN record USING (row)
LEFT JOIN label USING (study) LEFT JOIN measurement USING (study)
LEFT JOIN fold ON fold.subject = record.subject
ORDER BY listed.row
"""


class Joined(NamedTuple):
    """All that the tables say about one listed ECG; the folds are those of all the person's."""

    subject: str
    record: str
    path: str
    problem: str | None
    label_subject: str | None
    sex: Literal["female", "male"] | None
    age_years: float | None
    codes: str | None
    label_attributes: str | None
    label_problem: str | None
    measured_attributes: str | None
    lowest_fold: int | None
    highest_fold: int | None


class Index:
    """The database, being filled: records first, then whatever there is, then ``finish``."""

    def __init__(self) -> None:
        self.database = new_private_database()
        self.database.executescript(_TABLES)

    def add_records(self, rows: Iterable[Listed]) -> None:
        """Add the record list, in its order."""
        self.database.executemany(
            "INSERT INTO record (subject, record, study, path, time, problem) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )

    def add_labels(self, rows: Iterable[Label], path: Path) -> None:
        """Add the labels.

        Raises:
            SourceError: If not one of them is about a record of the list.
        """
        self.database.executemany(_INSERT_LABEL, map(_as_text, rows))
        matching = "SELECT 1 FROM record JOIN label USING (study) LIMIT 1"
        if self.database.execute(matching).fetchone() is None:
            raise SourceError(
                f"{path.name}: not one of its studies is in the record list; needed the labels of "
                "this release (those of the demo and of the full release differ)"
            )

    def add_measurements(self, rows: Iterable[Measurement]) -> None:
        """Add the machine measurements; of several of one ECG the first counts."""
        self.database.executemany(
            "INSERT OR IGNORE INTO measurement VALUES (?, ?)",
            ((row.study, json.dumps(row.attributes)) for row in rows),
        )

    def finish(self) -> None:
        """Gather what goes with each person, and list every record."""
        self.database.executescript(_FOLDS)
        self.database.execute("CREATE TABLE listed AS SELECT row FROM record")

    def rows(self) -> Iterator[Joined]:
        """Every listed record, in the order of the record list."""
        cursor: sqlite3.Cursor = self.database.execute(_ROWS)
        return map(Joined._make, cursor)

    def counts(self) -> tuple[int, int]:
        """Listed records, and the persons whom they belong to."""
        found: tuple[int, int] = self.database.execute(
            "SELECT count(*), count(DISTINCT subject) FROM listed JOIN record USING (row)"
        ).fetchone()
        return found


def _as_text(label: Label) -> tuple[object, ...]:
    return label._replace(attributes=json.dumps(label.attributes))  # type: ignore[arg-type]
