"""The promises of a task: ``cardionets_core.spec.TaskSpec``."""

from __future__ import annotations

import re
from itertools import combinations
from typing import get_args

from cardionets_core.cmr.phenotypes import FIELD_IDS
from cardionets_core.spec import TargetKind, TaskSpec
from cardionets_core.testing.requirement import require

_PREFIX = re.compile(r"[A-Z][0-9A-Z]{1,6}")


def check_is_declared_in_words(task: TaskSpec) -> None:
    """A kind of target that there is, and a summary of one line."""
    kinds = get_args(TargetKind)
    require(task.target in kinds, f"target is {task.target!r}; needed one of {', '.join(kinds)}")
    require(
        bool(task.summary.strip()) and "\n" not in task.summary,
        "the summary is empty or has several lines; needed one line for listings",
    )


def check_outputs_are_named_once(task: TaskSpec) -> None:
    """One output of a binary task, two classes at least, and no name twice."""
    found = len(task.outputs)
    if task.target == "binary":
        require(found == 1, f"a binary task has {found} outputs; needed the finding's name alone")
    least = 2 if task.target == "multiclass" else 1
    require(found >= least, f"a {task.target} task has {found} outputs; needed {least} or more")
    require(all(task.outputs), "an output has no name")
    twice = sorted({name for name in task.outputs if task.outputs.count(name) > 1})
    require(not twice, f"outputs {', '.join(twice)} are named twice; needed each name once")


def check_has_exactly_one_source(task: TaskSpec) -> None:
    """Diagnoses, phenotypes or columns, and not two of them."""
    given = [name for name in ("codes", "field_ids", "columns") if getattr(task, name)]
    require(
        len(given) == 1,
        f"the target comes from {' and '.join(given) or 'nowhere'}; needed exactly one of codes, "
        "field_ids and columns",
    )


def check_source_fits_the_target(task: TaskSpec) -> None:
    """Diagnoses are yes or no, phenotypes are numbers, and units belong to numbers."""
    if task.codes:
        require(task.target != "regression", "ICD-10 codes are no numbers to regress on")
    if task.field_ids:
        require(
            task.target == "regression",
            f"phenotypes are numbers, but the target is {task.target}; needed regression",
        )
        strange = [str(field) for field in task.field_ids if field not in FIELD_IDS]
        require(
            not strange,
            f"fields {', '.join(strange)} are not stored in a cohort; needed {FIELD_IDS[0]} to "
            f"{FIELD_IDS[-1]}, or columns",
        )
    if task.units:
        require(task.target == "regression", f"a {task.target} target has no units")


def check_source_tells_each_output(task: TaskSpec) -> None:
    """As many codes, fields, columns and units as outputs; one column for all classes."""
    needed = len(task.outputs)
    for name in ("codes", "field_ids", "units"):
        found = len(getattr(task, name))
        require(found in (0, needed), f"{name} has {found} entries for {needed} outputs")
    if task.columns:
        needed = 1 if task.target == "multiclass" else needed
        found = len(task.columns)
        require(found == needed, f"columns has {found} entries; needed {needed}")


def check_codes_are_icd10_prefixes(task: TaskSpec) -> None:
    """Tuples of prefixes in upper case without dot, as a cohort stores codes."""
    for prefixes in task.codes:
        # A text is a sequence of letters, and "I42" would match everything that starts with I.
        require(
            isinstance(prefixes, tuple) and bool(prefixes),
            f"codes holds {prefixes!r}; needed a tuple of prefixes per output, e.g. (('I42',),)",
        )
        for prefix in prefixes:
            require(
                _PREFIX.fullmatch(prefix) is not None,
                f"{prefix!r} is no ICD-10 prefix as a cohort stores them; needed upper case "
                "without dot, e.g. 'I420'",
            )


def check_classes_do_not_overlap(task: TaskSpec) -> None:
    """No code belongs to two classes, as such a record would be of none."""
    if task.target != "multiclass":
        return
    for (one, these), (other, those) in combinations(
        zip(task.outputs, task.codes, strict=False), 2
    ):
        shared = [a for a in these for b in those if a.startswith(b) or b.startswith(a)]
        require(not shared, f"{', '.join(shared)} is of class {one!r} and of {other!r} alike")
