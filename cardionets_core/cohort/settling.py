"""Before anything is written: which records go into the file, and where everybody belongs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort import layout
from cardionets_core.cohort.assigning import Assigner
from cardionets_core.cohort.parts import Part, PartTable, read_table
from cardionets_core.cohort.roles import RoleConfig
from cardionets_core.cohort.splits import ROLES, SPLITS, Asked, Assignment, Draws

DUPLICATE_FLAG = "duplicate-signal"


@dataclass
class Plan:
    """What goes into the file, settled before anything is written.

    Attributes:
        kept: For each part, its rows that go in, counted from its start.
        places: For each part, role, split and fold of these rows, (kept, 3) as stored.
        quarantine: Subject id, record id and reason of every record left out.
        gone: Subject id of every row left out because the person withdrew.
        new_records: Record ids that are kept or left out here, other than an extended cohort's.
        persons: Subject ids of all rows.
        duplicates: Fingerprints that belong to more than one person.
        flags: Names of quality flags, in the order of their bits.
        text_columns: Extra columns that hold text.
        number_columns: Extra columns that hold numbers.
    """

    kept: list[NDArray[np.int64]] = field(default_factory=list)
    places: list[NDArray[np.int8]] = field(default_factory=list)
    quarantine: list[tuple[bytes, bytes, str]] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    new_records: set[bytes] = field(default_factory=set)
    persons: set[bytes] = field(default_factory=set)
    duplicates: set[int] = field(default_factory=set)
    flags: list[str] = field(default_factory=list)
    text_columns: set[str] = field(default_factory=set)
    number_columns: set[str] = field(default_factory=set)

    @property
    def rows(self) -> int:
        """Number of rows of the file."""
        return sum(len(kept) for kept in self.kept)


def settle(
    parts: Iterable[Part], config: RoleConfig, withdrawn: Collection[bytes] = frozenset()
) -> Plan:
    """Give every record its role and split, or the reason why it is left out.

    Args:
        parts: Everything that the file is made of, in the order of the source.
        config: Shares of roles and splits.
        withdrawn: Subject ids of people of whom nothing may go into the file.
    """
    plan, assigner = Plan(), Assigner(config)
    flags: set[str] = {DUPLICATE_FLAG}
    for part in parts:
        table = read_table(part)
        _settle_part(part, table, assigner, plan, withdrawn)
        for extra in (table.extras[row] for row in plan.kept[-1]):
            flags.update(extra.flags)
            for name, value in extra.attributes.items():
                (plan.text_columns if isinstance(value, str) else plan.number_columns).add(name)
    # A column that holds text somewhere is text everywhere.
    plan.number_columns -= plan.text_columns
    plan.duplicates = assigner.duplicates
    plan.flags = sorted(flags)
    return plan


def _settle_part(
    part: Part, table: PartTable, assigner: Assigner, plan: Plan, withdrawn: Collection[bytes]
) -> None:
    """Settle a part's records in their order, and note in the plan what became of them."""
    kept: list[int] = []
    places: list[tuple[int, int, int]] = []
    subject_ids = table.columns["subject/subject_id"]
    for row, record_id in enumerate(table.columns["subject/record_id"]):
        if subject_ids[row] in withdrawn:
            plan.gone.append(subject_ids[row])
            continue
        if not part.finished:
            plan.new_records.add(record_id)
        there = _place(part, table, row, assigner)
        if isinstance(there, str):
            plan.quarantine.append((subject_ids[row], record_id, there))
            continue
        kept.append(row)
        plan.persons.add(subject_ids[row])
        places.append((ROLES.index(there.role), SPLITS.index(there.split), there.fold))
    plan.kept.append(np.array(kept, dtype=np.int64))
    plan.places.append(np.array(places, dtype=np.int8).reshape(-1, 3))


def _place(part: Part, table: PartTable, row: int, assigner: Assigner) -> Assignment | str:
    """Where one record belongs, or why it is left out."""
    columns = table.columns
    who = (
        columns["subject/subject_id"][row],
        columns["subject/record_id"][row],
        int(columns["ecg/fingerprint"][row]),
    )
    if part.finished:
        role, split, fold = (int(columns[f"subject/{n}"][row]) for n in ("role", "split", "fold"))
        there = Assignment(ROLES[role], SPLITS[split], fold)
        assigner.keep(*who, there)
        return there
    role, split = table.asked[row].tolist()
    asked = Asked(
        None if role == layout.UNKNOWN else ROLES[role],
        None if split == layout.UNKNOWN else SPLITS[split],
    )
    return assigner.settle(*who, Draws(*table.draws[row].tolist()), asked)
