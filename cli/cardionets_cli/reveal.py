"""``cardionets prepare NAME --reveal KEY``: HMAC ids back to the source's own ids, as CSV."""

from __future__ import annotations

import csv
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cardionets_cli.console import err

if TYPE_CHECKING:
    from cardionets_core.cohort.preparing import PrepareRequest


# A spreadsheet runs what begins like this; a negative number is no harm.
_FORMULA = re.compile(r"[=+\-@\t\r](?!\d+$)", re.ASCII)


def _no_formula(cell: str | None) -> str | None:
    """A cell with an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{cell}" if cell and _FORMULA.match(cell) else cell


def print_revealed(request: PrepareRequest, key_file: Path) -> None:
    """Print every listed record under both names; nothing is read or written.

    Args:
        request: The source; where its cohort is there, only what that holds or left out is told.
        key_file: The key of the ids.

    Raises:
        CardionetsError: If the key is missing or does not fit, or the source cannot be listed.
    """
    from cardionets_core.cohort.preparing import build_dataset
    from cardionets_core.cohort.revealing import HEADINGS, REASON_HEADING, reveal

    dataset = build_dataset(request.component, request.preset, request.options)
    revealed = reveal(dataset, key_file, request.out)
    err.print(
        "personal data: what follows names people; show it to nobody who may not see the source, "
        "and keep it nowhere",
        soft_wrap=True,
    )
    columns = len(HEADINGS) + request.out.exists()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    try:
        writer.writerow((*HEADINGS, REASON_HEADING)[:columns])
        writer.writerows(map(_no_formula, entry[:columns]) for entry in revealed)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough; Python must not complain again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
