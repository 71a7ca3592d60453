"""Whom a generator is evaluated on, and whom everything that is fitted here learns from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.reader import Cohort
from cardionets_core.errors import EvaluationError
from cardionets_core.interfaces import Role
from cardionets_core.train.order import seed_of

Rows = NDArray[np.int64]
FEWEST_SUBJECTS = 10
_FEWEST_TO_LEARN_FROM = 10


class RowNeeds(NamedTuple):
    """What rows must have beside a cine: what the generators draw from."""

    ecg: bool
    phenotypes: bool


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationRows:
    """Cohort rows by use.

    Attributes:
        test: Rows of the role ``downstream`` that cines are generated for.
        train: Rows of ``pretrain`` that baselines and regressors are fitted on.
        val: Rows of ``pretrain`` that a regressor's penalty is chosen on.
        subjects: Subject of each test row, (len(test),).
    """

    test: Rows
    train: Rows
    val: Rows
    subjects: NDArray[np.str_]

    @property
    def people(self) -> int:
        """Test subjects."""
        return len(np.unique(self.subjects))


def evaluation_rows(
    cohort: Cohort,
    needs: RowNeeds,
    *,
    split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> EvaluationRows:
    """Choose the rows.

    Args:
        cohort: The cohort.
        needs: What they must have beside a cine.
        split: Only this split of the test subjects; all of them by default.
        limit: At most so many test subjects, drawn by ``seed``.
        seed: Of the draw.

    Raises:
        EvaluationError: If there are too few.
    """
    test = _usable(cohort, "downstream", split, needs)
    train, val = (_usable(cohort, "pretrain", part, needs) for part in ("train", "val"))
    rows = EvaluationRows(test, train, val, cohort.subject_ids[test])
    if limit is not None:
        kept = _drawn(cohort, test, limit, seed)
        rows = replace(rows, test=kept, subjects=cohort.subject_ids[kept])
    _require_enough(cohort, rows, split, needs)
    return rows


def names_of(cohort: Cohort, rows: Rows) -> list[str]:
    """What random draws for records go by: the origin of simulated ones, else the record's id.

    Ids follow from a cohort's own key, so that draws by them would be other ones for everybody
    who prepares the same simulated cohort.
    """
    pairs = zip(cohort.origins[rows].tolist(), cohort.record_ids[rows].tolist(), strict=True)
    return [origin or record for origin, record in pairs]


def _usable(cohort: Cohort, role: Role, split: str | None, needs: RowNeeds) -> Rows:
    rows = cohort.select(role=role, split=split, with_ecg=needs.ecg, with_cine=True)
    if not needs.phenotypes:
        return rows
    return rows[np.isfinite(cohort.phenotypes[rows]).all(axis=1)]


def _drawn(cohort: Cohort, rows: Rows, limit: int, seed: int) -> Rows:
    """All rows of so many subjects, drawn by the seed; fewer are a part of more."""
    names = np.array(names_of(cohort, rows))
    people, first = np.unique(cohort.subject_ids[rows], return_index=True)
    order = sorted(range(len(people)), key=lambda i: seed_of(seed, "subjects", names[first[i]]))
    return rows[np.isin(cohort.subject_ids[rows], people[order[:limit]])]


def _require_enough(
    cohort: Cohort, rows: EvaluationRows, split: str | None, needs: RowNeeds
) -> None:
    needed = " and ".join(
        ["a cine"] + ["an ECG"] * needs.ecg + ["all 82 phenotypes"] * needs.phenotypes
    )
    part = "downstream" + (f" and the split {split}" if split else "")
    if rows.people < FEWEST_SUBJECTS:
        raise EvaluationError(
            f"{cohort.path}: {rows.people} subjects of the role {part} have {needed}; at least "
            f"{FEWEST_SUBJECTS} are needed: prepare more, or leave --split and --subjects out"
        )
    if len(rows.train) < _FEWEST_TO_LEARN_FROM or len(rows.val) < 2:
        raise EvaluationError(
            f"{cohort.path}: {len(rows.train)} training and {len(rows.val)} validation records of "
            f"the role pretrain have {needed}; {_FEWEST_TO_LEARN_FROM} and 2 are needed to fit "
            "baselines and the phenotype regression: prepare more with that role"
        )
    if not np.isfinite(cohort.phenotypes[rows.test]).any():
        raise EvaluationError(
            f"{cohort.path}: no test subject has a phenotype, so that no R2 can be computed; "
            "prepare the cohort with phenotypes"
        )
