"""From a dataset's name and options to a cohort file: what the command line and ``train`` share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cardionets_core.cohort.making import Making, Source, withdrawn_ids
from cardionets_core.cohort.opening import stored_record_ids
from cardionets_core.cohort.provenance import Provenance
from cardionets_core.cohort.rehearsing import Rehearsal, rehearse
from cardionets_core.cohort.reporting.provenance_facts import Run
from cardionets_core.cohort.reporting.writing import write_report
from cardionets_core.cohort.roles import RoleConfig
from cardionets_core.cohort.writer import Existing, PrepareReport, prepare
from cardionets_core.errors import UnknownNameError
from cardionets_core.options import Given, component_options, construct, make_options
from cardionets_core.registry import Component


@dataclass(frozen=True, slots=True)
class PrepareRequest:
    """One dataset to be prepared.

    Attributes:
        component: The dataset.
        out: Cohort file to write.
        options: The dataset's options, over its preset.
        roles: Shares of roles and splits, over their defaults.
        preset: Preset of the dataset, or None for its defaults.
        seed: Seed of roles and splits.
        workers: Processes that read; one per core if None.
        existing: What to do if ``out`` exists.
    """

    component: Component
    out: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    roles: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    seed: int = 0
    workers: int | None = None
    existing: Existing = "refuse"


def build_dataset(component: Component, preset: str | None, options: Mapping[str, Any]) -> Any:
    """Build a dataset from a preset and options over it.

    Raises:
        UnknownNameError: If the preset is not one of this dataset's.
        ConfigError: For an unknown option or one out of range.
    """
    if preset is not None and preset not in component.preset_names():
        raise UnknownNameError(
            f"dataset {component.name!r} has no preset {preset!r}; "
            f"it has {', '.join(component.preset_names()) or 'none'}"
        )
    if preset is None:
        config = make_options(component.load_config(), options, "dataset")
    else:
        given = Given(preset, explicit={"dataset": options})
        config = component_options(component, "dataset", given)
    return construct(component, config)


def prepare_dataset(
    request: PrepareRequest,
    *,
    executor: Executor | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
    executor_workers: int | None = None,
    with_report: bool = False,
) -> PrepareReport:
    """Build a dataset and read it into a cohort file; see ``writer.prepare``.

    Args:
        request: What to prepare.
        executor: What reads instead of own processes.
        on_progress: Called with the records done and the records in all.
        executor_workers: How many blocks ``executor`` works on at a time, if that is known.
        with_report: Write ``OUT.report.html`` and ``OUT.report.json`` too.

    Raises:
        CardionetsError: For options that do not hold, or a source that cannot be read.
    """
    dataset = build_dataset(request.component, request.preset, request.options)
    workers = workers_of(request, executor_workers)
    done = prepare(
        dataset,
        request.out,
        seed=request.seed,
        provenance=_provenance(request.component, dataset),
        roles=make_options(RoleConfig, request.roles, "roles"),
        existing=request.existing,
        workers=workers,
        executor=executor,
        progress=on_progress,
    )
    if with_report:
        where = "on a cluster" if executor else "on this machine"
        write_report(done.path, dataset, Run(done.seconds, done.read, f"{workers} {where}"))
    return done


def workers_of(request: PrepareRequest, executor_workers: int | None = None) -> int:
    """How many blocks are read at a time: as asked, else as many as the executor or cores take."""
    return request.workers or executor_workers or os.cpu_count() or 1


def rehearse_dataset(request: PrepareRequest) -> Rehearsal:
    """Tell what ``prepare_dataset`` would do; see ``rehearsing.rehearse``.

    Raises:
        CardionetsError: For options that do not hold, a source that cannot be listed, or a cohort
            that cannot be extended so.
    """
    dataset = build_dataset(request.component, request.preset, request.options)
    making = Making(
        request.out,
        request.seed,
        make_options(RoleConfig, request.roles, "roles"),
        _provenance(request.component, dataset),
        request.existing,
    )
    base = making.base() if request.existing == "extend" else None
    if base is None:
        return rehearse(dataset, request.out)
    key = making.key(base, resume=False)
    known = stored_record_ids(request.out)
    source = Source(dataset, key, request.seed, known, withdrawn_ids(dataset, key))
    return rehearse(dataset, request.out, source=source)


def _provenance(component: Component, dataset: Any) -> Provenance:
    return Provenance(
        dataset=component.name,
        plugin=component.plugin.name,
        distribution=f"{component.distribution} {component.version}",
        config=dataset.config.model_dump(mode="json"),
        simulated=bool(getattr(dataset, "simulated", False)),
        paths=tuple(name for name, value in dataset.config if _is_path(value)),
    )


def _is_path(value: Any) -> bool:
    """Whether an option is a path, or a list of them."""
    if isinstance(value, tuple | list):
        return any(map(_is_path, value))
    return isinstance(value, Path)
