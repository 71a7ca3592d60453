"""The quarantine: what was left out, by reason and record by record."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from cardionets_core.cohort import layout
from cardionets_core.cohort.opening import open_file
from cardionets_core.cohort.reporting.disclosure import Count, Ledger
from cardionets_core.cohort.reporting.tables import Column, Table

_ROWS_AT_ONCE = 8192
_MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a cohort's quarantine holds.

    Attributes:
        records: Reason to number of records.
        persons: Reason to HMAC ids of the persons.
        listed: HMAC ids of subject and record, and the reason; the first thousand.
    """

    records: Counter[str]
    persons: dict[str, set[bytes]]
    listed: tuple[tuple[str, str, str], ...]

    def by_reason(self, ledger: Ledger) -> dict[str, Count]:
        """Enter the counts, the most frequent reason first."""
        return {
            reason: ledger.count(records, len(self.persons[reason]))
            for reason, records in self.records.most_common()
        }

    def list_table(self) -> Table:
        """Record by record."""
        columns = (
            Column("subject_id", "Person"),
            Column("record_id", "Record"),
            Column("reason", "Reason"),
        )
        total = self.records.total()
        note = "Ids are keyed hashes; whoever has the key finds the records by them."
        if total > len(self.listed):
            note += f" The first {len(self.listed):,} are listed; the cohort file holds all."
        return Table("quarantine_list", "Quarantined records", note, columns, self.listed)


def left_out(path: Path) -> LeftOut:
    """Read the quarantine of a cohort, a few thousand records at a time."""
    records: Counter[str] = Counter()
    persons: dict[str, set[bytes]] = defaultdict(set)
    listed: list[tuple[str, str, str]] = []
    with open_file(path) as file:
        subject_ids, record_ids, reasons = (file[name] for name in layout.QUARANTINE)
        for start in range(0, len(reasons), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            texts = reasons.asstr()[rows]
            for person, record, reason in zip(
                subject_ids[rows], record_ids[rows], texts, strict=True
            ):
                records[reason] += 1
                persons[reason].add(person)
                if len(listed) < _MOST_LISTED:
                    listed.append((person.decode(), record.decode(), str(reason)))
    return LeftOut(records, persons, tuple(listed))
