"""Files, participants and withdrawals side by side in a database on disk, looked up by id.

Nothing is held in memory: a biobank has half a million participants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cardionets_core.errors import SourceError
from cardionets_core.source_tables import new_private_database
from cardionets_ukb.bulk_files import BulkFile
from cardionets_ukb.facts import Facts
from cardionets_ukb.participants import Row

_SCHEMA = """
CREATE TABLE files (
    participant INTEGER, instance INTEGER, kind TEXT, array_index INTEGER, path TEXT,
    PRIMARY KEY (participant, instance, kind)
) WITHOUT ROWID;
CREATE TABLE facts (participant INTEGER PRIMARY KEY, source TEXT, facts TEXT);
CREATE TABLE withdrawn (participant INTEGER PRIMARY KEY);
"""
# Of several files of one kind the last array counts, as of repeats; of copies the first path.
_PUT_FILE = """
INSERT INTO files VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
SET array_index = excluded.array_index, path = excluded.path
WHERE excluded.array_index > array_index
"""
_LISTED = """
SELECT
    participant,
    withdrawn.participant IS NOT NULL,
    max(CASE kind WHEN 'ecg' THEN path END),
    max(CASE kind WHEN 'cine' THEN path END),
    facts.facts
FROM files
LEFT JOIN withdrawn USING (participant)
LEFT JOIN facts USING (participant)
WHERE instance = ?
GROUP BY participant
ORDER BY participant
"""


class Listed(NamedTuple):
    """One participant with the files of one visit and what the tables say.

    Attributes:
        participant: The id.
        withdrawn: Whether the participant withdrew.
        ecg: File of the ECG, or None.
        cine: File of the cines, or None.
        facts: None without a row in any table.
    """

    participant: int
    withdrawn: bool
    ecg: str | None
    cine: str | None
    facts: Facts | None


class Database:
    """The database; gone with the object."""

    def __init__(self) -> None:
        self._connection = new_private_database()
        self._connection.executescript(_SCHEMA)

    def put_files(self, files: Iterable[BulkFile]) -> int:
        """Take in files; how many there were."""
        count = 0
        for file in files:
            row = (file.participant, file.instance, file.kind, file.array, file.path)
            self._connection.execute(_PUT_FILE, row)
            count += 1
        return count

    def put_withdrawn(self, participants: Iterable[int]) -> None:
        """Take in who withdrew."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO withdrawn VALUES (?)", ((each,) for each in participants)
        )

    def put_facts(self, rows: Iterable[Row]) -> None:
        """Take in what tables say; each adds what the ones before do not have.

        Raises:
            SourceError: If a table has two rows of one participant that differ.
        """
        for row in rows:
            found = self._connection.execute(
                "SELECT source, facts FROM facts WHERE participant = ?", (row.participant,)
            ).fetchone()
            earlier = Facts.from_text(found[1]) if found else Facts()
            merged = earlier.with_those_of(row.facts)
            if found and found[0] == str(row.table) and merged != earlier:
                raise SourceError(
                    f"{row.table.name}, line {row.line}: a second row of one participant, and it "
                    "differs from the first; needed one row each"
                )
            self._connection.execute(
                "REPLACE INTO facts VALUES (?, ?, ?)",
                (row.participant, str(row.table), merged.to_text()),
            )

    def has_visit(self, participant: int, instance: int) -> bool:
        """Whether there is a file of this visit."""
        found = self._connection.execute(
            "SELECT 1 FROM files WHERE participant = ? AND instance = ? LIMIT 1",
            (participant, instance),
        )
        return found.fetchone() is not None

    def people(self) -> int:
        """How many participants have a file of any visit."""
        return self._count("SELECT count(DISTINCT participant) FROM files")

    def visits(self) -> int:
        """How many visits have a file."""
        return self._count(
            "SELECT count(*) FROM (SELECT DISTINCT participant, instance FROM files)"
        )

    def known(self) -> int:
        """How many of the wanted participants have a row in a table."""
        return self._count("SELECT count(*) FROM facts")

    def withdrawn(self) -> Iterator[int]:
        """Who withdrew, by id."""
        found = self._connection.execute("SELECT participant FROM withdrawn ORDER BY participant")
        yield from (participant for (participant,) in found)

    def listed(self, instance: int) -> Iterator[Listed]:
        """Participants with a file of this visit, by id."""
        for participant, withdrawn, ecg, cine, facts in self._connection.execute(
            _LISTED, (instance,)
        ):
            known = None if facts is None else Facts.from_text(facts)
            yield Listed(participant, bool(withdrawn), ecg, cine, known)

    def _count(self, query: str) -> int:
        (count,) = self._connection.execute(query).fetchone()
        return int(count)
