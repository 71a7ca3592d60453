"""What a cohort itself says about a task: diagnoses, and columns."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort import layout
from cardionets_core.cohort.columns import CohortColumns
from cardionets_core.cohort.label_values import Column
from cardionets_core.spec import TaskSpec

LaterDiagnoses = Literal["exclude", "negative"]
# Columns that every cohort has, beside its source's own.
_EVERYBODYS = ("sex", "age_years")


def cohort_column_names(cohort: CohortColumns) -> tuple[str, ...]:
    """Columns of a cohort that can be targets: sex, age and the source's own."""
    return tuple(dict.fromkeys((*_EVERYBODYS, *cohort.attribute_names)))


def cohort_column(cohort: CohortColumns, name: str) -> Column:
    """A column of a cohort.

    Raises:
        UsageError: If there is no such column.
    """
    told = f"column {name!r} of {cohort.path.name}"
    if name in cohort.attribute_names or name not in _EVERYBODYS:
        values = cohort.attribute(name)
    elif name == "sex":
        values = np.where(cohort.sexes == "unknown", "", cohort.sexes)
    else:
        values = cohort.ages_years
    if values.dtype.kind == "U":
        return Column(name, told, values)
    # Texts of float64 come back as the same number.
    texts = values.astype(np.float64).astype(np.str_)
    return Column(name, told, texts, quantity=name == "age_years")


def diagnosed(
    task: TaskSpec, cohort: CohortColumns, later_diagnoses: LaterDiagnoses
) -> NDArray[np.float32]:
    """Targets of a task on ICD-10 codes, as ``Targets.values``.

    A diagnosis counts if it is dated on or before the visit or has no date, unless the task takes
    all. A record is of a class if codes of exactly one class are found. Nothing is known of a
    record whose source has no diagnoses, nor, with ``exclude``, of one that only later got one.
    """
    found, later = _found(task, cohort)
    if task.target == "multiclass":
        single = found.sum(axis=1) == 1
        return np.where(single, found.argmax(axis=1), np.nan).astype(np.float32).reshape(-1, 1)
    unknown = np.broadcast_to(~cohort.diagnoses_known[:, None], found.shape)
    if later_diagnoses == "exclude":
        unknown = unknown | (later & ~found)
    return np.where(unknown, np.nan, found).astype(np.float32)


def _found(task: TaskSpec, cohort: CohortColumns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a record has a code of an output that counts, and one too late, (n, outputs)."""
    table = cohort.diagnoses
    undated = table.days_from_visit == layout.UNKNOWN_DAYS
    counts = undated | (table.days_from_visit <= 0) | (not task.dated_by_visit)
    distinct, inverse = np.unique(table.icd10, return_inverse=True)
    found = np.zeros((2, len(cohort), len(task.codes)), dtype=bool)
    for place, prefixes in enumerate(task.codes):
        belongs = np.array([code.startswith(prefixes) for code in distinct.tolist()], dtype=bool)
        for timely, which in enumerate((~counts, counts)):
            found[timely, table.row[which & belongs[inverse]], place] = True
    return found[1], found[0]
