"""``cardionets predict``: ECG files, folders or cohorts to a table of predictions."""

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


def predict(
    paths: Paths,
    out: Annotated[Path, typer.Option(help="CSV or Parquet file to write.")],
    weights: Annotated[
        str | None,
        typer.Option(
            help="Zoo id, run folder, file or url of weights with task heads; "
            "the shipped heads if not given."
        ),
    ] = None,
    units: Units = None,
    sampling_rate_hz: Rate = None,
    leads: Leads = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    offline: Offline = False,
) -> None:
    """Predict diseases and cardiac phenotypes from ECGs. Not for clinical use.

    A file that cannot be read is a row of the table with its reason.
    """
    check_table(out, ".csv", ".parquet")
    import torch

    from cardionets_core.evaluate.predict_files import predict_paths
    from cardionets_core.evaluate.predicting import load_predictor
    from cardionets_core.train.cohorts import preparing_progress

    predictor = load_predictor(weights, offline=offline or None)
    if torch.cuda.is_available():
        predictor.to("cuda")
    console.print(
        f"weights: {predictor.provenance['weights']}, tasks: "
        + ", ".join(head.task.name for head in predictor.heads),
        markup=False,
        soft_wrap=True,
    )
    with executor_at(scheduler) as executor, preparing_progress(console) as bar:
        task = bar.add_task("predicting", total=None)
        predicted, failed = predict_paths(
            predictor,
            paths,
            out,
            workers=workers or os.cpu_count() or 1,
            executor=executor,
            on_batch=lambda records: bar.advance(task, records),
            units=units,
            sampling_rate_hz=sampling_rate_hz,
            leads=None if leads is None else leads.split(","),
        )
    console.print(
        f"{predicted} records predicted, {failed} not (their rows say why): {out}",
        markup=False,
        soft_wrap=True,
    )
    if warning := predictor.provenance["warning"]:
        console.print(str(warning), markup=False)
    if not predicted:
        raise typer.Exit(1)
