"""``cardionets study``: the comparison of variants as one job."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from cardionets_cli.console import err, out
from cardionets_core.errors import UsageError

Value = TypeVar("Value")


def study(
    cohort: Annotated[
        Path | None,
        typer.Option(help="Cohort made by `cardionets prepare`; the simulated one if none."),
    ] = None,
    out_: Annotated[
        Path | None,
        typer.Option("--out", help="Folder; studies/TIME if none. The same command continues it."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Every task, ratio of controls and fold of the paper.")
    ] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="A trial of minutes whose numbers say nothing.")
    ] = False,
    tasks: Annotated[
        str | None, typer.Option(help="Tasks or columns, joined by commas; phenotypes,cm if none.")
    ] = None,
    variants: Annotated[
        str | None, typer.Option(help="Variants, joined by commas; the paper's five if none.")
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="NAME=RUN: your own weights for a variant: run folder, zoo id or url."),
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="ECG encoder, e.g. stmem.")] = None,
    head: Annotated[str, typer.Option(help="Head of every task.")] = "linear",
    label_counts: Annotated[
        str | None, typer.Option(help="Label counts of regressions, e.g. 100,300,all.")
    ] = None,
    label_fractions: Annotated[
        str | None, typer.Option(help="Shares of labels of the other tasks, e.g. 0.1,0.5,1.")
    ] = None,
    negatives: Annotated[
        str | None, typer.Option(help="Controls per case in training, e.g. 1,2,5,10.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many; each repeats the whole lineage. 3 if none.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=1, help="Folds to test; 1, one split of 60/20/20, if none.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Numbers of the stages; tiny without CUDA, else recommended.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Option of train, protocol or dataset, e.g. dataset.seed=11."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs at once; one per core, or one with CUDA.")
    ] = None,
    offline: Annotated[bool, typer.Option(help="Never use the network.")] = False,
) -> None:
    """Compare ways to initialise an encoder: train all of them, test, and write a report.

    A folder with scores.parquet, tables, figures and report.md is made; a study that was stopped
    goes on when the same command is given again.
    """
    # A batch system ends a job with SIGTERM: stop as at Ctrl-C, with a study that can go on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    err.print("[dim]loading torch ...[/]", end="\r") if err.is_terminal else None
    from cardionets_core.options import given
    from cardionets_core.study.asked import Asked
    from cardionets_core.study.study import StudyRequest, run_study
    from cardionets_core.train.devices import default_preset
    from cardionets_core.weights.lineage import public_command

    chosen = preset or default_preset()
    options = dict(given(chosen, sets=set_ or ()).explicit)
    dataset = options.pop("dataset", {})
    asked = Asked(
        preset=chosen,
        tasks=_names(tasks),
        variants=_names(variants),
        runs=_runs(variant or []),
        encoder=encoder,
        head=head,
        labels=_values(
            label_counts, _count, "--label-counts", "whole numbers or `all`, such as 100,300,all"
        ),
        fractions=_values(label_fractions, _share, "--label-fractions", "shares, such as 0.1,1"),
        negatives=_values(negatives, _ratio, "--negatives", "numbers above 0, such as 1,2,5,10"),
        seeds=seeds,
        folds=folds,
        full=full,
        smoke=smoke,
        options=options,
        offline=offline,
    )
    request = StudyRequest(
        asked=asked,
        out=out_ or Path("studies") / time.strftime("%Y%m%d-%H%M%S"),
        cohort=cohort,
        dataset=dataset,
        workers=workers,
        command=public_command(["cardionets", *sys.argv[1:]]),
    )
    run_study(request, console=out)


def _names(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise UsageError(f"{text!r} has an empty part; name it or leave its comma out")
    if len(set(names)) < len(names):
        raise UsageError(f"{text!r} names one of its parts twice; keep one")
    return names


def _values(
    text: str | None, read: Callable[[str], Value], flag: str, needed: str
) -> tuple[Value, ...]:
    try:
        values = tuple(read(name) for name in _names(text))
    except ValueError:
        raise UsageError(f"{flag} {text!r}: needed {needed}") from None
    # 0.5 and 0.50 are two names of one value.
    if len(set(values)) < len(values):
        raise UsageError(f"{flag} {text!r} gives one value twice; keep one")
    return values


def _count(text: str) -> int | None:
    if text == "all":
        return None
    if int(text) < 2:
        raise ValueError(text)
    return int(text)


def _share(text: str) -> float:
    if not 0 < float(text) <= 1:
        raise ValueError(text)
    return float(text)


def _ratio(text: str) -> float:
    if not 0 < float(text) < float("inf"):
        raise ValueError(text)
    return float(text)


def _runs(items: Iterable[str]) -> dict[str, str]:
    runs: dict[str, Any] = {}
    for item in items:
        name, equals, run = item.partition("=")
        if not equals or not name or not run:
            raise UsageError(f"--variant {item!r}: needed NAME=RUN, e.g. cardionets=runs/aligned")
        if name in runs:
            raise UsageError(f"--variant {name} is given twice; keep one")
        runs[name] = run
    return runs
