"""What a stage prints when it is done."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from cardionets_core.train.outcome import Outcome
from cardionets_core.train.run_folder import RunFolder

# Rows of single outputs are in results.json; a table of 82 phenotypes is nothing for a screen.
_MOST_ROWS = 30


def report(outcome: Outcome, run: RunFolder, console: Console) -> None:
    """Print the table that a stage ends with."""
    mark = " (simulated data)" if outcome.simulated else ""
    table = Table(show_header=False, box=None)
    for name, value in outcome.numbers.items():
        shown = f"{value:d}" if isinstance(value, int) else f"{value:.4g}"
        table.add_row(name.replace("_", " "), shown)
    console.print(f"[italic]Result{mark}[/]")
    console.print(table)
    if outcome.retrieval:
        title = f"Retrieval among {outcome.test_subjects} unseen subjects{mark}"
        console.print(f"[italic]{title}[/]", soft_wrap=True)
        console.print(_retrieval_report(outcome))
    if outcome.metrics:
        _print_metrics(outcome, mark, console)
    for remark in outcome.remarks:
        console.print(f"note: {remark}", markup=False, soft_wrap=True)
    console.print(f"run folder: {run.path}", markup=False, soft_wrap=True)


def _retrieval_report(outcome: Outcome) -> Table:
    table = Table(box=None)
    for column in ("direction", "k", "recall@k", "95 % interval", "chance"):
        table.add_column(column, justify="left" if column == "direction" else "right")
    for row in outcome.retrieval:
        table.add_row(
            str(row["direction"]),
            str(row["k"]),
            f"{row['recall']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            f"{row['chance']:.3f}",
        )
    return table


def _print_metrics(outcome: Outcome, mark: str, console: Console) -> None:
    rows = outcome.metrics
    if len(rows) > _MOST_ROWS:
        rows = tuple(row for row in rows if "[" not in row["name"])
    title = f"{outcome.test_subjects} unseen subjects{mark}"
    console.print(f"[italic]{title}[/]", soft_wrap=True)
    table = Table(box=None)
    for column in ("metric", "estimate", "95 % interval", "by", "records"):
        table.add_column(column, justify="right" if column in ("estimate", "records") else "left")
    for row in rows:
        table.add_row(
            row["name"].replace("_", " ").replace("[", "\\["),
            _shown(row["estimate"]),
            "" if row["low"] is None else f"{_shown(row['low'])} to {_shown(row['high'])}",
            row["method"],
            str(row["n"]),
        )
    console.print(table)
    for note in dict.fromkeys(row["note"] for row in rows if row["note"]):
        of = ", ".join(row["name"].replace("_", " ") for row in rows if row["note"] == note)
        console.print(f"note: {of}: {note}", markup=False, soft_wrap=True)


def _shown(value: Any) -> str:
    return "undefined" if value is None else f"{value:.3f}"
