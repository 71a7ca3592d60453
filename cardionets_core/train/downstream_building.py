"""From a plan to a downstream stage: targets, subsets, encoder and head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from cardionets_core.cohort.guard import refuse_overlap
from cardionets_core.cohort.reader import Cohort
from cardionets_core.cohort.targets import Targets, find_task
from cardionets_core.errors import TrainingError
from cardionets_core.registry import Registry
from cardionets_core.train.building import (
    BuiltStage,
    Parts,
    built_stage,
    cine_source,
    ecg_source,
)
from cardionets_core.train.cine_source import CineSource
from cardionets_core.train.downstream import DownstreamModel, DownstreamStage
from cardionets_core.train.ecg_source import EcgSource
from cardionets_core.train.plan import Plan
from cardionets_core.train.protocol import ProtocolConfig
from cardionets_core.train.subsets import Subsets, draw_subsets, task_rows


def build_downstream(
    parts: Parts, cohort: Cohort, device: torch.device, console: Console
) -> BuiltStage:
    """Build encoder and head, draw the subsets and fit what is fitted on the training rows.

    Raises:
        CardionetsError: If the task has too few subjects, or the lineage has seen them.
    """
    plan, protocol = parts.plan, _protocol(parts.plan)
    targets, subsets = _data(plan, cohort, parts.registry)
    for line in (*targets.notes, subsets.told()):
        console.print(line, markup=False, soft_wrap=True)
    encoder = parts.build("encoder")
    if protocol.subjects == "downstream":
        _refuse_seen(parts, cohort, subsets)
    rows = task_rows(cohort, targets, protocol, modality=_modality(plan, parts.registry))
    source = _source(plan, cohort, encoder, subsets, rows, console)
    head = parts.build(
        "head",
        embed_dim=encoder.embed_dim,
        pooled_dim=encoder.pooled_dim,
        outputs=len(targets.task.outputs),
        target=targets.task.target,
    )
    stage = DownstreamStage(
        DownstreamModel(encoder, head, probe=protocol.probe), source, cohort, targets, subsets,
        protocol, seed=plan.seed,
    )  # fmt: skip
    trained = plan.parts["encoder"].source == "weights"
    if trained and protocol.head_start == "closed-form" and hasattr(head, "start"):
        stage.start_head(device)
    transform = source.transform if isinstance(source, EcgSource) else None
    # The threshold is set on the inner split, whatever training is stopped on.
    return built_stage(stage, parts, cohort, transform, subsets.test, also_used=subsets.val)


def _refuse_seen(parts: Parts, cohort: Cohort, subsets: Subsets) -> None:
    """Refuse subjects that the lineage knows.

    Also to train and select on: their labels would be worth more to one variant than to another.
    """
    rows = np.concatenate([subsets.train, subsets.val, subsets.test])
    refuse_overlap(parts.seen, cohort, rows, purpose="train or evaluate on")


def _source(
    plan: Plan,
    cohort: Cohort,
    encoder: Any,
    subsets: Subsets,
    rows: NDArray[np.int64],
    console: Console,
) -> EcgSource | CineSource:
    """What the encoder reads of all rows of the task.

    Every fold and label count shares what is computed once for them.
    """
    if encoder.modality == "ecg":
        return ecg_source(plan, cohort, rows, np.sort(subsets.train), console)
    return cine_source(plan, cohort, encoder, rows, console)


def check_downstream(plan: Plan, cohort: Cohort, registry: Registry) -> None:
    """Check that the cohort can serve the task, before anything is trained or written.

    Raises:
        CardionetsError: If it cannot.
    """
    _data(plan, cohort, registry)


def _data(plan: Plan, cohort: Cohort, registry: Registry) -> tuple[Targets, Subsets]:
    if plan.task is None:
        raise TrainingError("the plan names no task; start a new run with --task")
    labels = None if plan.labels is None else Path(plan.labels)
    protocol = _protocol(plan)
    targets = find_task(
        plan.task,
        registry=registry,
        cohort=cohort,
        labels=labels,
        target=plan.target,
        later_diagnoses=protocol.later_diagnoses,
    )
    modality = _modality(plan, registry)
    return targets, draw_subsets(cohort, targets, protocol, modality=modality, seed=plan.seed)


def _protocol(plan: Plan) -> ProtocolConfig:
    return plan.protocol or ProtocolConfig()


def _modality(plan: Plan, registry: Registry) -> str:
    return registry.find("encoder", plan.parts["encoder"].component).spec.modality or "ecg"
