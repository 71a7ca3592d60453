"""The console, and what every command does with an error."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cardionets_core.errors import CardionetsError

# A pipe has no width of its own; tables that a program reads keep a row on a line.
_PIPE_COLUMNS = 400


def _columns(stream: TextIO) -> int | None:
    return None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_COLUMNS


out = Console(highlight=False, width=_columns(sys.stdout))
err = Console(stderr=True, highlight=False, width=_columns(sys.stderr))


def fail(error: CardionetsError) -> int:
    """Print an error in one line and return the exit code it stands for."""
    err.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
    return error.exit_code


def add_row(table: Table, *cells: object) -> None:
    """Add a row of plain text: square brackets in it are no markup."""
    table.add_row(*(escape(str(cell)) for cell in cells))
