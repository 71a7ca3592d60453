"""Cases and controls of every registered task on diagnoses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.reporting.disclosure import Count
from cardionets_core.cohort.reporting.people import People, Tally
from cardionets_core.cohort.reporting.sides import SIDES, sides_of
from cardionets_core.cohort.reporting.tables import Cell, Column, Table, Whole, enter, in_persons
from cardionets_core.cohort.reporting.window import CohortWindow
from cardionets_core.cohort.targets import task_targets
from cardionets_core.spec import TaskSpec

_STATES = ("cases", "controls", "unknown")
_EVERYWHERE = len(SIDES)
_GROUPS = len(_STATES) * (len(SIDES) + 1)


class Labels:
    """Cases, controls and unknown by task, role and split.

    Args:
        people: Whom the rows belong to.
        tasks: Tasks on ICD-10 codes.
    """

    def __init__(self, people: People, tasks: Sequence[TaskSpec]) -> None:
        self._tasks = tasks
        self._tallies = [Tally(people, _GROUPS) for task in tasks for _ in task.outputs]

    def add(self, window: CohortWindow) -> None:
        """Take note of some rows."""
        sides = sides_of(window)
        tallies = iter(self._tallies)
        for task in self._tasks:
            for states in _states(task, task_targets(task, window).values):
                tally = next(tallies)
                for state, rows in enumerate(states):
                    tally.add(window, _group(_EVERYWHERE, state), rows)
                    for side in range(len(SIDES)):
                        tally.add(window, _group(side, state), rows & (sides == side))

    def tables(self, whole: Whole) -> tuple[Table, ...]:
        """One table of all tasks."""
        rows: list[tuple[Cell, ...]] = []
        tallies = iter(self._tallies)
        for task in self._tasks:
            for output in task.outputs:
                name = task.name if len(task.outputs) == 1 else f"{task.name}: {output}"
                rows.extend(_rows(name, next(tallies), whole))
        columns = (
            Column("task", "Task"),
            Column("role", "Role"),
            Column("split", "Split"),
            *(Column(f"{state}_persons", f"{state.title()}, persons") for state in _STATES),
            *(Column(f"{state}_records", f"{state.title()}, records") for state in _STATES),
        )
        note = (
            "A case has a matching code dated on or before the visit, or without a date, unless "
            "the task takes all. Unknown: the source has no diagnoses of the record, or the first "
            "matching code is dated after the visit. A person with several records may be in more "
            "than one column."
        )
        return (Table("labels", "Labels", note, columns, tuple(rows)),) if rows else ()


def _states(task: TaskSpec, values: NDArray[np.float32]) -> Iterator[tuple[NDArray[np.bool_], ...]]:
    """Where each output of a task has a case, a control and neither, (n,) each."""
    for output in range(len(task.outputs)):
        if task.target == "multiclass":
            unknown, cases = np.isnan(values[:, 0]), values[:, 0] == output
        else:
            unknown, cases = np.isnan(values[:, output]), values[:, output] == 1
        yield cases, ~cases & ~unknown, unknown


def _group(side: int, state: int) -> int:
    return side * len(_STATES) + state


def _rows(name: str, tally: Tally, whole: Whole) -> list[tuple[Cell, ...]]:
    """The rows of one output: every side, and all together."""
    ledger = whole.ledger
    by_side = {side: _cells(tally, SIDES.index(side), whole) for side in whole.sides}
    everywhere = _cells(tally, _EVERYWHERE, whole)
    for side, cells in by_side.items():
        ledger.counts_add_up(whole.sides[side], cells)
    ledger.counts_add_up(whole.everyone, everywhere)
    for state, total in enumerate(everywhere):
        ledger.counts_add_up(total, [cells[state] for cells in by_side.values()])
    return [
        (name, *side, *(in_persons(cell) for cell in cells), *(cell.records for cell in cells))
        for side, cells in {**by_side, ("all", ""): everywhere}.items()
    ]


def _cells(tally: Tally, side: int, whole: Whole) -> list[Count]:
    return [enter(whole.ledger, tally, _group(side, state)) for state in range(len(_STATES))]
