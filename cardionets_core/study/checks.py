"""What is found out about a study before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core.registry import Registry
from cardionets_core.study.jobs import Job
from cardionets_core.train.plan import make_plan


def check_variants(jobs: Iterable[Job], registry: Registry) -> None:
    """Plan one fit of each variant whose weights are there already: the user's runs and scratch.

    Args:
        jobs: The jobs of a study.
        registry: The plugins.

    Raises:
        UsageError: For weights that do not fit their variant or its encoder, or unknown options.
        WeightsError: If weights cannot be had.
    """
    first: dict[str, Job] = {}
    for job in jobs:
        if job.fit is not None and not job.needs:
            first.setdefault(job.fit.variant, job)
    for job in first.values():
        make_plan(job.request, registry)
