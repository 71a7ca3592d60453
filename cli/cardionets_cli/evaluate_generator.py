"""``cardionets evaluate-generator``: generated cines against true ones, in one report folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from cardionets_cli.console import out as console
from cardionets_core.errors import UsageError


def evaluate_generator(
    out: Annotated[Path, typer.Option(help="Folder to make, with report.md in it.")],
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="Run folder, zoo id, file or url of a generator. Given again, of others that the "
            "first is compared with."
        ),
    ] = None,
    cohort: Annotated[
        Path | None,
        typer.Option(help="Cohort; its role downstream is tested, pretrain fits what is fitted."),
    ] = None,
    baselines: Annotated[
        str, typer.Option(help="Generators fitted on the way, joined by commas; `none` for none.")
    ] = "mean-cine,nearest-cine",
    cmr_encoder: Annotated[
        str | None,
        typer.Option(help="CMR encoder whose features are compared; the shipped one for tiny."),
    ] = None,
    regressor: Annotated[
        str | None,
        typer.Option(
            help="Run of a CMR encoder with a head for the phenotypes; ridge regression if none."
        ),
    ] = None,
    split: Annotated[
        Literal["train", "val", "test"] | None,
        typer.Option(help="Only test subjects of this split; all if none."),
    ] = None,
    subjects: Annotated[
        int | None, typer.Option(min=1, help="At most so many test subjects, drawn by --seed.")
    ] = None,
    draws: Annotated[
        int, typer.Option(min=1, help="Cines per subject for the mean of predicted phenotypes.")
    ] = 4,
    steps: Annotated[
        int | None, typer.Option(help="Sampler steps of the first generator; its own if none.")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Guidance of the first generator; its own if none.")
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=20, help="Of bootstrap intervals and permutation tests.")
    ] = 10_000,
    halvings: Annotated[
        int, typer.Option(min=2, help="Of the subjects, for distances of distributions.")
    ] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    combine: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of an evaluation; given for each training seed, they are put in one table "
            "instead of evaluating."
        ),
    ] = None,
    offline: Annotated[bool, typer.Option(help="Never use the network.")] = False,
) -> None:
    """Evaluate a generator: pixels, features, phenotypes, a shuffled control, memorisation.

    docs/generate.md says how each number comes about.
    """
    if combine:
        _combine(combine, out, given=bool(weights or cohort))
        return
    if not weights or cohort is None:
        raise UsageError(
            "needed --weights RUN and --cohort FILE to evaluate, or --combine FOLDER for each of "
            "several evaluations"
        )
    from cardionets_core.generate.evaluating.evaluate import evaluate_generator as run
    from cardionets_core.generate.evaluating.request import EvaluationRequest
    from cardionets_core.weights.lineage import public_command

    request = EvaluationRequest(
        weights=tuple(weights),
        cohort=cohort,
        out=out,
        baselines=_names(baselines),
        cmr_encoder=cmr_encoder,
        regressor=regressor,
        split=split,
        subjects=subjects,
        draws=draws,
        steps=steps,
        guidance=guidance,
        resamples=resamples,
        halvings=halvings,
        seed=seed,
        offline=offline or None,
        command=public_command(["cardionets", *sys.argv[1:]]),
    )
    folder = run(request, console=console)
    console.print(f"report: {folder / 'report.md'}", markup=False, soft_wrap=True)


def _combine(folders: list[Path], out: Path, *, given: bool) -> None:
    if given:
        raise UsageError(
            "--combine reads finished evaluations; leave --weights and --cohort out, or evaluate "
            "first and combine then"
        )
    from cardionets_core.generate.evaluating.combine import combine_evaluations

    folder = combine_evaluations(folders, out)
    console.print(f"report: {folder / 'report.md'}", markup=False, soft_wrap=True)


def _names(text: str) -> tuple[str, ...]:
    if text == "none":
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise UsageError(f"--baselines {text!r}: needed names joined by commas, each once")
    return names
