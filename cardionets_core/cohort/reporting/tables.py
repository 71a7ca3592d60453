"""A table of a report, the same for HTML and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from cardionets_core.cohort.reporting.disclosure import Count, Ledger, Number, Share, plain
from cardionets_core.cohort.reporting.people import Tally
from cardionets_core.cohort.reporting.window import CohortWindow

Side = tuple[str, str]
Cell = str | int | float | Number | Share | None


class Column(NamedTuple):
    """A column: its key in JSON and its heading."""

    key: str
    heading: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table, its counts not yet settled.

    Attributes:
        key: Its key in JSON and its anchor in HTML.
        title: Heading.
        note: What a reader has to know to read it.
        columns: Its columns.
        rows: As many cells as there are columns; None where there is nothing to tell.
    """

    key: str
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def plain(self) -> dict[str, Any]:
        """For JSON; after ``Ledger.settle``."""
        keys = [column.key for column in self.columns]
        rows = [dict(zip(keys, map(plain, row), strict=True)) for row in self.rows]
        return {"title": self.title, "note": self.note, "rows": rows}


@dataclass(frozen=True, slots=True)
class Whole:
    """What the parts of every table add up to.

    Attributes:
        ledger: Where counts are entered.
        everyone: All records.
        with_ecg: Those with an ECG.
        sides: Role and split to who is there; sides without anybody are left out.
    """

    ledger: Ledger
    everyone: Count
    with_ecg: Count
    sides: Mapping[Side, Count]


class Section(Protocol):
    """What sees every row once and then tells tables."""

    def add(self, window: CohortWindow) -> None:
        """Take note of some rows."""

    def tables(self, whole: Whole) -> tuple[Table, ...]:
        """What was found; counts go through the ledger."""


def enter(ledger: Ledger, tally: Tally, group: int) -> Count:
    """Enter a group of a tally into the ledger."""
    return ledger.count(tally.records(group), tally.persons(group))


def hidden_if_few(count: Count, value: float | None, ledger: Ledger) -> float | str | None:
    """A statistic of a group, or ``hidden`` where it is one of few people."""
    return "hidden" if ledger.hide and count.records.few else value


def in_persons(count: Count) -> Number:
    """The persons of a group that is counted in both."""
    return count.persons or count.records
