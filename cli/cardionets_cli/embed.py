"""``cardionets embed``: ECG files, folders or cohorts to a table of embeddings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cardionets_cli.console import out as console
from cardionets_core.errors import UsageError


def embed(
    paths: Annotated[list[Path], typer.Argument(help="ECG files, folders of them, or cohorts.")],
    weights: Annotated[
        str, typer.Option(help="Zoo id, run folder, file or url of an ECG encoder's weights.")
    ],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    units: Annotated[
        str | None, typer.Option(help="mV or uV, for CSV and NPY, which do not say.")
    ] = None,
    sampling_rate_hz: Annotated[
        float | None, typer.Option(help="Samples per second, for CSV and NPY.")
    ] = None,
    leads: Annotated[
        str | None, typer.Option(help="Lead names in order, e.g. I,II,V1, for NPY.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that read; one per core if not given.")
    ] = None,
    offline: Annotated[bool, typer.Option(help="Never use the network.")] = False,
) -> None:
    """Embed ECGs with trained weights and the preprocessing that belongs to them.

    A file that cannot be read is a row of the table with its reason.
    """
    if out.suffix.lower() != ".parquet":
        raise UsageError(f"--out {out}: needed a name that ends in .parquet, as that is written")
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}; make it, or name another")
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it")
    import torch

    from cardionets_core.evaluate.embed_files import embed_paths
    from cardionets_core.train.cohorts import preparing_progress
    from cardionets_core.weights.load import load

    encoder = load(weights, "encoder", offline=offline or None)
    if torch.cuda.is_available():
        encoder.to("cuda")
    with preparing_progress(console) as bar:
        task = bar.add_task("embedding", total=None)
        embedded, failed = embed_paths(
            encoder,
            paths,
            out,
            weights=weights,
            workers=workers or os.cpu_count() or 1,
            on_batch=lambda records: bar.advance(task, records),
            units=units,
            sampling_rate_hz=sampling_rate_hz,
            leads=None if leads is None else leads.split(","),
        )
    console.print(
        f"{embedded} records embedded, {failed} not (their rows say why): {out}",
        markup=False,
        soft_wrap=True,
    )
    if encoder.header.simulated:
        console.print("these weights come from simulated data: they say nothing about patients")
