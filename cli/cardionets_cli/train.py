"""``cardionets train``: one verb for every stage."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cardionets_cli.console import err, out
from cardionets_core.errors import UsageError


def train(
    context: typer.Context,
    encoder: Annotated[str | None, typer.Option(help="Encoder, e.g. stmem or vit-cmr.")] = None,
    aligner: Annotated[
        str | None, typer.Option(help="Aligner, e.g. weighted-infonce: aligns ECG with CMR.")
    ] = None,
    cmr_encoder: Annotated[
        str | None, typer.Option(help="CMR encoder of an alignment; the aligner's own choice.")
    ] = None,
    autoencoder: Annotated[
        str | None, typer.Option(help="Autoencoder of cines, e.g. vae3d; by itself, trains it.")
    ] = None,
    generator: Annotated[
        str | None, typer.Option(help="Generator, e.g. mar: draws a cine from an ECG.")
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="Head of a downstream task, e.g. linear; needs --task.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="What is predicted: phenotypes, cad, hf, cm, ph, cm-subtype, several joined by "
            "commas, or a column of --labels or of the cohort."
        ),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            help="How the encoder starts: scratch, ssl, phen-sup, cardionets, cmr-ref; NAME=RUN "
            "takes your own run."
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="CSV with a column id and the task's labels.")
    ] = None,
    target: Annotated[
        Literal["binary", "multiclass", "multilabel", "regression"] | None,
        typer.Option(help="What the columns are read as; by default their values tell."),
    ] = None,
    shuffle_pairs: Annotated[
        bool, typer.Option(help="Negative control: align ECGs with other subjects' CMRs.")
    ] = False,
    cohort: Annotated[
        Path | None, typer.Option(help="Cohort made by `cardionets prepare`.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Dataset to prepare a cohort from; simulated if none.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option(help="Folder that the dataset reads, as --set dataset.source=.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="ROLE=RUN: weights of a role: zoo id, run folder, file, url, `random` or `train`."
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Numbers of the stage; tiny without CUDA, else recommended."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of options.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAMESPACE.OPTION=VALUE, e.g. train.lr=1e-3.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Same as --set train.epochs=N.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Seed of weights, sampling and masks.")
    ] = 0,
    out_: Annotated[
        Path | None, typer.Option("--out", help="Run folder; runs/STAGE-TIME if none is named.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Continue this run folder; takes no other option.")
    ] = None,
    offline: Annotated[bool, typer.Option(help="Never use the network.")] = False,
    new_transform: Annotated[
        bool, typer.Option(help="Fit a new ECG transform instead of the weights' own.")
    ] = False,
) -> None:
    """Train a stage; which one follows from what is named.

    --encoder stmem: masked pre-training of the ECG encoder.

    --encoder vit-cmr: masked pre-training of the CMR encoder.

    --encoder stmem --aligner weighted-infonce: align ECG with CMR.

    --autoencoder vae3d: a 3D autoencoder of cines.

    --encoder stmem --generator mar: draw a cine from an ECG.

    --encoder stmem --head linear --task cm --variant cardionets: a downstream task.
    """
    # A batch system ends a job with SIGTERM: stop as at Ctrl-C, with a run that says so.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if resume is not None:
        _refuse_other_options(context)
        from cardionets_core.train.execute import resume_training

        resume_training(resume, console=out)
        return
    components = {
        "encoder": encoder, "aligner": aligner, "cmr_encoder": cmr_encoder, "head": head,
        "autoencoder": autoencoder, "generator": generator,
    }  # fmt: skip
    named = {role: name for role, name in components.items() if name is not None}
    flags: dict[str, Any] = {
        "train.epochs": epochs,
        "dataset.source": None if source is None else str(source),
    }
    err.print("[dim]loading torch ...[/]", end="\r") if err.is_terminal else None
    from cardionets_core.options import given
    from cardionets_core.train.devices import default_preset
    from cardionets_core.train.execute import train_stage
    from cardionets_core.train.request import TrainRequest, default_out
    from cardionets_core.weights.lineage import public_command

    chosen = preset or default_preset()
    start, run = _variant(variant)
    request = TrainRequest(
        components=named,
        given=given(chosen, config_file=config, sets=set_ or (), flags=flags),
        out=out_ or default_out(named),
        seed=seed,
        weights=_pairs([*(weights or []), *run]),
        cohort=cohort,
        dataset=dataset,
        offline=offline,
        new_transform=new_transform,
        command=public_command(["cardionets", *sys.argv[1:]]),
        task=task,
        labels=labels,
        target=target,
        variant=start,
        shuffle_pairs=shuffle_pairs,
    )
    if preset is None:
        out.print(f"preset: {chosen} (the default on this machine; --preset NAME for another)")
    train_stage(request, console=out)


def _variant(given: str | None) -> tuple[str | None, list[str]]:
    """Name of a variant, and the run that was given for it as weights of the encoder."""
    if given is None:
        return None, []
    name, equals, run = given.partition("=")
    if not name or (equals and not run):
        raise UsageError(f"--variant {given!r}: needed NAME or NAME=RUN, e.g. ssl=runs/ssl")
    return name, [f"encoder={run}"] * bool(equals)


def _pairs(items: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in items:
        role, equals, name = item.partition("=")
        if not equals or not role or not name:
            raise UsageError(f"--weights {item!r}: needed ROLE=RUN, e.g. encoder=runs/ssl")
        if pairs.setdefault(role, name) != name:
            raise UsageError(
                f"--weights {role} is given twice, as {pairs[role]} and {name}; keep one"
            )
    return pairs


def _refuse_other_options(context: typer.Context) -> None:
    """A resumed run continues with its own options; a changed one would be ignored."""
    others = []
    for parameter in context.command.params:
        # By name, because typer brings its own copy of click from some version on.
        source = context.get_parameter_source(str(parameter.name))
        if source is not None and source.name == "COMMANDLINE" and parameter.name != "resume":
            others.append(parameter.opts[0])
    if others:
        raise UsageError(f"--resume continues a run with its own options; drop {', '.join(others)}")
