"""The runs of a study, and which has to be finished before which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cardionets_core.errors import UsageError
from cardionets_core.options import Given
from cardionets_core.registry import Registry
from cardionets_core.spec import LineageStage, VariantSpec
from cardionets_core.study.config import Setting, StudyConfig, TaskPlan
from cardionets_core.train.lineage_runs import stage_request
from cardionets_core.train.request import TrainRequest

LINEAGE, FITS = "lineage", "fits"


@dataclass(frozen=True, slots=True)
class Fit:
    """A downstream run and its place in the comparison."""

    task: str
    variant: str
    setting: Setting
    seed: int
    fold: int


@dataclass(frozen=True, slots=True)
class Job:
    """One run.

    Attributes:
        name: Its folder below the study's.
        request: What ``train_stage`` carries out.
        needs: Names of the jobs whose weights it starts from.
        fit: Its place in the comparison; None for a stage of a lineage.
        cost: Samples that it trains on, roughly: for order and time left.
    """

    name: str
    request: TrainRequest
    needs: tuple[str, ...] = ()
    fit: Fit | None = None
    cost: float = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a study runs.

    Attributes:
        folder: Folder of the study.
        cohort: Its cohort.
        machine: Options of ``train`` that decide where, not what: threads, accelerator.
        offline: Never use the network.
        command: The command line, for the lineage.
    """

    folder: Path
    cohort: Path
    machine: Mapping[str, Any]
    offline: bool = False
    command: str = ""


def plan_jobs(config: StudyConfig, place: Place, registry: Registry) -> list[Job]:
    """Every run of a study; what several variants share is one run.

    Args:
        config: The study.
        place: Where it runs.
        registry: The plugins.

    Raises:
        UsageError: If two variants have different stages of one name.
    """
    specs = {name: registry.variant(name).spec for name in (*config.variants, *config.controls)}
    jobs: dict[str, Job] = {}
    stages: dict[str, LineageStage] = {}
    for plan in config.tasks:
        for fit in _fits(plan, config):
            spec = specs[fit.variant]
            if fit.variant not in config.runs:
                for stage in spec.stages:
                    _require_same(stages.setdefault(stage.name, stage), stage, spec)
                    job = _stage_job(stage, spec, fit.seed, config, place, registry)
                    jobs.setdefault(job.name, job)
            job = _fit_job(fit, spec, config, place, registry)
            jobs[job.name] = job
    return list(jobs.values())


def _fits(plan: TaskPlan, config: StudyConfig) -> list[Fit]:
    first = config.seeds[:1]
    groups = [
        (plan.variants, plan.settings, config.seeds),
        (plan.controls, plan.control_settings, first),
    ]
    return [
        Fit(plan.task, variant, setting, seed, fold)
        for variants, settings, seeds in groups
        for seed in seeds
        for fold in config.folds
        for setting in settings
        for variant in variants
    ]


def _require_same(known: LineageStage, stage: LineageStage, spec: VariantSpec) -> None:
    if known != stage:
        raise UsageError(
            f"variant {spec.name!r} has a stage {stage.name!r} that differs from another "
            "variant's of that name, so that they cannot share its run; its plugin has to rename "
            "it, or leave one of the two out with --variants"
        )


def _stage_name(stage: str, seed: int) -> str:
    return f"{LINEAGE}/seed{seed}/{stage}"


def _stage_job(
    stage: LineageStage,
    spec: VariantSpec,
    seed: int,
    config: StudyConfig,
    place: Place,
    registry: Registry,
) -> Job:
    name = _stage_name(stage.name, seed)
    folders = {s.name: place.folder / _stage_name(s.name, seed) for s in spec.stages}
    # A protocol is one of fits; a supervised stage has its own.
    tables = {"train": {**config.options.get("train", {}), **place.machine}}
    request = stage_request(
        stage,
        folders=folders,
        out=place.folder / name,
        encoder=_encoder(config, registry),
        given=Given(config.preset, explicit=tables),
        seed=seed,
        cohort=place.cohort,
        offline=place.offline,
        command=place.command,
    )
    needs = tuple(_stage_name(s, seed) for s in dict.fromkeys(stage.starts.values()))
    return Job(name, request, needs)


def _fit_job(
    fit: Fit, spec: VariantSpec, config: StudyConfig, place: Place, registry: Registry
) -> Job:
    task = slug(fit.task)
    where = f"{FITS}/{task}/{fit.setting.key}/{slug(spec.name)}"
    name = f"{where}/seed{fit.seed}-fold{fit.fold}"
    last = _stage_name(spec.stages[-1].name, fit.seed) if spec.stages else None
    needs = () if last is None or fit.variant in config.runs else (last,)
    start = str(place.folder / last) if last else "random"
    if fit.variant in config.runs:
        start = config.runs[fit.variant].weights
    protocol = {
        **config.options.get("protocol", {}),
        **fit.setting.options(),
        "folds": config.groups,
        "fold": fit.fold,
    }
    train = {**config.options.get("train", {}), **place.machine}
    request = TrainRequest(
        components={"encoder": spec.encoder or _encoder(config, registry), "head": config.head},
        given=Given(config.preset, explicit={"train": train, "protocol": protocol}),
        out=place.folder / name,
        seed=fit.seed,
        weights={"encoder": start},
        cohort=place.cohort,
        offline=place.offline,
        command=place.command,
        task=fit.task,
        variant=fit.variant,
    )
    return Job(name, request, needs, fit)


def slug(name: str) -> str:
    """A name of a task or variant for a file."""
    return name.replace(",", "+").replace("/", "-").replace(":", "-")


def _encoder(config: StudyConfig, registry: Registry) -> str:
    return config.encoder or registry.default("ecg_encoder").name


def by_urgency(jobs: list[Job]) -> list[Job]:
    """Jobs in the order to start them: first what the longest chain of others waits for."""
    urgency = {job.name: job.cost for job in jobs}
    # Needs stand before what needs them, so that one pass from the end reaches the beginning.
    for job in reversed(jobs):
        for need in job.needs:
            cost = next(other.cost for other in jobs if other.name == need)
            urgency[need] = max(urgency[need], cost + urgency[job.name])
    return sorted(jobs, key=lambda job: -urgency[job.name])


def with_costs(jobs: list[Job], cost_of: Mapping[str, float]) -> list[Job]:
    """The same jobs with their costs by name."""
    return [replace(job, cost=cost_of[job.name]) for job in jobs]
