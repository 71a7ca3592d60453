"""``cardionets embed``: ECG files, folders or cohorts to a table of embeddings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cardionets_cli.cluster import executor_at
from cardionets_cli.console import out as console
from cardionets_cli.tables import (
    Leads,
    Offline,
    Paths,
    Rate,
    Scheduler,
    Units,
    Workers,
    check_table,
)


def embed(
    paths: Paths,
    weights: Annotated[
        str, typer.Option(help="Zoo id, run folder, file or url of an ECG encoder's weights.")
    ],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    units: Units = None,
    sampling_rate_hz: Rate = None,
    leads: Leads = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    offline: Offline = False,
) -> None:
    """Embed ECGs with trained weights and the preprocessing that belongs to them.

    A file that cannot be read is a row of the table with its reason.
    """
    check_table(out, ".parquet")
    import torch

    from cardionets_core.evaluate.embed_files import embed_paths
    from cardionets_core.train.cohorts import preparing_progress
    from cardionets_core.weights.load import load

    encoder = load(weights, "encoder", offline=offline or None)
    if torch.cuda.is_available():
        encoder.to("cuda")
    with executor_at(scheduler) as executor, preparing_progress(console) as bar:
        task = bar.add_task("embedding", total=None)
        embedded, failed = embed_paths(
            encoder,
            paths,
            out,
            weights=weights,
            workers=workers or os.cpu_count() or 1,
            executor=executor,
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
