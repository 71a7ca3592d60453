"""One pass over a cohort, and everything that the report tells of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cardionets_core.cohort.columns import CohortColumns
from cardionets_core.cohort.opening import open_file
from cardionets_core.cohort.reporting.disclosure import Count, Ledger, Number
from cardionets_core.cohort.reporting.extras import Extras
from cardionets_core.cohort.reporting.flow import Flow, make_flow
from cardionets_core.cohort.reporting.labels import Labels
from cardionets_core.cohort.reporting.leftout import LeftOut, left_out
from cardionets_core.cohort.reporting.people import People
from cardionets_core.cohort.reporting.people_table import SexAndAge
from cardionets_core.cohort.reporting.phenotypes import Phenotypes
from cardionets_core.cohort.reporting.quality import Duplicates, Quality
from cardionets_core.cohort.reporting.sides import Sides
from cardionets_core.cohort.reporting.tables import Section, Table, Whole
from cardionets_core.cohort.reporting.window import windows
from cardionets_core.interfaces import SelectionStep
from cardionets_core.spec import TaskSpec


@dataclass(frozen=True, slots=True)
class Contents:
    """What a cohort holds, as it may be shown.

    Attributes:
        flow: How it came about.
        tables: Everything counted.
        quarantine_list: Record by record; the only part of a report that tells of single records.
        provenance: As the cohort holds it.
        content_hash: Identity of what is stored.
        withdrawn: People who withdrew since an earlier state of it.
    """

    flow: Flow
    tables: tuple[Table, ...]
    quarantine_list: Table
    provenance: Mapping[str, Any]
    content_hash: str
    withdrawn: Number

    @property
    def simulated(self) -> bool:
        """True if there is no patient behind any record."""
        return bool(self.provenance["simulated"])


def collect(path: Path, selection: Sequence[SelectionStep], tasks: Sequence[TaskSpec]) -> Contents:
    """Count everything; memory is a few bytes per record and person.

    Args:
        path: A finished cohort.
        selection: How the source's listing came about.
        tasks: Tasks on diagnoses to count cases of.
    """
    with CohortColumns(path) as cohort:
        stored, content_hash = cohort.provenance, cohort.content_hash
        flags, extra_columns = cohort.quality_names, cohort.attribute_names
    people = _people(path)
    sides = Sides(people, stored["roles"]["folds"])
    sections: tuple[Section, ...] = (
        Labels(people, tasks),
        Phenotypes(people),
        SexAndAge(people),
        Quality(people, flags),
        Duplicates(people),
        Extras(people, extra_columns),
    )
    for window in windows(path):
        sides.add(window)
        for section in sections:
            section.add(window)
    ledger = Ledger(hide=not stored["simulated"])
    whole, quarantine = sides.whole(ledger), left_out(path)
    reasons, held = quarantine.by_reason(ledger), sides.held(whole)
    flow = make_flow(selection, _read(people, quarantine, whole), reasons, whole, held)
    tables = (flow.left_out(), *sides.tables(whole, held))
    tables += tuple(table for section in sections for table in section.tables(whole))
    withdrawn = ledger.number(int(stored.get("withdrawn_subjects", 0)))
    ledger.settle()
    return Contents(flow, tables, quarantine.list_table(), stored, content_hash, withdrawn)


def _people(path: Path) -> People:
    with open_file(path) as file:
        return People(file["subject/subject_id"][:])


def _read(people: People, quarantine: LeftOut, whole: Whole) -> Count:
    """All that was read: what is stored and what is quarantined."""
    ids = np.array(sorted(set().union(*quarantine.persons.values())), dtype=people.ids.dtype)
    persons = len(people) + int((~np.isin(ids, people.ids)).sum())
    return whole.ledger.count(whole.everyone.records.value + quarantine.records.total(), persons)
