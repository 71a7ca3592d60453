"""The study from the command to the report."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from cardionets_core.cohort.reader import Cohort, open_cohort
from cardionets_core.cohort.targets import Targets, find_task
from cardionets_core.config import Options
from cardionets_core.errors import StudyError
from cardionets_core.options import Given, make_options
from cardionets_core.registry import Registry, default_registry
from cardionets_core.spec import TaskSpec
from cardionets_core.study import folder as study_folder
from cardionets_core.study.asked import Asked, make_config
from cardionets_core.study.checks import check_variants
from cardionets_core.study.collect import collect_scores
from cardionets_core.study.config import StudyConfig
from cardionets_core.study.costs import job_costs
from cardionets_core.study.jobs import Job, Place, plan_jobs, with_costs
from cardionets_core.study.progress import StudyProgress
from cardionets_core.study.running import Ended, Pool, carry_out
from cardionets_core.study.workers import Workers
from cardionets_core.train.cohorts import describe_cohort, find_cohort
from cardionets_core.train.config import TrainConfig
from cardionets_core.train.devices import settle, versions
from cardionets_core.train.protocol import ProtocolConfig
from cardionets_core.train.request import TrainRequest

DATASET_PRESET = "study"
# So small that every stage takes seconds, and still with cases in every group.
_SMOKE_DATASET = {"subjects": 360, "pretrain_subjects": 120, "enriched_subjects": 200}
_MOST_WORKERS = 8


@dataclass(frozen=True, slots=True)
class StudyRequest:
    """One ``study`` command.

    Attributes:
        asked: What is compared.
        out: Folder of the study; an unfinished study in it is continued.
        cohort: Prepared cohort, or None to prepare the default dataset's.
        dataset: Options of that dataset.
        workers: Processes; None for one per core, or one where there is a CUDA device.
        command: The command line, without local paths.
    """

    asked: Asked
    out: Path
    cohort: Path | None = None
    dataset: Mapping[str, Any] = field(default_factory=dict)
    workers: int | None = None
    command: str = ""


class _Machine(Options):
    """How the runs are shared out."""

    workers: int
    threads: int
    accelerator: str


def run_study(
    request: StudyRequest,
    *,
    console: Console,
    registry: Registry | None = None,
    pool: Pool | None = None,
) -> Path:
    """Begin or continue a study, and write its scores, tables, figures and report.

    Args:
        request: What the user asks for.
        console: Where to say what happens.
        registry: The plugins; the installed ones if not given.
        pool: What carries out runs; processes of this machine if not given.

    Returns:
        The report.

    Raises:
        CardionetsError: For anything the user can mend, before anything is trained.
        StudyError: If runs failed; what the others gave is written first.
    """
    registry = registry or default_registry()
    out = request.out.resolve()
    started = time.perf_counter()
    path = _cohort(request, registry, console)
    with open_cohort(path) as cohort:
        names = request.asked.task_names
        asked = request.asked.options.get("protocol", {})
        # The other options of the protocol are checked below, some of them to be refused.
        late = {name: value for name, value in asked.items() if name == "later_diagnoses"}
        protocol = make_options(ProtocolConfig, late, "protocol")
        targets = {
            name: find_task(
                name,
                registry=registry,
                cohort=cohort,
                later_diagnoses=protocol.later_diagnoses,
            )
            for name in names
        }
        kinds = {name: found.task.target for name, found in targets.items()}
        config = make_config(request.asked, kinds, registry)
        machine = _machine(request)
        jobs = _jobs(config, cohort, targets, _place(request, path, machine), registry)
    study_folder.begin(out, config, _entries(request, path, machine))
    with study_folder.held(out):
        console.print(_announcement(config, jobs, machine, out), markup=False, soft_wrap=True)
        ended = _train(jobs, pool, machine, console)
        tasks = {name: found.task for name, found in targets.items()}
        report = _evaluate(config, ended, request, tasks, registry, console)
        failed = [end for end in ended if end.status != "finished"]
        minutes = (time.perf_counter() - started) / 60
        status = "incomplete" if failed else "finished"
        study_folder.update(out, status=status, minutes_of_last_command=round(minutes, 1))
    console.print(f"{report}, after {minutes:.0f} min", markup=False, soft_wrap=True)
    if failed:
        raise StudyError(_failures(failed))
    return report


def _cohort(request: StudyRequest, registry: Registry, console: Console) -> Path:
    """The cohort that is named, or the default dataset's for studies, from the cache if there."""
    dataset = {**(_SMOKE_DATASET if request.asked.smoke else {}), **request.dataset}
    if request.cohort is not None:
        dataset = dict(request.dataset)
    wanted = TrainRequest(
        components={},
        given=Given(DATASET_PRESET, explicit={"dataset": dataset} if dataset else {}),
        out=request.out,
        cohort=request.cohort,
    )
    return find_cohort(wanted, registry, console).resolve()


def _machine(request: StudyRequest) -> _Machine:
    given = request.asked.options.get("train", {})
    train = settle(make_options(TrainConfig, given, "train"))
    cores = _cores()
    workers = request.workers or (1 if train.accelerator == "cuda" else min(cores, _MOST_WORKERS))
    threads = given.get("threads") or max(1, cores // workers)
    return _Machine(workers=workers, threads=threads, accelerator=train.accelerator)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _place(request: StudyRequest, cohort: Path, machine: _Machine) -> Place:
    return Place(
        folder=request.out.resolve(),
        cohort=cohort,
        machine={"threads": machine.threads, "accelerator": machine.accelerator},
        offline=request.asked.offline,
        command=request.command,
    )


def _jobs(
    config: StudyConfig,
    cohort: Cohort,
    targets: Mapping[str, Targets],
    place: Place,
    registry: Registry,
) -> list[Job]:
    jobs = plan_jobs(config, place, registry)
    check_variants(jobs, registry)
    return with_costs(jobs, job_costs(jobs, cohort, targets, registry))


def _entries(request: StudyRequest, cohort: Path, machine: _Machine) -> dict[str, Any]:
    return {
        "command": request.command,
        "cohort": describe_cohort(cohort),
        "machine": machine.model_dump(),
        "versions": versions(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _announcement(config: StudyConfig, jobs: list[Job], machine: _Machine, out: Path) -> str:
    fits = sum(job.fit is not None for job in jobs)
    return (
        f"study in {out}: {len(jobs) - fits} stages and {fits} fits of {len(config.variants)} "
        f"variants on {len(config.tasks)} tasks, {len(config.seeds)} seeds, preset "
        f"{config.preset}; {machine.workers} at once with {machine.threads} threads each"
    )


def _train(jobs: list[Job], pool: Pool | None, machine: _Machine, console: Console) -> list[Ended]:
    with StudyProgress(jobs, console) as progress:
        if pool is not None:
            return carry_out(jobs, pool, on_end=progress.ended)
        with Workers(machine.workers, machine.threads) as workers:
            return carry_out(jobs, workers, on_end=progress.ended)


def _evaluate(
    config: StudyConfig,
    ended: list[Ended],
    request: StudyRequest,
    tasks: Mapping[str, TaskSpec],
    registry: Registry,
    console: Console,
) -> Path:
    # Figures need matplotlib, which a study that fails before needs not wait for.
    from cardionets_core.study.reporting import write_report  # noqa: PLC0415

    out = request.out.resolve()
    collect_scores([end.job for end in ended if end.status == "finished"], out)
    return write_report(
        config,
        ended,
        out,
        tasks=tasks,
        registry=registry,
        command=request.command,
        console=console,
    )


def _failures(failed: list[Ended]) -> str:
    told = [f"{end.job.name}: {end.reason}" for end in failed if end.status == "failed"]
    left_out = sum(end.status == "left out" for end in failed)
    if left_out:
        told.append(f"{left_out} more were left out because they need one of these")
    return (
        f"{len(told) - bool(left_out)} runs failed:\n  "
        + "\n  ".join(told)
        + "\nput right what is said there and give the same command again"
    )
