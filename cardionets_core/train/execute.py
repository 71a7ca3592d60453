"""Carry out a stage: from the request to the run folder."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from rich.console import Console

from cardionets_core.cohort.reader import open_cohort
from cardionets_core.errors import CardionetsError, TrainingError
from cardionets_core.registry import Registry, default_registry
from cardionets_core.train.cohorts import find_cohort
from cardionets_core.train.devices import describe_machine, make_fabric, settle, versions
from cardionets_core.train.loop import FitResult, Loop
from cardionets_core.train.outcome import report, save_outcome
from cardionets_core.train.plan import NEEDS_FOLDER, Plan, make_plan, replace_options
from cardionets_core.train.progress import Progress
from cardionets_core.train.request import TrainRequest
from cardionets_core.train.run_folder import RunFolder
from cardionets_core.train.stages import BuiltStage, build_stage
from cardionets_core.weights.header import WEIGHTS_FILE


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
    cohort = find_cohort(request, registry, console)
    plan = make_plan(request, registry, cohort)
    plan = replace_options(plan, train=settle(plan.train).model_dump())
    fabric = make_fabric(plan.train)
    run = RunFolder(request.out)
    if fabric.is_global_zero:
        run = RunFolder.create(request.out, _manifest(plan))
    fabric.barrier()
    return _carry_out(plan, run, fabric, registry, console, resume=False)


def resume_training(
    folder: Path, *, console: Console, registry: Registry | None = None
) -> RunFolder:
    """Continue a run that was stopped, with the options that it was started with.

    Raises:
        UsageError: If the folder is not a run.
        TrainingError: If the run cannot go on here: already finished, or its cohort has changed.
    """
    run = RunFolder.open(folder)
    manifest = run.manifest
    if manifest["status"] == "finished":
        raise TrainingError(f"{folder} is finished; start a new run for more epochs")
    plan = Plan.model_validate(manifest["plan"])
    changed = {k: (v, manifest["versions"].get(k)) for k, v in versions().items()}
    for name, (now, then) in changed.items():
        if now != then:
            console.print(f"[yellow]{name} is {now}, the run began with {then}: not bit for bit[/]")
    fabric = make_fabric(plan.train)
    return _carry_out(plan, run, fabric, registry or default_registry(), console, resume=True)


def _manifest(plan: Plan) -> dict[str, Any]:
    return {
        "format": 1,
        "status": "running",
        "command": plan.command,
        "stage": plan.stage,
        "preset": plan.preset,
        "seed": plan.seed,
        "plan": plan.model_dump(mode="json"),
        "machine": describe_machine(plan.train),
        "versions": versions(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _carry_out(
    plan: Plan,
    run: RunFolder,
    fabric: Fabric,
    registry: Registry,
    console: Console,
    *,
    resume: bool,
) -> RunFolder:
    quiet = console if fabric.is_global_zero else Console(quiet=True)
    started = time.perf_counter()
    for line in plan.lines():
        quiet.print(line, markup=False)
    plan = _train_needs(plan, run, registry, quiet)
    try:
        with open_cohort(Path(plan.cohort)) as cohort:
            _same_data(run, cohort.content_hash, resume=resume, first=fabric.is_global_zero)
            built = build_stage(plan, cohort, registry, fabric.device, quiet)
            result = _fit(built, plan, run, fabric, quiet, resume=resume)
            if fabric.is_global_zero:
                seconds = time.perf_counter() - started
                outcome = save_outcome(built, plan, result, run, fabric.device, seconds)
                report(outcome, run, quiet)
    except CardionetsError as error:
        if fabric.is_global_zero:
            run.update_manifest(status="failed", error=str(error))
        raise
    fabric.barrier()
    return run


def _fit(
    built: BuiltStage,
    plan: Plan,
    run: RunFolder,
    fabric: Fabric,
    console: Console,
    *,
    resume: bool,
) -> FitResult:
    samples = len(built.stage.train_rows)
    with Progress(plan.stage, plan.train.epochs, samples, console) as progress:
        loop = Loop(fabric, built.stage, plan.train, run, seed=plan.seed, progress=progress)
        return loop.fit(resume=resume)


def _same_data(run: RunFolder, content_hash: str, *, resume: bool, first: bool) -> None:
    """A run resumed on another cohort would not be the run that was started."""
    known = run.manifest.get("data_hash")
    if resume and known is not None and known != content_hash:
        raise TrainingError(
            f"the cohort has changed since this run began ({known[:12]} then, "
            f"{content_hash[:12]} now); put the old file back or start a new run"
        )
    if first and known is None:
        run.update_manifest(data_hash=content_hash)


def _train_needs(plan: Plan, run: RunFolder, registry: Registry, console: Console) -> Plan:
    """Train what the plan lacks weights for, each in a run folder of its own below this one."""
    parts = dict(plan.parts)
    for role, part in plan.parts.items():
        if part.source != "train":
            continue
        folder = run.path / NEEDS_FOLDER / role
        _train_need(plan, role, folder, registry, console)
        parts[role] = replace_options(
            part, source="weights", weights=str((folder / WEIGHTS_FILE).resolve()),
            file_role="encoder",
        )  # fmt: skip
    if parts == plan.parts:
        return plan
    trained = replace_options(plan, parts={r: p.model_dump() for r, p in parts.items()})
    return trained.inherit_transform()


def _train_need(plan: Plan, role: str, folder: Path, registry: Registry, console: Console) -> None:
    if (folder / "run.json").exists():
        if RunFolder.open(folder).manifest["status"] != "finished":
            resume_training(folder, console=console, registry=registry)
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
    train_stage(replace(request), console=console, registry=registry)
