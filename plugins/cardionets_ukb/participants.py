"""What the tables say about participants, read row by row."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from cardionets_core.errors import SourceError
from cardionets_core.source_tables import Line, Table
from cardionets_ukb import values
from cardionets_ukb.columns import (
    AGE,
    CODE_DATES,
    CODES,
    PHENOTYPE_FIELDS,
    SEX,
    VISIT_DATE,
    Array,
    Columns,
    columns_in,
)
from cardionets_ukb.facts import Facts

_log = logging.getLogger(__name__)
_Value = TypeVar("_Value")


class Row(NamedTuple):
    """One participant in one table.

    Attributes:
        table: The table.
        line: Line of it, for messages.
        participant: The participant's id.
        facts: What this table says.
    """

    table: Path
    line: int
    participant: int
    facts: Facts


def read_tables(
    paths: Sequence[Path], instance: int, is_wanted: Callable[[int], bool]
) -> Iterator[Row]:
    """Read what is needed of some participants.

    Of a field in several tables the first with it counts, for everybody.

    Args:
        paths: The tables.
        instance: Which visit.
        is_wanted: Whether a participant is; nothing is parsed of others.

    Yields:
        A row for each of these participants and table, table by table.

    Raises:
        SourceError: If a table cannot be read, has no column of ids or none that is needed, or
            all of them together have diagnoses that cannot be dated.
    """
    known: frozenset[int] = frozenset()
    opened = []
    for path in paths:
        table = _OneTable(Table(path), instance)
        columns = table.columns.without(known)
        known |= columns.held()
        opened.append((table, columns))
    _check_dates([columns for _, columns in opened], instance)
    for table, columns in opened:
        yield from table.rows(columns, is_wanted)


def _check_dates(tables: Sequence[Columns], instance: int) -> None:
    """Codes are of no use without their dates and the date of the visit."""
    with_codes = next((columns for columns in tables if columns.codes), None)
    if with_codes is None:
        return
    lacking = []
    if with_codes.code_dates is None:
        lacking.append(f"their dates (field {CODE_DATES}) in the same table")
    if not any(VISIT_DATE in columns.fields for columns in tables):
        lacking.append(f"the date of the visit (field {VISIT_DATE}, instance {instance})")
    if lacking:
        raise SourceError(
            f"tables with diagnoses (field {CODES}) but without {' and '.join(lacking)}; needed "
            f"all of these: add what lacks, or leave field {CODES} out"
        )


class _OneTable:
    """A table with its columns found, whichever of its first two lines names them."""

    def __init__(self, table: Table, instance: int) -> None:
        self._table = table
        self._instance = instance
        self.columns = self._columns()
        self._unreadable: Counter[str] = Counter()

    def rows(self, columns: Columns, is_wanted: Callable[[int], bool]) -> Iterator[Row]:
        """Wanted participants by the given columns; says at the end what was not understood."""
        self._unreadable.clear()
        for place, line in enumerate(self._table.rows()):
            participant = self._participant(line, columns, first=place == 0)
            if participant is not None and is_wanted(participant):
                facts = self._facts(line.cells, columns)
                yield Row(self._table.path, line.number, participant, facts)
        for what, count in sorted(self._unreadable.items()):
            _log.warning(
                "%s: %d cells of %s are not understood and count as unknown",
                self._table.path.name,
                count,
                what,
            )

    def _columns(self) -> Columns:
        name = self._table.path.name
        first = next(self._table.rows(), None)
        second_line = () if first is None else first.cells
        columns = columns_in(self._table.header, self._instance, name) or columns_in(
            second_line, self._instance, name
        )
        if columns is None:
            raise SourceError(
                f"{name}: no column of participants' ids in its first two lines; needed 'eid', "
                "'f.eid', 'participant.eid' or 'Participant ID': is it the right table?"
            )
        if not columns.held():
            raise SourceError(
                f"{name}: none of the {len(self._table.header)} columns is needed; needed sex, "
                f"age, date of visit or phenotypes of instance {self._instance}, or diagnoses, "
                f"named as in '53-{self._instance}.0', 'f.53.{self._instance}.0' or "
                f"'p53_i{self._instance}'"
            )
        return columns

    def _participant(self, line: Line, columns: Columns, *, first: bool) -> int | None:
        try:
            return values.participant(line.cells[columns.participant])
        except ValueError:
            # The first line below the headings may hold headings again.
            self._unreadable["participants' ids"] += not first
            return None

    def _facts(self, row: tuple[str, ...], columns: Columns) -> Facts:
        def value(number: int, read: Callable[[str], _Value | None]) -> _Value | None:
            place = columns.fields.get(number)
            return None if place is None else self._read(f"field {number}", read, row[place])

        measured = {
            number: value(number, values.number)
            for number in PHENOTYPE_FIELDS
            if number in columns.fields
        }
        return Facts(
            sex=value(SEX, values.sex),
            age_years=value(AGE, values.age_years),
            visit_day=value(VISIT_DATE, values.day),
            phenotypes={n: found for n, found in measured.items() if found is not None},
            dated_codes=self._dated_codes(row, columns),
        )

    def _dated_codes(
        self, row: tuple[str, ...], columns: Columns
    ) -> tuple[tuple[str, int], ...] | None:
        """None where there are none, or where they cannot be relied on."""
        codes, days = columns.codes, columns.code_dates
        if codes is None or days is None:
            return None
        told = f"fields {CODES} and {CODE_DATES}"
        return self._read(
            told, lambda _: values.dated_codes(_cells(codes, row), _cells(days, row)), ""
        )

    def _read(self, told: str, read: Callable[[str], _Value | None], cell: str) -> _Value | None:
        try:
            return read(cell)
        except ValueError:
            self._unreadable[told] += 1
            return None


def _cells(array: Array, row: tuple[str, ...]) -> list[str]:
    return array.cells(row) if array.listed is None else values.list_in(row[array.listed])
