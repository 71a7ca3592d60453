"""From everything that the source holds to who is where: the steps of the flow diagram."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cardionets_core.cohort.reporting.disclosure import Count, Ledger, Number
from cardionets_core.cohort.reporting.tables import Column, Side, Table, Whole
from cardionets_core.interfaces import SelectionStep

_NOT_TOLD = "reason not given by the source"
_CHANGED = (
    "The source lists another number of records now than this cohort was read from: the cohort was "
    "extended, or the source changed."
)


@dataclass(frozen=True, slots=True)
class Step:
    """One box of the diagram, and what falls out after it.

    Attributes:
        label: What is counted.
        count: How many.
        excluded: Reason to number of records that are not in the next box.
    """

    label: str
    count: Count
    excluded: Mapping[str, Number] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "label": self.label,
            **_plain(self.count),
            "excluded": [
                {"reason": reason, "records": number.plain()}
                for reason, number in self.excluded.items()
            ],
        }


@dataclass(frozen=True, slots=True)
class Flow:
    """The diagram.

    Attributes:
        steps: Boxes from everything to what is stored, the last one being the cohort.
        held: What the stored records hold, by name.
        sides: Role and split to who is there.
        notes: What a reader should know.
    """

    steps: tuple[Step, ...]
    held: Mapping[str, Count]
    sides: Mapping[Side, Count]
    notes: tuple[str, ...] = ()

    def left_out(self) -> Table:
        """Everything that fell out, with its reason."""
        rows = [
            (step.label, reason, number)
            for step in self.steps
            for reason, number in step.excluded.items()
        ]
        columns = (
            Column("after", "Left out after"),
            Column("reason", "Reason"),
            Column("records", "Records"),
        )
        return Table("left_out", "What was left out", "", columns, tuple(rows))

    def plain(self) -> dict[str, Any]:
        """For JSON; after ``Ledger.settle``."""
        return {
            "steps": [step.plain() for step in self.steps],
            "stored": {name: count.records.plain() for name, count in self.held.items()},
            "sides": [
                {"role": role, "split": split, **_plain(count)}
                for (role, split), count in self.sides.items()
            ],
            "notes": list(self.notes),
        }


def _plain(count: Count) -> dict[str, Any]:
    persons = count.persons.plain() if count.persons else None
    return {"records": count.records.plain(), "persons": persons}


def make_flow(
    selection: Sequence[SelectionStep],
    read: Count,
    reasons: Mapping[str, Count],
    whole: Whole,
    held: Mapping[str, Count],
) -> Flow:
    """Put the diagram together, and note in the ledger what a reader can subtract.

    Args:
        selection: Steps that the source tells; may be empty.
        read: All records that were read, those stored and those quarantined.
        reasons: Quarantined records by reason.
        whole: What is stored.
        held: What the stored records hold.
    """
    ledger = whole.ledger
    steps = _of_source(selection, ledger) or [Step("Records listed by the source", read)]
    same = steps[-1].count.records.value == read.records.value
    if same:
        # One box: its count must not stand in the ledger twice.
        steps[-1] = replace(steps[-1], count=read)
    for before, after in itertools.pairwise(steps):
        _subtract(ledger, before, after.count)
    if not same:
        steps.append(Step("Records read", read))
    out = {reason: count.records for reason, count in reasons.items()}
    steps[-1] = replace(steps[-1], excluded=out)
    _subtract(ledger, steps[-1], whole.everyone)
    steps.append(Step("Stored in the cohort", whole.everyone))
    return Flow(tuple(steps), held, whole.sides, () if same else (_CHANGED,))


def _of_source(selection: Sequence[SelectionStep], ledger: Ledger) -> list[Step]:
    """The source's steps, each with what falls out after it."""
    told = list(selection)
    if told and told[0].excluded:
        found = told[0].records + sum(told[0].excluded.values())
        told.insert(0, SelectionStep("Found in the source", found))
    steps = []
    for place, step in enumerate(told):
        after = told[place + 1] if place + 1 < len(told) else None
        excluded = {} if after is None else _excluded(step, after)
        numbers = {reason: ledger.number(n) for reason, n in excluded.items() if n}
        steps.append(Step(step.label, ledger.count(step.records, step.subjects), numbers))
    return steps


def _excluded(step: SelectionStep, after: SelectionStep) -> dict[str, int]:
    """What falls out between two steps, with whatever the source does not explain."""
    excluded = dict(after.excluded)
    rest = step.records - after.records - sum(excluded.values())
    return excluded | {_NOT_TOLD: rest} if rest > 0 else excluded


def _subtract(ledger: Ledger, before: Step, after: Count) -> None:
    """A box is the next one and what fell out.

    The earlier box gives way, so that the cohort's own numbers stay whole.
    """
    records = before.count.records
    ledger.adds_up(records, (after.records, *before.excluded.values()), first=records)
    if before.count.persons and after.persons:
        ledger.within(before.count.persons, after.persons, first=before.count.persons)
