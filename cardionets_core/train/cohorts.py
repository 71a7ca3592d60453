"""Which cohort a stage reads: the one that is named, or one prepared on the way."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cardionets_core.cohort.preparing import PrepareRequest, build_dataset, prepare_dataset
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.errors import CohortError, UsageError
from cardionets_core.registry import Component, Registry
from cardionets_core.train.request import TrainRequest
from cardionets_core.weights.cache import default_cache_dir


def find_cohort(request: TrainRequest, registry: Registry, console: Console) -> Path:
    """The cohort file of a request; prepared first if only a dataset is named.

    A dataset that says what its subjects follow from (``cache_key``) is prepared once and kept in
    the cache; any other is prepared into ``OUT-cohort.h5`` beside the run folder, since its source
    may change.

    Raises:
        UsageError: If both a cohort and a dataset are named.
        CohortError: If the named cohort is missing, or the dataset cannot be read.
    """
    options = request.given.options("dataset")
    if request.cohort is not None:
        if request.dataset is not None or options:
            raise UsageError("--cohort names the data already; drop --dataset and its options")
        if not request.cohort.is_file():
            raise CohortError(
                f"{request.cohort}: no such cohort; make it with cardionets prepare, e.g. "
                f"cardionets prepare simulated --out {request.cohort}"
            )
        return request.cohort
    component = (
        registry.default("dataset")
        if request.dataset is None
        else registry.find("dataset", request.dataset)
    )
    preset = request.given.preset if request.given.preset in component.preset_names() else None
    dataset = build_dataset(component, preset, options)
    return _prepared(dataset, component, preset, request, console)


def _prepared(
    dataset: Any, component: Component, preset: str | None, request: TrainRequest, console: Console
) -> Path:
    cache_key = dataset.cache_key() if hasattr(dataset, "cache_key") else None
    roles: dict[str, float] = {}
    if cache_key is None:
        out = request.out.with_name(f"{request.out.name}-cohort.h5")
        # Nothing is held back from a folder that is named for this one stage.
        roles = {"pretrain_fraction": 1.0}
    else:
        digest = hashlib.sha256(cache_key.encode()).hexdigest()[:16]
        out = default_cache_dir() / "cohorts" / f"{component.name}-{digest}.h5"
        if out.exists():
            console.print(
                f"cohort: {component.name}, from the cache at {out}", markup=False, soft_wrap=True
            )
            return out
        out.parent.mkdir(parents=True, exist_ok=True)
    console.print(f"cohort: preparing {component.name} into {out}", markup=False, soft_wrap=True)
    wanted = PrepareRequest(
        component=component,
        out=out,
        options=request.given.options("dataset"),
        roles=roles,
        preset=preset,
    )
    with preparing_progress(console) as bar:
        task = bar.add_task("reading", total=None)
        report = prepare_dataset(
            wanted, on_progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    console.print(
        f"cohort: {report.records} records of {report.subjects} subjects in {report.seconds:.0f} s"
        + (f", {sum(report.quarantined.values())} quarantined" if report.quarantined else "")
    )
    return report.path


def preparing_progress(console: Console) -> Progress:
    """A progress bar for the records of a dataset."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def describe_cohort(path: Path) -> dict[str, Any]:
    """What run.json keeps about the data: where from, how much, and its identity."""
    with open_cohort(path) as cohort:
        drawn = int(cohort.synthetic.sum())
        return {
            "dataset": cohort.provenance["dataset"],
            "records": len(cohort),
            "content_hash": cohort.content_hash,
            "simulated": bool(cohort.provenance["simulated"]),
            **({"synthetic_records": drawn} if drawn else {}),
        }
