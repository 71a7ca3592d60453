"""``OUT.report.html`` and ``OUT.report.json`` beside a cohort."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cardionets_core.cohort.reporting.collecting import Contents, collect
from cardionets_core.cohort.reporting.disclosure import SMALLEST_SHOWN
from cardionets_core.cohort.reporting.html import as_html
from cardionets_core.cohort.reporting.provenance_facts import Run, provenance_facts
from cardionets_core.errors import CardionetsError, CohortError
from cardionets_core.files import write_whole
from cardionets_core.interfaces import SelectionStep
from cardionets_core.registry import default_registry
from cardionets_core.spec import TaskSpec

FORMAT_VERSION = 1


class ReportPaths(NamedTuple):
    """Where a cohort's report lies."""

    html: Path
    json: Path


def report_paths(cohort_path: Path) -> ReportPaths:
    """``OUT.report.html`` and ``OUT.report.json`` beside ``OUT``."""
    return ReportPaths(
        cohort_path.with_name(cohort_path.name + ".report.html"),
        cohort_path.with_name(cohort_path.name + ".report.json"),
    )


def write_report(cohort_path: Path, dataset: Any, run: Run) -> ReportPaths:
    """Write the report of a finished cohort; one of an earlier state of it is removed first.

    Args:
        cohort_path: The cohort.
        dataset: The dataset that it was prepared from, with its ``config``.
        run: How long it took.

    Raises:
        CohortError: If the report cannot be written; the cohort itself is whole.
    """
    selection, notes = _selection(dataset)
    contents = collect(cohort_path, selection, _tasks())
    facts = provenance_facts(contents.provenance, contents.content_hash, dataset.config)
    if contents.withdrawn.value:
        facts["people_withdrawn_since"] = contents.withdrawn.plain()
    facts["run"] = run.plain()
    kind = "SIMULATED cohort" if contents.simulated else "Cohort"
    title = f"{kind} {cohort_path.name}"
    paths = report_paths(cohort_path)
    told = json.dumps(_plain(title, contents, facts, notes), indent=1, ensure_ascii=False)
    try:
        for path in paths:
            path.unlink(missing_ok=True)
        write_whole(paths.json, (told + "\n").encode())
        write_whole(paths.html, as_html(title, contents, facts, notes).encode())
    except OSError as error:
        raise CohortError(
            f"{cohort_path} is whole, but its report cannot be written "
            f"({error.strerror or error}); free some space, and run the same with --extend"
        ) from error
    return paths


def _selection(dataset: Any) -> tuple[Sequence[SelectionStep], tuple[str, ...]]:
    """The source's own steps; a source that cannot tell them costs the report only this part."""
    if not hasattr(dataset, "selection"):
        return (), ()
    try:
        return dataset.selection(), ()
    except CardionetsError as error:
        return (), (
            f"The source could not tell how its listing came about ({type(error).__name__}).",
        )


def _tasks() -> list[TaskSpec]:
    return [task.spec for task in default_registry().tasks() if task.spec.codes]


def _plain(
    title: str, contents: Contents, facts: Mapping[str, Any], notes: tuple[str, ...]
) -> dict[str, Any]:
    listed = contents.quarantine_list.plain()
    return {
        "format": "cardionets-prepare-report",
        "version": FORMAT_VERSION,
        "title": title,
        "data": "SIMULATED" if contents.simulated else "real",
        "simulated": contents.simulated,
        "smallest_count_shown": None if contents.simulated else SMALLEST_SHOWN,
        "notes": list(notes),
        "flow": contents.flow.plain(),
        "tables": {table.key: table.plain() for table in contents.tables},
        "quarantine_list": {"note": listed["note"], "records": listed["rows"]},
        "provenance": dict(facts),
    }
