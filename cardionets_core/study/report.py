"""report.md: what was compared, what came out in plain words, the tables and the figures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cardionets_core.study.config import TaskPlan
from cardionets_core.study.findings import findings
from cardionets_core.study.jobs import slug
from cardionets_core.study.running import Ended
from cardionets_core.study.tables.protocols import selection, threshold
from cardionets_core.study.tables.results import Results
from cardionets_core.study.tables.table import Table

# Long tables stay files of their own.
_IN_REPORT_ROWS = 60
_WITH_THRESHOLDS = ("binary", "multilabel")


def report_text(
    results: Results,
    tables: Mapping[str, list[Table]],
    drawn: Mapping[str, list[tuple[str, str]]],
    runs: Table,
    ended: list[Ended],
    command: str,
) -> str:
    """The report as Markdown.

    Args:
        results: The study.
        tables: Tables of each task.
        drawn: Name and caption of the figures of each task.
        runs: The table of runs.
        ended: How each job ended.
        command: The command line, without local paths.
    """
    parts = ["# Study\n"]
    if results.stamp.text:
        parts.append(f"**{results.stamp.text}**\n")
    parts += [_compared(results, command), _failures(ended)]
    for plan in results.config.tasks:
        parts.append(_task(results, plan, tables[plan.task], drawn[plan.task]))
    parts += ["## Runs\n", runs.markdown(results.stamp)]
    return "\n".join(part for part in parts if part)


def _compared(results: Results, command: str) -> str:
    config = results.config
    lines = [f"Command: `{command}`\n" if command else ""]
    seeds = ", ".join(str(seed) for seed in config.seeds)
    split = (
        f"{len(config.folds)} of {config.groups} folds tested in turn"
        if len(config.folds) > 1
        else "one split of 60/20/20 per seed"
    )
    lines.append(
        f"Preset {config.preset}, head {config.head}, seeds {seeds} (each a whole lineage), "
        f"{split}; splits are by subject{_protocol(results)}.\n"
    )
    for name, spec in results.variants.items():
        own = " (weights given by the user)" if name in config.runs else ""
        control = ", a negative control" if spec.control else ""
        lines.append(f"- **{spec.label}** ({name}){control}: {spec.summary}{own}")
    return "\n".join(line for line in lines if line) + "\n"


def _protocol(results: Results) -> str:
    """How training was stopped and thresholds were set, as the runs themselves say."""
    fits = results.protocols
    binary = [name for name in fits if results.tasks[name].target in _WITH_THRESHOLDS]
    said = (
        selection(protocol for of_task in fits.values() for protocol in of_task),
        threshold(protocol for name in binary for protocol in fits[name]),
    )
    return "".join(f"; {text}" for text in said if text)


def _failures(ended: list[Ended]) -> str:
    lines = [
        f"- {end.job.name}, {end.status}: {end.reason}" for end in ended if end.status != "finished"
    ]
    if not lines:
        return ""
    head = ["## Not finished\n", "The numbers below are without these runs.\n"]
    return "\n".join([*head, *lines, ""])


def _task(
    results: Results, plan: TaskPlan, tables: list[Table], drawn: list[tuple[str, str]]
) -> str:
    task = results.tasks[plan.task]
    by_name = {table.name: table for table in tables}
    parts = [f"## {plan.task}: {task.summary}\n"]
    if not tables:
        return "\n".join([*parts, "No run of this task has finished.\n"])
    parts += ["### What came out\n"]
    parts += [f"- {line}" for line in findings(results, plan, by_name)]
    parts.append("")
    for table in tables:
        files = f"tables/{table.name}.csv"
        if _rows(table) <= _IN_REPORT_ROWS and table.name != f"delong-{slug(plan.task)}":
            parts += [table.markdown(results.stamp), f"[{files}]({files})\n"]
        else:
            parts.append(f"{table.title}: [{files}]({files})\n")
    stamp = f" ({results.stamp.text})" if results.stamp.text else ""
    parts += [f"![{caption}{stamp}](figures/{name}.png)\n" for name, caption in drawn]
    return "\n".join(parts)


def _rows(table: Table) -> int:
    return int(np.shape(table.frame if table.shown is None else table.shown)[0])
