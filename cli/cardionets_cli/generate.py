"""``cardionets generate``: ECG files, folders or cohorts to synthetic cines."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardionets_cli.cluster import executor_at
from cardionets_cli.console import out as console
from cardionets_cli.tables import Leads, Offline, Paths, Rate, Scheduler, Units, Workers

if TYPE_CHECKING:
    from cardionets_core.generate.loading import LoadedGenerator

_CUDA_BATCH = 64


def generate(
    paths: Paths,
    out: Annotated[
        Path,
        typer.Option(
            help="Cine to write for one ECG: .gif, .mp4, .nii.gz, .npz or .dcm; for several ECGs "
            "or samples a new folder (a name without ending)."
        ),
    ],
    weights: Annotated[
        str | None,
        typer.Option(
            help="Zoo id, run folder, file or url of a generator's weights; the shipped ones if "
            "not given."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the first cine; each further one has the next number.")
    ] = 0,
    steps: Annotated[
        int | None, typer.Option(help="Steps of the sampler; the generator's own if not given.")
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(help="Strength of the guidance, 1 for none; its own if not given."),
    ] = None,
    samples: Annotated[int, typer.Option(help="Cines per ECG.")] = 1,
    file_format: Annotated[
        str | None,
        typer.Option("--format", help="Format of the files of a folder; gif if not given."),
    ] = None,
    pixel_mm: Annotated[
        float | None,
        typer.Option(help="Side of a pixel in mm, for NIfTI and DICOM; left out if not given."),
    ] = None,
    units: Units = None,
    sampling_rate_hz: Rate = None,
    leads: Leads = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    offline: Offline = False,
) -> None:
    """Draw synthetic 4-chamber cines from ECGs. Not for clinical use.

    Of several ECGs, one that cannot be read is a row of the index with its reason.
    """
    from cardionets_core.generate.drawing import DrawRequest
    from cardionets_core.generate.files import INDEX_FILE, generate_paths
    from cardionets_core.generate.output import check_output, is_folder
    from cardionets_core.train.cohorts import preparing_progress

    request = DrawRequest(seed, samples, steps, guidance, pixel_mm)
    check_output(paths, out, samples=samples, suffix=file_format)
    loaded = _load(weights, offline or None)
    if loaded.device.type == "cuda":
        request = replace(request, batch_size=_CUDA_BATCH)
    with executor_at(scheduler) as executor, preparing_progress(console) as bar:
        task = bar.add_task("drawing", total=None)
        drawn, failed = generate_paths(
            loaded,
            paths,
            out,
            request,
            suffix=file_format,
            workers=workers or os.cpu_count() or 1,
            executor=executor,
            on_batch=lambda cines: bar.advance(task, cines),
            units=units,
            sampling_rate_hz=sampling_rate_hz,
            leads=None if leads is None else leads.split(","),
        )
    place = f" ({INDEX_FILE} there says why): {out}" if is_folder(out) else f": {out}"
    told = f"{drawn} synthetic cine{'s' * (drawn != 1)} drawn, {failed} not{place}"
    console.print(told, markup=False, soft_wrap=True)
    if not drawn:
        raise typer.Exit(1)


def _load(weights: str | None, offline: bool | None) -> LoadedGenerator:
    """The generator, on the device that serves best, after saying what it is."""
    import torch

    from cardionets_core.evaluate.cine_files.about import NOT_CLINICAL
    from cardionets_core.evaluate.predicting import SIMULATED_WARNING
    from cardionets_core.generate.drawing import interpolation_of
    from cardionets_core.generate.files import COMMAND
    from cardionets_core.generate.loading import load_generator
    from cardionets_core.registry import default_registry

    summary = ""
    if weights is None:
        default = default_registry().default_zoo_entry(COMMAND)
        loaded = load_generator(default.qualified_name, offline=offline)
        loaded.name, summary = default.name, default.spec.summary
    else:
        loaded = load_generator(weights, offline=offline)
    if torch.cuda.is_available():
        loaded.to("cuda")
    component = loaded.header.part("generator").component
    said = (
        f"weights: {loaded.name} ({component}), {loaded.header.licence}",
        summary,
        interpolation_of(loaded),
        SIMULATED_WARNING if loaded.header.simulated else "",
        f"what it draws is synthetic and {NOT_CLINICAL}",
    )
    for line in filter(None, said):
        console.print(line, markup=False, soft_wrap=True)
    return loaded
