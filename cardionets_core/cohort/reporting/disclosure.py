"""Counts that a report may show: those of few people hidden, with whatever would betray them.

A count of 1 to 9 people is few, and shown as ``<10``. Where totals would let a reader work it out,
further counts are shown as the range that follows from what else is shown. Ranges are computed from
shown counts alone, so that they tell nothing that a reader could not find without them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SMALLEST_SHOWN = 10
# A sum over a few dozen counts settles within a few rounds; this only bounds what cannot happen.
_MOST_ROUNDS = 200


@dataclass(eq=False)
class Number:
    """One count of a report.

    Attributes:
        value: The true count.
        few: It is, or belongs to, a count of 1 to 9 people.
        hidden: It is not shown as it is.
        low: The least that a reader can know it to be.
        high: The most that a reader can know it to be.
        sibling: The same group counted in the other unit, records or persons.
    """

    value: int
    few: bool = False
    hidden: bool = False
    low: float = 0
    high: float = math.inf
    sibling: Number | None = None

    def __str__(self) -> str:
        if not self.hidden:
            return f"{self.value:,}"
        if 0 < self.value < SMALLEST_SHOWN:
            return f"<{SMALLEST_SHOWN}"
        if self.few or self.high == math.inf:
            return "hidden"
        return f"{self.low:,} to {self.high:,}"

    def plain(self) -> int | dict[str, int | None]:
        """For JSON: the count, or what may be known of it."""
        if not self.hidden:
            return self.value
        return {
            "at_least": int(self.low),
            "at_most": None if self.high == math.inf else int(self.high),
        }

    def start(self) -> None:
        """Forget what follows from other counts."""
        if not self.hidden:
            self.low = self.high = self.value
        elif self.value < SMALLEST_SHOWN:
            self.low, self.high = 1, SMALLEST_SHOWN - 1
        else:
            # Whoever knows this rule knows that a hidden count that is not few is 10 or more.
            self.low, self.high = SMALLEST_SHOWN, math.inf

    def possible(self) -> float:
        """How many values it might have, for all that a reader knows; nine are enough."""
        return min(self.high - self.low + 1, SMALLEST_SHOWN - 1)


@dataclass(frozen=True, slots=True)
class Count:
    """A group in records and, where that is known, in persons."""

    records: Number
    persons: Number | None = None


@dataclass(frozen=True, slots=True)
class _Sum:
    """A total and its parts; ``first`` is what gives way first, if one of them must."""

    total: Number
    parts: tuple[Number, ...]
    first: Number | None

    def members(self) -> tuple[Number, ...]:
        return (self.total, *self.parts)

    def next_to_hide(self) -> Number | None:
        """What to hide next: the largest part, whose range says the most; at last the total."""
        shown = [part for part in self.parts if part.value and not part.hidden]
        shown.sort(key=lambda part: -part.value)
        order = [*([self.first] if self.first else []), *shown, self.total]
        return next((number for number in order if number.value and not number.hidden), None)

    def narrow(self) -> bool:
        """Take over what the sum says about its members; True if anything was new."""
        low, high = sum(p.low for p in self.parts), sum(p.high for p in self.parts)
        changed = _narrow(self.total, low, high)
        for part in self.parts:
            others_low = low - part.low
            others_high = sum(p.high for p in self.parts if p is not part)
            changed |= _narrow(part, self.total.low - others_high, self.total.high - others_low)
        return changed


def _narrow(number: Number, low: float, high: float) -> bool:
    if not number.hidden or (low <= number.low and high >= number.high):
        return False
    number.low, number.high = max(number.low, low), min(number.high, high)
    return True


class Ledger:
    """Every count of a report, and which of them add up to which.

    Args:
        hide: True for real people.
    """

    def __init__(self, *, hide: bool) -> None:
        self.hide = hide
        self._numbers: list[Number] = []
        self._sums: list[_Sum] = []

    def number(self, value: int, *, people: int | None = None) -> Number:
        """Enter one count.

        Args:
            value: The count.
            people: Persons behind it; taken to be as many as ``value`` if not known.
        """
        behind = value if people is None else people
        number = Number(int(value), few=0 < behind < SMALLEST_SHOWN)
        self._numbers.append(number)
        return number

    def count(self, records: int, persons: int | None = None) -> Count:
        """Enter a group of records, and the persons whom they belong to if that is known."""
        in_records = self.number(records, people=persons)
        if persons is None:
            return Count(in_records)
        in_persons = self.number(persons)
        in_records.sibling, in_persons.sibling = in_persons, in_records
        return Count(in_records, in_persons)

    def adds_up(
        self, total: Number, parts: Iterable[Number], *, first: Number | None = None
    ) -> None:
        """Note that parts add up to a total, as far as they do.

        Args:
            total: The total.
            parts: Its parts.
            first: The member that gives way first if something must; else the largest part.
        """
        told = tuple(parts)
        # Persons may be in several parts; then a reader cannot subtract.
        if sum(part.value for part in told) == total.value:
            self._sums.append(_Sum(total, told, first))

    def counts_add_up(
        self, total: Count, parts: Sequence[Count], *, first: Count | None = None
    ) -> None:
        """The same for groups, in records and in persons."""
        self.adds_up(
            total.records, [p.records for p in parts], first=first.records if first else None
        )
        persons = [part.persons for part in parts if part.persons]
        if total.persons and len(persons) == len(parts):
            self.adds_up(total.persons, persons, first=first.persons if first else None)

    def within(self, total: Number, part: Number, *, first: Number | None = None) -> None:
        """Note that a count is part of another one, so that readers can tell the rest."""
        if part.value <= total.value:
            self.adds_up(total, (part, self.number(total.value - part.value)), first=first)

    def settle(self) -> None:
        """Decide what is hidden; to be called once, when everything is entered."""
        if not self.hide:
            return
        # With everything hidden nothing is betrayed that can be kept: three groups with somebody in
        # each make three people all the same.
        for number in self._numbers:
            number.hidden = number.value > 0
        self._work_out()
        best = {number: number.possible() for number in self._numbers if number.few}
        for number in self._numbers:
            number.hidden = number.few
        while self._hide_partners() or self._hide_for_the_betrayed(best):
            pass

    def _hide_partners(self) -> bool:
        """Hide a second count wherever a sum would give a single hidden one away."""
        changed = False
        for told in self._sums:
            hidden = [number for number in told.members() if number.hidden]
            partner = told.next_to_hide() if len(hidden) == 1 else None
            if partner:
                _hide(partner)
                changed = True
        return changed

    def _hide_for_the_betrayed(self, best: Mapping[Number, float]) -> bool:
        """Hide one count more in a sum of a few of which less is possible than might be."""
        self._work_out()
        for told in self._sums:
            betrayed = any(n.few and n.possible() < best[n] for n in told.members())
            partner = told.next_to_hide() if betrayed else None
            if partner:
                _hide(partner)
                return True
        return False

    def _work_out(self) -> None:
        """What a reader can work out: the range of every hidden count."""
        for number in self._numbers:
            number.start()
        for _ in range(_MOST_ROUNDS):
            told = [one.narrow() for one in self._sums]
            if not any(told):
                return


@dataclass(frozen=True, slots=True)
class Share:
    """One count as a share of another; there only if both are shown."""

    part: Number
    whole: Number

    def plain(self) -> float | None:
        """For JSON: 0 to 1."""
        if self.part.hidden or self.whole.hidden or not self.whole.value:
            return None
        return self.part.value / self.whole.value

    def __str__(self) -> str:
        share = self.plain()
        return "" if share is None else f"{100 * share:.1f} %"


def _hide(number: Number) -> None:
    number.hidden = True
    if number.sibling is not None and number.sibling.value:
        number.sibling.hidden = True


def plain(cell: Any) -> Any:
    """A cell of a table for JSON."""
    return cell.plain() if isinstance(cell, Number | Share) else cell
