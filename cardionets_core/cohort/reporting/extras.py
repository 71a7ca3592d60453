"""The source's extra columns."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.reporting.moments import Moments
from cardionets_core.cohort.reporting.people import People, Tally
from cardionets_core.cohort.reporting.tables import (
    Cell,
    Column,
    Table,
    Whole,
    enter,
    hidden_if_few,
)
from cardionets_core.cohort.reporting.window import CohortWindow

# A column of more different texts than this holds no categories, and is not told text by text.
_MOST_CATEGORIES = 12
_LONGEST_CATEGORY = 60


class Extras:
    """How many records have a value of each extra column, and what is usual.

    Args:
        people: Whom the rows belong to.
        names: Names of the columns.
    """

    def __init__(self, people: People, names: tuple[str, ...]) -> None:
        self._names = names
        self._there = Tally(people, len(names))
        self._moments = Moments(len(names))
        self._texts: dict[str, _Categories] = {}
        self._people = people

    def add(self, window: CohortWindow) -> None:
        """Take note of some rows."""
        for place, name in enumerate(self._names):
            values = window.attribute(name)
            if values.dtype.kind == "f":
                there = np.isfinite(values)
                self._moments.add(place, values[there])
            else:
                there = values.astype(bool)
                texts = self._texts.setdefault(name, _Categories(self._people))
                texts.add(window, values, there)
            self._there.add(window, place, there)

    def tables(self, whole: Whole) -> tuple[Table, ...]:
        """One table of all columns; none where there is no column."""
        rows: list[tuple[Cell, ...]] = []
        for place, name in enumerate(self._names):
            count = enter(whole.ledger, self._there, place)
            whole.ledger.within(whole.everyone.records, count.records)
            if name in self._texts:
                rows.append((name, "text", count.records, None, None))
                rows.extend(self._texts[name].rows(whole, count.records.value))
            else:
                told = (
                    hidden_if_few(count, number, whole.ledger)
                    for number in self._moments.mean_and_sd(place)
                )
                rows.append((name, "number", count.records, *told))
        columns = (
            Column("column", "Column"),
            Column("kind", "Kind"),
            Column("records", "Records with a value"),
            Column("mean", "Mean"),
            Column("sd", "SD"),
        )
        note = (
            f"Texts of a column with up to {_MOST_CATEGORIES} different ones are counted one by "
            "one; of real people only those that 10 or more have."
        )
        return (
            (Table("extra_columns", "Extra columns", note, columns, tuple(rows)),) if rows else ()
        )


class _Categories:
    """The different texts of a column, as long as they are few."""

    def __init__(self, people: People) -> None:
        self._tally = Tally(people, _MOST_CATEGORIES)
        self._places: dict[str, int] | None = {}

    def add(
        self, window: CohortWindow, texts: NDArray[np.object_], there: NDArray[np.bool_]
    ) -> None:
        """Take note of the texts of some rows."""
        for text in Counter(texts[there].tolist()):
            if self._places is None:
                return
            if text not in self._places and len(self._places) == _MOST_CATEGORIES:
                self._places = None
                return
            place = self._places.setdefault(text, len(self._places))
            self._tally.add(window, place, there & (texts == text))

    def rows(self, whole: Whole, in_all: int) -> list[tuple[Cell, ...]]:
        """A row per text; those of few people are told together."""
        told: list[tuple[Cell, ...]] = []
        shown = 0
        for text, place in sorted((self._places or {}).items()):
            few = self._tally.persons(place) < 10
            if not (whole.ledger.hide and few):
                count = enter(whole.ledger, self._tally, place)
                told.append((f"= {text[:_LONGEST_CATEGORY]}", "", count.records, None, None))
                shown += count.records.value
        if shown < in_all and self._places:
            others = whole.ledger.number(in_all - shown)
            told.append(("= other texts, each of few people", "", others, None, None))
        return told
