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
from cardionets_core.train.cohorts import find_cohort
from cardionets_core.train.devices import (
    check_batch_size,
    describe_machine,
    make_fabric,
    settle,
    versions,
)
from cardionets_core.train.loop import FitResult, Loop
from cardionets_core.train.outcome import report, save_outcome
from cardionets_core.train.plan import NEEDS_FOLDER, Plan, make_plan, replace_options
from cardionets_core.train.processes import decided_by_first, first_goes_first
from cardionets_core.train.progress import Progress
from cardionets_core.train.request import TrainRequest
from cardionets_core.train.run_folder import RunFolder, refuse_used
from cardionets_core.train.stages import BuiltStage, build_stage, usable_rows
from cardionets_core.weights.header import WEIGHTS_FILE


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
    decided_by_first(place.fabric, lambda: _check_cohort(plan))
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
        result = _fit(built, plan, run, place, resume=resume)
        decided_by_first(place.fabric, lambda: _finish(built, plan, result, run, place, started))
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


def _check_cohort(plan: Plan) -> None:
    with open_cohort(Path(plan.cohort)) as cohort:
        usable_rows(plan, cohort)


def _check_data(plan: Plan, run: RunFolder, cohort: Cohort, *, resume: bool) -> None:
    """A run resumed on another cohort would not be the run that was started."""
    known, now = run.manifest.get("data_hash"), cohort.content_hash
    if resume and known is not None and known != now:
        raise TrainingError(
            f"the cohort has changed since this run began ({known[:12]} then, {now[:12]} now); "
            "put the old file back or start a new run"
        )
    run.update_manifest(data_hash=now)


def _fit(
    built: BuiltStage, plan: Plan, run: RunFolder, place: _Place, *, resume: bool
) -> FitResult:
    samples = len(built.stage.train_rows)
    with Progress(plan.stage, plan.train.epochs, samples, place.console) as progress:
        loop = Loop(place.fabric, built.stage, plan.train, run, seed=plan.seed, progress=progress)
        return loop.fit(resume=resume)


def _finish(
    built: BuiltStage,
    plan: Plan,
    result: FitResult,
    run: RunFolder,
    place: _Place,
    started: float,
) -> None:
    seconds = time.perf_counter() - started
    outcome = save_outcome(built, plan, result, run, place.fabric.device, seconds)
    report(outcome, run, place.console)


def _train_needs(plan: Plan, run: RunFolder, place: _Place) -> Plan:
    """Train what the plan lacks weights for, each in a run folder of its own below this one."""
    parts = dict(plan.parts)
    for role, part in plan.parts.items():
        if part.source != "train":
            continue
        folder = run.path / NEEDS_FOLDER / role
        _train_need(plan, role, folder, place)
        parts[role] = replace_options(
            part, source="weights", weights=str((folder / WEIGHTS_FILE).resolve()),
            file_role="encoder",
        )  # fmt: skip
    if parts == plan.parts:
        return plan
    trained = replace_options(plan, parts={r: p.model_dump() for r, p in parts.items()})
    return trained.inherit_transform(place.registry)


def _train_need(plan: Plan, role: str, folder: Path, place: _Place) -> None:
    status = decided_by_first(place.fabric, lambda: _status_of(folder))
    if status == "finished":
        return
    if status is not None:
        resume_training(folder, console=place.console, registry=place.registry)
        return
    request = TrainRequest(
        components={"encoder": plan.parts[role].component},
        given=plan.given_for(role),
        out=folder,
        seed=plan.seed,
        cohort=Path(plan.cohort),
        offline=plan.offline,
        command=plan.command,
    )
    train_stage(request, console=place.console, registry=place.registry)


def _status_of(folder: Path) -> str | None:
    """Status of a need's run, or None if it has not begun."""
    if not (folder / "run.json").exists():
        return None
    return str(RunFolder.open(folder).manifest["status"])
