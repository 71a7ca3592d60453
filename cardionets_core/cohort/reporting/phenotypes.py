"""The 82 phenotypes: how many have one, and what is usual."""

from __future__ import annotations

import numpy as np

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.cohort.reporting.moments import Moments
from cardionets_core.cohort.reporting.people import People, Tally
from cardionets_core.cohort.reporting.tables import (
    Cell,
    Column,
    Table,
    Whole,
    enter,
    hidden_if_few,
    in_persons,
)
from cardionets_core.cohort.reporting.window import CohortWindow

_COMPLETE = len(PHENOTYPES)


class Phenotypes:
    """Count, mean, SD and missing of every phenotype.

    Args:
        people: Whom the rows belong to.
    """

    def __init__(self, people: People) -> None:
        self._there = Tally(people, len(PHENOTYPES) + 1)
        self._moments = Moments(len(PHENOTYPES))

    def add(self, window: CohortWindow) -> None:
        """Take note of some rows."""
        values = window.phenotypes.astype(np.float64)
        there = ~np.isnan(values)
        for column in range(len(PHENOTYPES)):
            self._there.add(window, column, there[:, column])
            self._moments.add(column, values[there[:, column], column])
        self._there.add(window, _COMPLETE, np.asarray(there.all(axis=1)))

    def tables(self, whole: Whole) -> tuple[Table, ...]:
        """One table; none where nobody has a phenotype."""
        if not any(self._there.records(column) for column in range(len(PHENOTYPES))):
            return ()
        complete = enter(whole.ledger, self._there, _COMPLETE)
        whole.ledger.within(whole.everyone.records, complete.records)
        rows = [self._row(column, whole) for column in range(len(PHENOTYPES))]
        everything = (None, "all 82", None, in_persons(complete), complete.records)
        rows.append((*everything, None, None, None))
        columns = (
            Column("field_id", "Field"),
            Column("name", "Phenotype"),
            Column("unit", "Unit"),
            Column("persons", "Persons"),
            Column("records", "Records"),
            Column("missing", "Missing, records"),
            Column("mean", "Mean"),
            Column("sd", "SD"),
        )
        note = "UK Biobank category 157; mean and SD are over records."
        return (Table("phenotypes", "Phenotypes", note, columns, tuple(rows)),)

    def _row(self, column: int, whole: Whole) -> tuple[Cell, ...]:
        ledger, phenotype = whole.ledger, PHENOTYPES[column]
        there = enter(ledger, self._there, column)
        missing = ledger.number(whole.everyone.records.value - there.records.value)
        ledger.adds_up(whole.everyone.records, (there.records, missing))
        told = (hidden_if_few(there, n, ledger) for n in self._moments.mean_and_sd(column))
        name = (str(phenotype.field_id), phenotype.name, phenotype.unit)
        return (*name, in_persons(there), there.records, missing, *told)
