"""The promises of a dataset's optional methods: ``selection`` and ``withdrawn_subjects``."""

from __future__ import annotations

import itertools
import re
from typing import Any

from cardionets_core.interfaces import Dataset, SelectionStep
from cardionets_core.testing.requirement import require

# Dates, paths, and numbers long enough to be somebody's.
_TELLING = re.compile(r"\d{4}-\d{2}-\d{2}|[/\\]\w|\w[/\\]|\d{6,}")
# An id as short as this may well stand for something else, such as the number of a visit.
_SHORT = 3
_WORD = re.compile(r"[\w.-]*\w")


def check_selection_ends_in_what_is_listed(dataset: Dataset) -> None:
    """``selection``, where there is one, ends with what ``subjects`` lists, and names nobody."""
    steps = _optional(dataset, "selection")
    if steps is None:
        return
    require(
        bool(steps) and all(isinstance(step, SelectionStep) for step in steps),
        "selection() gives something else than one SelectionStep or more",
    )
    refs = list(dataset.subjects())
    records, subjects = len(refs), len({ref.subject_key for ref in refs})
    last = steps[-1]
    require(
        last.records == records and last.subjects in (subjects, None),
        f"selection() ends with {last.records} records of {last.subjects} subjects, and subjects() "
        f"lists {records} of {subjects}; needed the same",
    )
    keys = {key for ref in refs for key in (ref.subject_key, ref.record_key) if len(key) > _SHORT}
    for words in (words for step in steps for words in (step.label, *step.excluded)):
        telling = _TELLING.search(words) or keys & {*words.split(), *_WORD.findall(words)}
        require(
            not telling,
            f"selection() says {words!r}; needed words without ids, paths and dates, as they stand "
            "in the report",
        )


def check_selection_adds_up(dataset: Dataset) -> None:
    """From step to step of ``selection`` there are fewer records, by as many as are excluded."""
    steps = _optional(dataset, "selection")
    for before, after in itertools.pairwise(steps or ()):
        excluded = sum(after.excluded.values())
        require(
            before.records - excluded == after.records
            and min(after.excluded.values(), default=0) >= 0,
            f"selection(): {before.records} records less {excluded} excluded are not "
            f"{after.records}; needed each step to follow from the one before",
        )


def check_nobody_withdrawn_is_listed(dataset: Dataset) -> None:
    """``subjects`` lists none of ``withdrawn_subjects``, where there are any."""
    withdrawn = _optional(dataset, "withdrawn_subjects") or []
    require(
        all(isinstance(key, str) and key for key in withdrawn),
        "withdrawn_subjects() gives something else than subject keys, which are text",
    )
    listed = {ref.subject_key for ref in dataset.subjects()}
    require(
        listed.isdisjoint(withdrawn),
        f"subjects() lists {len(listed & set(withdrawn))} of withdrawn_subjects(); needed none",
    )


def _optional(dataset: Dataset, name: str) -> list[Any] | None:
    """What an optional method gives; None where the dataset has none of that name."""
    return list(getattr(dataset, name)()) if hasattr(dataset, name) else None
