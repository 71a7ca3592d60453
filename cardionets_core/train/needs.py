"""What a stage lacks weights for: the runs that make them, each in a folder below its own."""

from __future__ import annotations

from pathlib import Path

from cardionets_core.registry import Registry
from cardionets_core.train.lineage_runs import stage_request
from cardionets_core.train.plan import PartPlan, Plan, replace_options
from cardionets_core.train.request import TrainRequest
from cardionets_core.weights.header import WEIGHTS_FILE


def needed_runs(plan: Plan, folder: Path, registry: Registry) -> list[TrainRequest]:
    """What has to be trained first, in order.

    Args:
        plan: The stage's plan.
        folder: Where the runs' folders are.
        registry: The plugins.
    """
    requests = []
    for role, part in plan.parts.items():
        if part.source != "train" or part.beside is not None:
            continue
        variant = part.variant or plan.variant
        if variant is None:
            requests.append(_plain_request(plan, role, folder / role))
        else:
            requests += _lineage_requests(plan, role, variant, folder, registry)
    return requests


def with_needs(plan: Plan, folder: Path, registry: Registry) -> Plan:
    """The plan with the weights of these runs, once they are finished."""
    made: dict[str, Path] = {}
    for role, part in plan.parts.items():
        if part.source == "train" and part.beside is None:
            made[role] = _folder_of(plan, role, folder, registry) / WEIGHTS_FILE
    if not made:
        return plan
    parts = {
        role: _filled(part, made[part.beside or role], role) if part.source == "train" else part
        for role, part in plan.parts.items()
    }
    trained = replace_options(plan, parts={r: p.model_dump() for r, p in parts.items()})
    return trained.inherit_transform(registry)


def _filled(part: PartPlan, weights: Path, role: str) -> PartPlan:
    # A pre-trained encoder is called so in its own run, whatever this stage calls it.
    file_role = part.kind if part.beside is None else role
    return replace_options(
        part, source="weights", weights=str(weights.resolve()), file_role=file_role
    )


def _folder_of(plan: Plan, role: str, folder: Path, registry: Registry) -> Path:
    variant = plan.parts[role].variant or plan.variant
    if variant is None:
        return folder / role
    return folder / registry.variant(variant).spec.stages[-1].name


def _plain_request(plan: Plan, role: str, out: Path) -> TrainRequest:
    part = plan.parts[role]
    return TrainRequest(
        components={part.kind: part.component},
        given=plan.given_for(role),
        out=out,
        seed=plan.seed,
        cohort=Path(plan.cohort),
        offline=plan.offline,
        command=plan.command,
    )


def _lineage_requests(
    plan: Plan, role: str, variant: str, folder: Path, registry: Registry
) -> list[TrainRequest]:
    """The stages that make a variant's encoder."""
    stages = registry.variant(variant).spec.stages
    folders = {stage.name: folder / stage.name for stage in stages}
    return [
        stage_request(
            stage,
            folders=folders,
            out=folders[stage.name],
            encoder=plan.parts[role].component,
            given=plan.given_for(role),
            seed=plan.seed,
            cohort=Path(plan.cohort),
            offline=plan.offline,
            command=plan.command,
        )
        for stage in stages
    ]
