"""What commands that read ECGs into a table share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cardionets_core.errors import UsageError

Paths = Annotated[list[Path], typer.Argument(help="ECG files, folders of them, or cohorts.")]
Units = Annotated[str | None, typer.Option(help="mV or uV, for CSV and NPY, which do not say.")]
Rate = Annotated[float | None, typer.Option(help="Samples per second, for CSV and NPY.")]
Leads = Annotated[str | None, typer.Option(help="Lead names in order, e.g. I,II,V1, for NPY.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes that read; one per core if not given.")
]
Scheduler = Annotated[
    str | None, typer.Option(help="Address of a Dask scheduler whose workers read instead.")
]
Offline = Annotated[bool, typer.Option(help="Never use the network.")]


def check_table(out: Path, *endings: str) -> None:
    """Refuse a place where no table can be written, before anything is read.

    Args:
        out: Where the table is to be.
        endings: Of its name, each a format that is written.

    Raises:
        UsageError: If it has another ending, its folder is missing, or it is a folder.
    """
    if out.suffix.lower() not in endings:
        raise UsageError(
            f"--out {out}: needed a name that ends in {' or '.join(endings)}, as that is written"
        )
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}; make it, or name another")
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it")
