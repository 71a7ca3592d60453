"""What every stage is built from: components with their weights, data, what they descend from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import nn

from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.reader import Cohort
from cardionets_core.config import Options
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.errors import PluginError, TrainingError
from cardionets_core.options import construct, make_options
from cardionets_core.registry import Registry
from cardionets_core.train.cine_source import CineSource
from cardionets_core.train.cohorts import preparing_progress
from cardionets_core.train.ecg_source import EcgSource
from cardionets_core.train.order import seed_of
from cardionets_core.train.plan import PartPlan, Plan
from cardionets_core.train.stage import Stage
from cardionets_core.weights.ancestry import ancestry_of, synthetic_parents
from cardionets_core.weights.atomic import sha256_of
from cardionets_core.weights.fetch import fetch
from cardionets_core.weights.file import load_tensors
from cardionets_core.weights.header import PartHeader, read_header
from cardionets_core.weights.lineage import Lineage
from cardionets_core.weights.load import fill


@dataclass(slots=True)
class BuiltStage:
    """A stage ready to be trained, and everything its weights file will say.

    Attributes:
        stage: What the loop trains.
        cohort: The open cohort.
        modules: Role to module, as saved.
        headers: Role to component, as saved.
        transform: The ECG transform, or None for cines alone.
        parents: Lineages of the weights that the stage starts from.
        seen: Fingerprints of every record that the lineage has been trained on, this stage too.
        used_rows: Rows that something was trained, selected or set on.
        test_rows: Rows that nothing was trained on, for the evaluation at the end.
    """

    stage: Stage
    cohort: Cohort
    modules: dict[str, nn.Module]
    headers: dict[str, PartHeader]
    transform: EcgTransform | None
    parents: tuple[Lineage, ...]
    seen: Fingerprints
    used_rows: NDArray[np.int64]
    test_rows: NDArray[np.int64]


@dataclass(slots=True)
class Parts:
    """The components of a stage as they are built one by one."""

    plan: Plan
    registry: Registry
    modules: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, PartHeader] = field(default_factory=dict)
    parents: list[Lineage] = field(default_factory=list)
    seen: Fingerprints = field(default_factory=Fingerprints.empty)

    def build(self, role: str, **context: int | str) -> Any:
        """Build one role's component, with its weights if the plan names any."""
        part = self.plan.parts[role]
        component = self.registry.find(part.kind, part.component)  # type: ignore[arg-type]
        config: Options = make_options(component.load_config(), part.options, role)
        seed_weights(self.plan.seed, role)
        module = construct(component, config, **context)
        if part.source == "weights":
            self._fill(module, role, part)
        self.modules[role] = module
        self.headers[role] = PartHeader.of(component, config, **context)
        return module

    def build_saved(self, role: str) -> Any:
        """Build a role's component with what its constructor took when its weights were saved."""
        path = weights_path(self.plan.parts[role], self.plan, self.registry)
        header = read_header(path).part(str(self.plan.parts[role].file_role))
        return self.build(role, **header.arguments)

    def _fill(self, module: nn.Module, role: str, part: PartPlan) -> None:
        path = weights_path(part, self.plan, self.registry)
        if part.sha256 is not None and sha256_of(path) != part.sha256:
            raise TrainingError(
                f"the weights {part.weights} have changed since this run was planned; "
                "put the old file back or start a new run"
            )
        fill(module, load_tensors(path, part.file_role), f"{part.weights} for {role}")
        header = read_header(path)
        self.parents.append(header.lineage)
        self.seen = self.seen.merge(ancestry_of(path, header))


def built_stage(
    stage: Any,
    parts: Parts,
    cohort: Cohort,
    transform: EcgTransform | None,
    test_rows: NDArray[np.int64],
    *,
    also_used: NDArray[np.int64] | None = None,
) -> BuiltStage:
    """A stage with everything that its weights file will say."""
    used = np.concatenate([stage.train_rows, stage.val_rows])
    if also_used is not None:
        used = np.union1d(used, also_used)
    only_validated = np.setdiff1d(stage.val_rows, [] if also_used is None else also_used)
    return BuiltStage(
        stage=stage,
        cohort=cohort,
        modules=parts.modules,
        headers=parts.headers,
        transform=transform,
        parents=(*parts.parents, *synthetic_parents(cohort, used)),
        seen=parts.seen.merge(Fingerprints.of(cohort, used, validated=only_validated)),
        used_rows=used,
        test_rows=test_rows,
    )


def require_view(encoder: Any, part: PartPlan) -> None:
    """Require that a CMR encoder says what it takes of a cine.

    Raises:
        PluginError: If it does not.
    """
    if not hasattr(encoder, "view"):
        raise PluginError(
            f"CMR encoder {part.component!r} has no view() and so does not say what it takes of a "
            "cine (50, 96, 96); see cardionets_core.interfaces.Encoder"
        )


def ecg_source(
    plan: Plan,
    cohort: Cohort,
    rows: NDArray[np.int64],
    train_rows: NDArray[np.int64],
    console: Console,
) -> EcgSource:
    """The ECGs of some rows behind the plan's transform, fitted on ``train_rows`` if new."""
    if plan.transform is not None:
        transform = EcgTransform.from_state(plan.transform)
    elif plan.data is not None:
        transform = EcgTransform(plan.data)
    else:
        raise TrainingError("the plan names no ECG transform; start a new run")
    with preparing_progress(console) as bar:
        task = bar.add_task("filtering ECGs", total=len(rows))
        source = EcgSource(
            cohort, transform, rows=rows, train_rows=train_rows,
            on_block=lambda done: bar.advance(task, done),
        )  # fmt: skip
    console.print(f"ECG transform: {source.transform.describe()}", markup=False, soft_wrap=True)
    return source


def cine_source(
    plan: Plan, cohort: Cohort, encoder: Any, rows: NDArray[np.int64], console: Console
) -> CineSource:
    """The cines of some rows as a CMR encoder sees them."""
    part = plan.parts["encoder"]
    require_view(encoder, part)
    with preparing_progress(console) as bar:
        task = bar.add_task("reading cines", total=len(rows))
        return CineSource(
            cohort,
            encoder,
            [part.component, part.options],
            rows=rows,
            on_block=lambda done: bar.advance(task, done),
        )


def weights_path(part: PartPlan, plan: Plan, registry: Registry) -> Path:
    """The local file of a part's weights.

    Raises:
        WeightsError: If it cannot be had.
    """
    return fetch(str(part.weights), offline=plan.offline or None, registry=registry).path


def seed_weights(seed: int, role: str) -> None:
    """Seed the initial weights of a role, whatever else is built before it."""
    torch.manual_seed(seed_of(seed, role))


def frozen_key(parts: Parts, role: str, device: torch.device) -> list[Any]:
    """What a frozen component's outputs follow from, besides the cohort."""
    part, component = parts.plan.parts[role], parts.headers[role]
    if part.source == "weights":
        weights = sha256_of(weights_path(part, parts.plan, parts.registry))
    else:
        weights = f"seed {parts.plan.seed}"
    return [part.component, component.version, part.options, weights, device.type]
