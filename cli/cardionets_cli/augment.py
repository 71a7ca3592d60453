"""``cardionets augment``: a cohort with synthetic subjects beside its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardionets_cli.console import out as console
from cardionets_cli.tables import Offline

if TYPE_CHECKING:
    from cardionets_core.cohort.augmenting import AugmentReport


def augment(
    weights: Annotated[
        str,
        typer.Option(help="Zoo id, run folder, file or url of a generator that draws phenotypes."),
    ],
    cohort: Annotated[Path, typer.Option(help="Cohort to augment; it is not changed.")],
    out: Annotated[Path, typer.Option(help="Cohort file to make.")],
    factor: Annotated[
        int, typer.Option(min=1, help="Synthetic subjects per training subject with a cine.")
    ] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    steps: Annotated[
        int | None, typer.Option(help="Steps of the sampler; the generator's own if not given.")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Strength of the guidance; its own if not given.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Subjects drawn at a time.")] = 64,
    offline: Offline = False,
) -> None:
    """Add synthetic subjects, with a cine and phenotypes, to a cohort's training split.

    They are marked as such, and never validated or tested on. The same command takes an
    interrupted one up.
    """
    import torch

    from cardionets_core.generate.augmenting import AugmentRequest, augment
    from cardionets_core.generate.loading import load_generator
    from cardionets_core.train.cohorts import preparing_progress

    request = AugmentRequest(factor, seed, steps, guidance, batch_size)
    loaded = load_generator(weights, offline=offline or None)
    if torch.cuda.is_available():
        loaded.to("cuda")
    with preparing_progress(console) as bar:
        task = bar.add_task("drawing", total=None)
        report = augment(
            loaded,
            cohort,
            out,
            request,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    _tell(report, cohort)
    if loaded.header.simulated:
        console.print("the generator comes from simulated data: its cines say nothing of patients")


def _tell(report: AugmentReport, cohort: Path) -> None:
    from cardionets_core.cohort.ids import key_path

    lines = [
        f"{report.real} real and {report.synthetic} synthetic records in {report.seconds:.0f} s: "
        f"{report.path}",
        "synthetic subjects are in the training split of the role pretrain only, and marked",
        *report.notes,
    ]
    if report.resumed:
        lines.append(f"{report.resumed} of the synthetic ones were there from an interrupted run")
    if key_path(cohort).exists():
        lines.append(
            f"ids are those of {cohort.name}: its key serves for {report.path.name} too, if labels "
            f"are to be read by the source's ids (copy {key_path(cohort).name} to "
            f"{key_path(report.path).name})"
        )
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
