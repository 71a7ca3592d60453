"""Carry out a stage: from the request to the run folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from rich.console import Console

from cardionets_core.cohort.reader import Cohort, open_cohort
from cardionets_core.errors import CardionetsError, TrainingError
from cardionets_core.registry import Registry, default_registry
from cardionets_core.train.building import BuiltStage
from cardionets_core.train.cohorts import find_cohort
from cardionets_core.train.devices import (
    check_batch_size,
    describe_machine,
    make_fabric,
    settle,
    versions,
)
from cardionets_core.train.fitting import Fitted, fit_stage
from cardionets_core.train.needs import needed_runs, with_needs
from cardionets_core.train.outcome import save_outcome
from cardionets_core.train.plan import NEEDS_FOLDER, Plan, make_plan, replace_options
from cardionets_core.train.processes import decided_by_first, first_goes_first
from cardionets_core.train.reporting import report
from cardionets_core.train.request import TrainRequest
from cardionets_core.train.run_folder import RunFolder, refuse_used
from cardionets_core.train.stages import build_stage, check_cohort
from cardionets_core.weights.atomic import sha256_of


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a stage runs and whom it tells; the console is silent in all but the first process."""

    fabric: Fabric
    registry: Registry
    console: Console

    def say(self, line: str) -> None:
        self.console.print(line, markup=False, soft_wrap=True)


def train_stage(
    request: TrainRequest, *, console: Console, registry: Registry | None = None
) -> RunFolder:
    """Plan and carry out one stage.

    Args:
        request: What the user asks for.
        console: Where to say what happens.
        registry: The plugins; the installed ones if not given.

    Returns:
        The run folder; its run.json says ``finished``.

    Raises:
        CardionetsError: For anything the user can mend, in one line.
    """
    registry = registry or default_registry()
    plan = make_plan(request, registry)
    plan = replace_options(plan, train=settle(plan.train).model_dump())
    place = _place(plan, registry, console)
    out = decided_by_first(place.fabric, lambda: _unused(request.out))
    request = replace(request, out=out)
    cohort = decided_by_first(place.fabric, lambda: find_cohort(request, registry, place.console))
    plan = replace_options(plan, cohort=str(cohort.resolve()))
    # Before there is a run folder, which a command that is put right would have to clear away.
    decided_by_first(place.fabric, lambda: _check_cohort(plan, registry))
    manifest = _manifest(plan, place.fabric)
    run = decided_by_first(place.fabric, lambda: RunFolder.create(out, manifest))
    return _carry_out(plan, run, place, resume=False)


def resume_training(
    folder: Path, *, console: Console, registry: Registry | None = None
) -> RunFolder:
    """Continue a run that was stopped, with the options that it was started with.

    Args:
        folder: Its folder.
        console: Where to say what happens.
        registry: The plugins; the installed ones if not given.

    Raises:
        UsageError: If the folder is not a run.
        TrainingError: If the run cannot go on here: already finished, or its cohort has changed.
    """
    run = RunFolder.open(folder)
    manifest = run.manifest
    if manifest["status"] == "finished":
        raise TrainingError(
            f"{folder} is finished; for more epochs start a new run from it with "
            f"--weights ROLE={folder}"
        )
    plan = Plan.model_validate(manifest["plan"])
    settle(plan.train)
    place = _place(plan, registry or default_registry(), console)
    _warn_of_changes(manifest, plan, place)
    decided_by_first(place.fabric, lambda: run.update_manifest(status="running", error=None))
    return _carry_out(plan, run, place, resume=True)


def _place(plan: Plan, registry: Registry, console: Console) -> _Place:
    fabric = make_fabric(plan.train)
    check_batch_size(plan.train, fabric)
    return _Place(fabric, registry, console if fabric.is_global_zero else Console(quiet=True))


def _unused(out: Path) -> Path:
    refuse_used(out)
    return out


def _manifest(plan: Plan, fabric: Fabric) -> dict[str, Any]:
    return {
        "format": 1,
        "status": "running",
        "command": plan.command,
        "stage": plan.stage,
        "preset": plan.preset,
        "seed": plan.seed,
        "plan": plan.model_dump(mode="json"),
        "machine": describe_machine(plan.train, fabric.world_size),
        "versions": versions(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _warn_of_changes(manifest: dict[str, Any], plan: Plan, place: _Place) -> None:
    """Say what keeps a resumed run from being bit for bit the one that was started."""
    then = {**manifest["machine"], **manifest["versions"]}
    now = {**describe_machine(plan.train, place.fabric.world_size), **versions()}
    for name, value in now.items():
        if then.get(name) != value:
            place.say(
                f"{name} is {value}, this run began with {then.get(name)}: not bit for bit the same"
            )


def _carry_out(plan: Plan, run: RunFolder, place: _Place, *, resume: bool) -> RunFolder:
    started = time.perf_counter()
    for line in plan.lines():
        place.say(line)
    with _status_kept(run, place), open_cohort(Path(plan.cohort)) as cohort:
        decided_by_first(place.fabric, lambda: _check_data(plan, run, cohort, resume=resume))
        plan = _train_needs(plan, run, place)
        built = first_goes_first(
            place.fabric,
            lambda: build_stage(plan, cohort, place.registry, place.fabric.device, place.console),
        )
        fitted = fit_stage(built, plan, run, place.fabric, place.console, resume=resume)
        decided_by_first(place.fabric, lambda: _finish(built, plan, fitted, run, place, started))
    return run


@contextmanager
def _status_kept(run: RunFolder, place: _Place) -> Iterator[None]:
    """Have run.json say how a run ended that did not finish."""
    try:
        yield
    except KeyboardInterrupt:
        _end(run, place, status="interrupted")
        # A need is continued by resuming the run that needs it.
        if run.path.parent.name != NEEDS_FOLDER:
            place.say(f"interrupted; continue with: cardionets train --resume {run.path}")
        raise
    except Exception as error:
        _end(run, place, status="failed", error=f"{type(error).__name__}: {error}")
        raise


def _end(run: RunFolder, place: _Place, **entries: str) -> None:
    if place.fabric.is_global_zero:
        # On a full disk the error that ended the run is the one to show.
        with suppress(CardionetsError):
            run.update_manifest(**entries)


def _check_cohort(plan: Plan, registry: Registry) -> None:
    with open_cohort(Path(plan.cohort)) as cohort:
        check_cohort(plan, cohort, registry)


def _check_data(plan: Plan, run: RunFolder, cohort: Cohort, *, resume: bool) -> None:
    """A run resumed on other data would not be the run that was started."""
    hashes = {"data_hash": ("the cohort has", cohort.content_hash)}
    if plan.labels is not None:
        hashes["labels_hash"] = ("the labels have", _hash_of(Path(plan.labels)))
    for name, (what, now) in hashes.items():
        known = run.manifest.get(name)
        if resume and known is not None and known != now:
            raise TrainingError(
                f"{what} changed since this run began ({known[:12]} then, {now[:12]} now); "
                "put the old file back or start a new run"
            )
    run.update_manifest(**{name: now for name, (_, now) in hashes.items()})


def _hash_of(labels: Path) -> str:
    try:
        return sha256_of(labels)
    except OSError as error:
        raise TrainingError(
            f"{labels}: {error.strerror}; this run reads its labels there: put the file back"
        ) from error


def _finish(
    built: BuiltStage,
    plan: Plan,
    fitted: Fitted,
    run: RunFolder,
    place: _Place,
    started: float,
) -> None:
    built.stage.finish(place.fabric.device)
    seconds = time.perf_counter() - started
    outcome = save_outcome(built, plan, fitted, run, place.fabric.device, seconds)
    fitted.sweep()
    report(outcome, run, place.console)


def _train_needs(plan: Plan, run: RunFolder, place: _Place) -> Plan:
    """Train what the plan lacks weights for, each in a run folder of its own below this one."""
    folder = run.path / NEEDS_FOLDER
    for request in needed_runs(plan, folder, place.registry):
        _train_need(request, place)
    return with_needs(plan, folder, place.registry)


def _train_need(request: TrainRequest, place: _Place) -> None:
    status = decided_by_first(place.fabric, lambda: _status_of(request.out))
    if status == "finished":
        return
    if status is not None:
        resume_training(request.out, console=place.console, registry=place.registry)
        return
    train_stage(request, console=place.console, registry=place.registry)


def _status_of(folder: Path) -> str | None:
    """Status of a need's run, or None if it has not begun."""
    if not (folder / "run.json").exists():
        return None
    return str(RunFolder.open(folder).manifest["status"])
