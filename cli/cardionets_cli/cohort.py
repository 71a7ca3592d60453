"""``cardionets cohort``: what is done to a finished cohort."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cardionets_cli.console import add_row
from cardionets_cli.console import out as console
from cardionets_core.errors import UsageError

if TYPE_CHECKING:
    from cardionets_core.cohort.withdrawing import Rewritten, Withdrawal
    from cardionets_core.cohort.writer import PrepareReport
    from cardionets_core.train.runs_that_saw import Seen

app = typer.Typer(help="Change a finished cohort.", no_args_is_help=True)
_RUNS = Path("runs")


@app.callback()
def _group() -> None:
    """Change a finished cohort."""


@app.command("withdraw")
def withdraw(
    listing: Annotated[
        Path,
        typer.Argument(
            metavar="LIST",
            help="Text file with the source's own ids of people who withdrew, one a line.",
        ),
    ],
    cohort: Annotated[Path, typer.Option(help="Cohort to take them out of.")],
    runs: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of runs to look through; may be repeated (default runs)."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="Key of the ids, if it is not at COHORT.key.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and stop.")
    ] = False,
) -> None:
    """Take people who withdrew out of a cohort, and list the runs that saw them.

    The file is rewritten without them in one step, and cached arrays are deleted. Runs are only
    listed. docs/withdraw.md tells more.
    """
    from cardionets_core.cohort.withdrawing import (
        find_withdrawn,
        read_list,
        refuse_unremovable,
        rewrite_without,
    )
    from cardionets_core.train.arrays import drop_arrays
    from cardionets_core.train.runs_that_saw import runs_that_saw

    folders = _folders(runs)
    found = find_withdrawn(cohort, read_list(listing), key)
    if found.subjects:
        refuse_unremovable(found)
    _tell_found(found)
    # Before anything is changed: a command that is cut short can be given again as it was.
    seen = runs_that_saw(folders, found)
    _tell_runs(seen, folders)
    if dry_run:
        _say("dry run: nothing was changed")
    elif found.subjects:
        dropped = drop_arrays()
        _tell_done(found, rewrite_without(found), dropped)
    if seen:
        _tell_remedy()


def tell_withdrawn(report: PrepareReport) -> None:
    """Delete what was derived from people whom ``prepare --extend`` took out, and say so."""
    from cardionets_core.train.arrays import drop_arrays

    _say(
        f"{report.withdrawn} records of people who withdrew were taken out of it, and "
        f"{drop_arrays()} cached arrays deleted; for the runs that saw them give cardionets cohort "
        "withdraw LIST --dry-run"
    )


def _folders(asked: list[Path] | None) -> list[Path]:
    """Folders of runs that are there; one that was asked for must be."""
    for folder in asked or ():
        if not folder.is_dir():
            raise UsageError(f"--runs {folder}: no such folder; name one that holds run folders")
    return asked or [folder for folder in (_RUNS,) if folder.is_dir()]


def _say(line: str) -> None:
    console.print(line, markup=False, soft_wrap=True)


def _tell_found(found: Withdrawal) -> None:
    if not found.subjects:
        _say(
            f"nobody of the {found.listed} listed is in {found.path}: nothing is rewritten (ids "
            "must be written as the source writes them)"
        )
        return
    left_out = f", and {found.quarantined} that were left out" if found.quarantined else ""
    _say(
        f"{found.subjects} of the {found.listed} listed are in {found.path}, with {found.records} "
        f"records{left_out}"
    )


def _tell_runs(seen: list[Seen], folders: list[Path]) -> None:
    places = ", ".join(map(str, folders))
    if not folders:
        _say("no folder of runs was looked through; name them with --runs")
    elif not seen:
        _say(f"no run below {places} saw them")
    else:
        table = Table("run or table", "stage", "people who withdrew", box=None, pad_edge=False)
        for entry in seen:
            add_row(table, entry.path, entry.stage or "-", entry.use)
        console.print(table)


def _tell_done(found: Withdrawal, made: Rewritten, dropped: int) -> None:
    _say(
        f"{found.path} was rewritten without them: {made.records} records of {made.subjects} "
        f"persons are left, and its rows and content hash are new"
    )
    _say(f"{dropped} cached arrays were deleted; what is needed again is computed again")
    if made.reports:
        _say(f"{made.reports} reports of its preparation were deleted: they told of them")
    if made.other_names:
        _say(f"{made.other_names} other names (hard links) of the old file still hold them")
    _say(
        "cohorts that were copied from it, augmented, or prepared of the same source hold them "
        "too: give this command for each, take them out of the source, and delete backups and "
        "pictures that `inspect` drew of them"
    )


def _tell_remedy() -> None:
    _say(
        "runs that trained or were validated on them: train anew on the rewritten cohort, then "
        "delete the old folder and every copy, packed or published weights and synthetic cohort "
        "that came of it"
    )
    _say("runs and tables that only evaluated on them: evaluate anew, and delete the old results")
