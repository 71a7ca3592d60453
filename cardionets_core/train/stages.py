"""From a plan to a stage: models with their weights, data, and what they descend from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import nn

from cardionets_core.cohort.guard import Fingerprints, refuse_overlap
from cardionets_core.cohort.reader import Cohort
from cardionets_core.config import Options
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.errors import PluginError, TrainingError
from cardionets_core.options import construct, make_options
from cardionets_core.registry import Registry
from cardionets_core.train.align import AlignmentModel, AlignStage
from cardionets_core.train.cine_source import CineSource, frozen_features
from cardionets_core.train.cohorts import preparing_progress
from cardionets_core.train.ecg_source import EcgSource
from cardionets_core.train.order import seed_of
from cardionets_core.train.plan import PartPlan, Plan
from cardionets_core.train.pretrain import PretrainStage
from cardionets_core.train.stage import Stage
from cardionets_core.weights.ancestry import ancestry_of
from cardionets_core.weights.atomic import sha256_of
from cardionets_core.weights.fetch import fetch
from cardionets_core.weights.file import load_tensors
from cardionets_core.weights.header import PartHeader, read_header
from cardionets_core.weights.lineage import Lineage
from cardionets_core.weights.load import fill

# With no validation subject at all (a handful of records), every tenth training subject serves.
_BORROWED_EVERY = 10


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
        test_rows: Rows that nothing was trained on, for the evaluation at the end.
    """

    stage: Stage
    cohort: Cohort
    modules: dict[str, nn.Module]
    headers: dict[str, PartHeader]
    transform: EcgTransform | None
    parents: tuple[Lineage, ...]
    seen: Fingerprints
    test_rows: NDArray[np.int64]


@dataclass(slots=True)
class _Parts:
    """The components of a stage as they are built one by one."""

    plan: Plan
    registry: Registry
    modules: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, PartHeader] = field(default_factory=dict)
    parents: list[Lineage] = field(default_factory=list)
    seen: Fingerprints = field(default_factory=Fingerprints.empty)

    def build(self, role: str, **context: int) -> Any:
        """Build one role's component, with its weights if the plan names any."""
        part = self.plan.parts[role]
        component = self.registry.find(part.kind, part.component)  # type: ignore[arg-type]
        config: Options = make_options(component.load_config(), part.options, role)
        _seed(self.plan.seed, role)
        module = construct(component, config, **context)
        if part.source == "weights":
            self._fill(module, role, part)
        self.modules[role] = module
        self.headers[role] = PartHeader.of(component, config, **context)
        return module

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


def build_stage(
    plan: Plan, cohort: Cohort, registry: Registry, device: torch.device, console: Console
) -> BuiltStage:
    """Build the models, open the data and fit what is fitted on the training rows.

    Raises:
        CardionetsError: If the cohort has too few records, or a component does not fit.
    """
    parts = _Parts(plan, registry)
    if plan.stage == "alignment":
        return _alignment(parts, cohort, device, console)
    return _pretraining(parts, cohort, console)


def _alignment(parts: _Parts, cohort: Cohort, device: torch.device, console: Console) -> BuiltStage:
    plan = parts.plan
    train_rows, val_rows = usable_rows(plan, cohort)
    test_rows = cohort.select(role="downstream", with_ecg=True, with_cine=True)
    rows = np.concatenate([train_rows, val_rows, test_rows])
    encoder, cmr_encoder = parts.build("encoder"), parts.build("cmr_encoder")
    cmr_encoder.requires_grad_(False)
    _require_view(cmr_encoder, plan.parts["cmr_encoder"])
    seen = parts.seen.merge(Fingerprints.of(cohort, np.concatenate([train_rows, val_rows])))
    # Now, and not when hours of training are over.
    refuse_overlap(seen, cohort, test_rows, purpose="evaluate on")
    ecgs = _ecg_source(plan, cohort, rows, train_rows, console)
    with preparing_progress(console) as bar:
        task = bar.add_task("embedding cines", total=len(rows))
        features = frozen_features(
            cohort,
            cmr_encoder,
            _features_key(parts, "cmr_encoder", device),
            rows=rows,
            device=device,
            on_block=lambda done: bar.advance(task, done),
        )
    aligner = parts.build("aligner", ecg_dim=encoder.pooled_dim, cmr_dim=cmr_encoder.pooled_dim)
    stage = AlignStage(
        AlignmentModel(encoder, aligner), ecgs, features, cohort,
        train_rows=train_rows, val_rows=val_rows, seed=plan.seed,
    )  # fmt: skip
    return _built(stage, parts, cohort, ecgs.transform, test_rows)


def _pretraining(parts: _Parts, cohort: Cohort, console: Console) -> BuiltStage:
    plan = parts.plan
    ecg = plan.stage == "ecg-pretraining"
    train_rows, val_rows = usable_rows(plan, cohort)
    rows = np.concatenate([train_rows, val_rows])
    encoder = parts.build("encoder")
    if not ecg:
        _require_view(encoder, plan.parts["encoder"])
    if not hasattr(encoder, "pretext"):
        raise PluginError(
            f"encoder {plan.parts['encoder'].component!r} has no self-supervised objective "
            "(no pretext()); name weights for it, or start at random with --weights encoder=random"
        )
    _seed(plan.seed, "pretext")
    module = encoder.pretext()
    source: EcgSource | CineSource
    if ecg:
        source = _ecg_source(plan, cohort, rows, train_rows, console)
        transform = source.transform
    else:
        part = plan.parts["encoder"]
        with preparing_progress(console) as bar:
            task = bar.add_task("reading cines", total=len(rows))
            source = CineSource(
                cohort,
                encoder,
                [part.component, part.options],
                rows=rows,
                on_block=lambda done: bar.advance(task, done),
            )
        transform = None
    stage = PretrainStage(
        module, source, cohort, train_rows=train_rows, val_rows=val_rows, seed=plan.seed
    )
    return _built(stage, parts, cohort, transform, np.empty(0, dtype=np.int64))


def _built(
    stage: Any,
    parts: _Parts,
    cohort: Cohort,
    transform: EcgTransform | None,
    test_rows: NDArray[np.int64],
) -> BuiltStage:
    used = np.concatenate([stage.train_rows, stage.val_rows])
    return BuiltStage(
        stage=stage,
        cohort=cohort,
        modules=parts.modules,
        headers=parts.headers,
        transform=transform,
        parents=tuple(parts.parents),
        seen=parts.seen.merge(Fingerprints.of(cohort, used)),
        test_rows=test_rows,
    )


def _require_view(encoder: Any, part: PartPlan) -> None:
    if not hasattr(encoder, "view"):
        raise PluginError(
            f"CMR encoder {part.component!r} has no view() and so does not say what it takes of a "
            "cine (50, 96, 96); see cardionets_core.interfaces.Encoder"
        )


def usable_rows(plan: Plan, cohort: Cohort) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Training and validation rows of a stage, of the role ``pretrain``.

    Raises:
        TrainingError: If there are too few.
    """
    with_ecg, with_cine = plan.stage != "cmr-pretraining", plan.stage != "ecg-pretraining"
    train, val = (
        cohort.select(role="pretrain", split=split, with_ecg=with_ecg, with_cine=with_cine)
        for split in ("train", "val")
    )
    if not len(val):
        train, val = _borrowed(train, cohort)
    if len(train) < 2 or not len(val):
        needed = " and ".join(
            name for name, wanted in (("ECG", with_ecg), ("cine", with_cine)) if wanted
        )
        raise TrainingError(
            f"{cohort.path}: {len(train) + len(val)} usable records with {needed} and the role "
            "pretrain; at least 3, of 2 subjects or more, are needed: see `cardionets inspect`, "
            "or prepare more"
        )
    return train, val


def _borrowed(
    rows: NDArray[np.int64], cohort: Cohort
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on and to validate on; all records of a subject stay together."""
    _, first, person = np.unique(cohort.subject_ids[rows], return_index=True, return_inverse=True)
    # Persons are numbered as they first appear, whatever their ids.
    number = np.argsort(np.argsort(first))[person]
    lent = number % _BORROWED_EVERY == 0
    return rows[~lent], rows[lent]


def _ecg_source(
    plan: Plan,
    cohort: Cohort,
    rows: NDArray[np.int64],
    train_rows: NDArray[np.int64],
    console: Console,
) -> EcgSource:
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


def weights_path(part: PartPlan, plan: Plan, registry: Registry) -> Path:
    """The local file of a part's weights.

    Raises:
        WeightsError: If it cannot be had.
    """
    return fetch(str(part.weights), offline=plan.offline or None, registry=registry).path


def _features_key(parts: _Parts, role: str, device: torch.device) -> list[Any]:
    """What a frozen encoder's features follow from, besides the cines."""
    part, component = parts.plan.parts[role], parts.headers[role]
    if part.source == "weights":
        weights = sha256_of(weights_path(part, parts.plan, parts.registry))
    else:
        weights = f"seed {parts.plan.seed}"
    return [part.component, component.version, part.options, weights, device.type]


def _seed(seed: int, role: str) -> None:
    """Seed the initial weights of a role, whatever else is built before it."""
    torch.manual_seed(seed_of(seed, role))
