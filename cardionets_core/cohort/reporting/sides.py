"""Who pre-trains and who is tested: records and persons by role, split and fold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.reporting.disclosure import Count, Ledger
from cardionets_core.cohort.reporting.people import People, Tally
from cardionets_core.cohort.reporting.tables import (
    Cell,
    Column,
    Side,
    Table,
    Whole,
    enter,
    in_persons,
)
from cardionets_core.cohort.reporting.window import CohortWindow
from cardionets_core.cohort.splits import ROLES, SPLITS

SIDES: tuple[Side, ...] = tuple((role, split) for role in ROLES for split in SPLITS)
_HAS = ("ecg", "usable", "cine", "both")
_EVERYONE = len(SIDES)
_ROWS = (*SIDES, ("all", ""))
_COLUMNS = (
    Column("role", "Role"),
    Column("split", "Split"),
    Column("persons", "Persons"),
    Column("records", "Records"),
    Column("with_ecg", "with an ECG"),
    Column("usable", "with a usable ECG"),
    Column("with_cine", "with a cine"),
    Column("with_both", "with both"),
)


def sides_of(window: CohortWindow) -> NDArray[np.int64]:
    """Place in ``SIDES`` of each row of a window."""
    roles = np.searchsorted(ROLES, window.roles, sorter=np.argsort(ROLES))
    splits = np.searchsorted(SPLITS, window.splits, sorter=np.argsort(SPLITS))
    return np.argsort(ROLES)[roles] * len(SPLITS) + np.argsort(SPLITS)[splits]


class Sides:
    """Counts records and persons by role, split and fold, and what the records hold.

    Args:
        people: Whom the rows belong to.
        folds: Number of folds over downstream people.
    """

    def __init__(self, people: People, folds: int) -> None:
        groups = len(_ROWS)
        self._records = Tally(people, groups)
        self._has = {name: Tally(people, groups) for name in _HAS}
        self._folds = Tally(people, folds * len(SPLITS))
        self._fold_rows = Tally(people, folds)
        self._fold_count = folds

    def add(self, window: CohortWindow) -> None:
        """Take note of some rows."""
        sides = sides_of(window)
        has = {
            "ecg": window.has_ecg,
            "usable": window.usable,
            "cine": window.has_cine,
            "both": window.has_ecg & window.has_cine,
        }
        for row in range(len(_ROWS)):
            here = sides == row if row < _EVERYONE else np.ones(len(sides), dtype=bool)
            self._records.add(window, row, here)
            for name, holds in has.items():
                self._has[name].add(window, row, here & holds)
        for fold in range(self._fold_count):
            self._fold_rows.add(window, fold, window.folds == fold)
            for place, split in enumerate(SPLITS):
                here = (window.folds == fold) & (window.splits == split)
                self._folds.add(window, fold * len(SPLITS) + place, here)

    def whole(self, ledger: Ledger) -> Whole:
        """Enter what every other count is a part of."""
        everyone = enter(ledger, self._records, _EVERYONE)
        with_ecg = enter(ledger, self._has["ecg"], _EVERYONE)
        sides = {
            side: enter(ledger, self._records, place)
            for place, side in enumerate(SIDES)
            if self._records.records(place)
        }
        ledger.counts_add_up(everyone, list(sides.values()))
        ledger.within(everyone.records, with_ecg.records)
        return Whole(ledger, everyone, with_ecg, sides)

    def held(self, whole: Whole) -> dict[str, Count]:
        """How many records hold what: ``ecg``, ``usable``, ``cine`` and ``both``."""
        return {
            name: whole.with_ecg if name == "ecg" else enter(whole.ledger, tally, _EVERYONE)
            for name, tally in self._has.items()
        }

    def tables(self, whole: Whole, held: dict[str, Count]) -> tuple[Table, ...]:
        """Roles and splits, and folds."""
        return (self._roles(whole, held), self._by_fold(whole))

    def _roles(self, whole: Whole, held: dict[str, Count]) -> Table:
        ledger = whole.ledger
        holding: dict[Side, list[Count]] = {}
        for side, count in whole.sides.items():
            place = SIDES.index(side)
            holding[side] = [enter(ledger, self._has[name], place) for name in _HAS]
            _note_parts(ledger, count, holding[side])
        _note_parts(ledger, whole.everyone, list(held.values()))
        for place, name in enumerate(_HAS):
            ledger.counts_add_up(held[name], [found[place] for found in holding.values()])
        rows: list[tuple[Cell, ...]] = [
            (*side, *_numbers(count, holding[side])) for side, count in whole.sides.items()
        ]
        rows.append(("all", "", *_numbers(whole.everyone, list(held.values()))))
        note = "All records of a person stand on one side. The last four columns count records."
        return Table("sides", "Roles and splits", note, _COLUMNS, tuple(rows))

    def _by_fold(self, whole: Whole) -> Table:
        ledger = whole.ledger
        folds = [enter(ledger, self._fold_rows, fold) for fold in range(self._fold_count)]
        cells = [
            [enter(ledger, self._folds, fold * len(SPLITS) + place) for place in range(len(SPLITS))]
            for fold in range(self._fold_count)
        ]
        for fold, row in zip(folds, cells, strict=True):
            ledger.counts_add_up(fold, row)
        for place, split in enumerate(SPLITS):
            if total := whole.sides.get(("downstream", split)):
                ledger.counts_add_up(total, [row[place] for row in cells])
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (str(number), in_persons(fold), fold.records, *(in_persons(cell) for cell in row))
            for number, (fold, row) in enumerate(zip(folds, cells, strict=True))
        )
        columns = (
            Column("fold", "Fold"),
            Column("persons", "Persons"),
            Column("records", "Records"),
            *(Column(f"persons_{split}", f"persons in {split}") for split in SPLITS),
        )
        note = "Folds deal the people of the role downstream anew, whatever their split."
        return Table("folds", "Folds", note, columns, rows)


def _note_parts(ledger: Ledger, total: Count, holding: list[Count]) -> None:
    """Records with a usable ECG are among those with one, and so on."""
    ecg, usable, cine, both = (count.records for count in holding)
    for whole, part in (
        (total.records, ecg),
        (ecg, usable),
        (total.records, cine),
        (ecg, both),
        (cine, both),
    ):
        ledger.within(whole, part)


def _numbers(count: Count, holding: list[Count]) -> tuple[Cell, ...]:
    return (in_persons(count), count.records, *(held.records for held in holding))
