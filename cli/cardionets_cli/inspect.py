"""``cardionets inspect``: what a cohort holds, as tables and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cardionets_cli.console import out as console
from cardionets_core.errors import CohortError

if TYPE_CHECKING:
    from cardionets_core.cohort.tables import Table as CohortTable


def inspect(
    cohort: Annotated[Path, typer.Argument(help="Cohort file.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pictures; beside the cohort if not given.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=24, help="Records on a contact sheet.")] = 4,
) -> None:
    """Print counts, phenotypes, diagnoses, flagged and quarantined records; draw contact sheets."""
    from cardionets_core.cohort.reader import open_cohort
    from cardionets_core.cohort.sheets import draw_cine_sheet, draw_ecg_sheet, pick_rows
    from cardionets_core.cohort.tables import summary

    folder = out or cohort.parent
    with open_cohort(cohort) as opened:
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for found in summary(opened):
            console.print(_printable(found), "")
        sheets = {"ecg": draw_ecg_sheet, "cine": draw_cine_sheet}
        for name, draw in sheets.items():
            chosen = pick_rows(opened, rows, with_cine=name == "cine")
            if len(chosen):
                path = folder / f"{cohort.stem}-{name}.png"
                with _writing(path):
                    draw(opened, chosen, path)
                console.print(f"{name} sheet: {path}", markup=False, soft_wrap=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CohortError(
            f"{path}: the pictures cannot be written there ({error.strerror or error}); "
            "name another folder with --out, or free space"
        ) from error


def _printable(found: CohortTable) -> Table:
    """A rich table; columns of words to the left, of numbers to the right."""
    table = Table(title=found.title, box=None, title_justify="left", pad_edge=False)
    for number, heading in enumerate(found.columns):
        words = any(row[number][:1].isalpha() for row in found.rows)
        table.add_column(heading, justify="left" if words else "right")
    for row in found.rows:
        table.add_row(*row)
    return table
