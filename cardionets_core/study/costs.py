"""Roughly how much work each job is, and whether its subsets can be drawn at all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from cardionets_core.cohort.reader import Cohort
from cardionets_core.cohort.targets import Targets
from cardionets_core.options import stage_options
from cardionets_core.registry import Registry
from cardionets_core.study.jobs import Job
from cardionets_core.train.config import TrainConfig
from cardionets_core.train.protocol import ProtocolConfig
from cardionets_core.train.request import TrainRequest
from cardionets_core.train.roles import with_numbers
from cardionets_core.train.subsets import draw_subsets


def job_costs(
    jobs: list[Job], cohort: Cohort, targets: Mapping[str, Targets], registry: Registry
) -> dict[str, float]:
    """Samples that each job trains on, over all epochs and learning rates.

    Args:
        jobs: The jobs.
        cohort: The cohort.
        targets: Targets by task.
        registry: The plugins.

    Raises:
        TrainingError: If a subset of a fit is empty or lacks a class: now, and not in an hour.
    """
    pretrain = len(cohort.select(role="pretrain"))

    @cache
    def train_rows(task: str, protocol: ProtocolConfig, modality: str, seed: int) -> int:
        drawn = draw_subsets(cohort, targets[task], protocol, modality=modality, seed=seed)
        return len(drawn.train)

    def cost(job: Job) -> float:
        epochs, protocol = _numbers(job.request, registry)
        if job.fit is None or protocol is None:
            return float(epochs * pretrain)
        encoder = registry.find("encoder", job.request.components["encoder"])
        rows = train_rows(job.fit.task, protocol, encoder.spec.modality or "ecg", job.fit.seed)
        random = job.request.weights["encoder"] == "random"
        rates = protocol.lr_candidates_random if random else protocol.lr_candidates
        return float(epochs * rows * max(len(rates), 1))

    return {job.name: cost(job) for job in jobs}


def _numbers(request: TrainRequest, registry: Registry) -> tuple[int, ProtocolConfig | None]:
    leading = with_numbers(request.leading(registry), registry)
    train = stage_options(TrainConfig, leading, "train", request.given)
    if request.task is None:
        return train.epochs, None
    return train.epochs, stage_options(ProtocolConfig, leading, "protocol", request.given)
