"""The console, and what every command does with an error."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.markup import escape

from cardionets_core.errors import CardionetsError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def fail(error: CardionetsError) -> int:
    """Print an error in one line and return the exit code it stands for."""
    err.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
    return error.exit_code


def is_terminal() -> bool:
    """Whether a person is likely to be looking."""
    return sys.stdout.isatty()
