"""From a plan to a stage: models with their weights, data, and what they descend from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from cardionets_core.cohort.guard import Fingerprints, refuse_overlap
from cardionets_core.cohort.reader import Cohort
from cardionets_core.errors import PluginError, TrainingError
from cardionets_core.registry import Registry
from cardionets_core.train.align import AlignmentModel, AlignStage
from cardionets_core.train.building import (
    BuiltStage,
    Parts,
    built_stage,
    cine_source,
    ecg_source,
    require_view,
    seed_weights,
    weights_path,
)
from cardionets_core.train.cine_source import CineSource, frozen_features
from cardionets_core.train.cohorts import preparing_progress
from cardionets_core.train.downstream_building import build_downstream, check_downstream
from cardionets_core.train.ecg_source import EcgSource
from cardionets_core.train.order import seed_of
from cardionets_core.train.plan import Plan
from cardionets_core.train.pretrain import PretrainStage
from cardionets_core.weights.atomic import sha256_of

# With no validation subject at all (a handful of records), every tenth training subject serves.
_BORROWED_EVERY = 10


def build_stage(
    plan: Plan, cohort: Cohort, registry: Registry, device: torch.device, console: Console
) -> BuiltStage:
    """Build the models, open the data and fit what is fitted on the training rows.

    Raises:
        CardionetsError: If the cohort has too few records, or a component does not fit.
    """
    parts = Parts(plan, registry)
    if plan.stage == "alignment":
        return _alignment(parts, cohort, device, console)
    if plan.stage == "downstream":
        return build_downstream(parts, cohort, device, console)
    return _pretraining(parts, cohort, console)


def _alignment(parts: Parts, cohort: Cohort, device: torch.device, console: Console) -> BuiltStage:
    plan = parts.plan
    train_rows, val_rows = usable_rows(plan, cohort)
    test_rows = cohort.select(role="downstream", with_ecg=True, with_cine=True)
    rows = np.concatenate([train_rows, val_rows, test_rows])
    encoder, cmr_encoder = parts.build("encoder"), parts.build("cmr_encoder")
    cmr_encoder.requires_grad_(False)
    require_view(cmr_encoder, plan.parts["cmr_encoder"])
    seen = parts.seen.merge(Fingerprints.of(cohort, np.concatenate([train_rows, val_rows])))
    # Now, and not when hours of training are over.
    refuse_overlap(seen, cohort, test_rows, purpose="evaluate on")
    ecgs = ecg_source(plan, cohort, rows, train_rows, console)
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
    if plan.shuffle_pairs:
        both = (train_rows, val_rows)
        features = shuffled_pairs(features, both, cohort.subject_ids, plan.seed)
    aligner = parts.build("aligner", ecg_dim=encoder.pooled_dim, cmr_dim=cmr_encoder.pooled_dim)
    stage = AlignStage(
        AlignmentModel(encoder, aligner), ecgs, features, cohort,
        train_rows=train_rows, val_rows=val_rows, seed=plan.seed,
    )  # fmt: skip
    return built_stage(stage, parts, cohort, ecgs.transform, test_rows)


def shuffled_pairs(
    features: NDArray[np.float32],
    parts: tuple[NDArray[np.int64], ...],
    subject_ids: NDArray[np.str_],
    seed: int,
) -> NDArray[np.float32]:
    """CMR features dealt to other subjects of the same part; all other rows keep their own.

    Args:
        features: Features by cohort row, (n, P).
        parts: Rows of each part.
        subject_ids: Subject of each cohort row, (n,).
        seed: Seed of the run.

    Returns:
        Features by cohort row, (n, P); each part has the same ones as before.
    """
    shuffled = np.array(features)
    for rows in parts:
        person = _persons(subject_ids[rows])
        order = np.random.default_rng(seed_of(seed, "shuffled pairs")).permutation(max(person) + 1)
        dealt = rows[np.argsort(order[person], kind="stable")]
        # A person's records lie side by side, so that this far on it is somebody else.
        shift = int(np.bincount(person).max())
        shuffled[dealt] = features[np.roll(dealt, shift)]
    return shuffled


def _pretraining(parts: Parts, cohort: Cohort, console: Console) -> BuiltStage:
    plan = parts.plan
    ecg = plan.stage == "ecg-pretraining"
    train_rows, val_rows = usable_rows(plan, cohort)
    rows = np.concatenate([train_rows, val_rows])
    encoder = parts.build("encoder")
    if not hasattr(encoder, "pretext"):
        raise PluginError(
            f"encoder {plan.parts['encoder'].component!r} has no self-supervised objective "
            "(no pretext()); name weights for it, or start at random with --weights encoder=random"
        )
    seed_weights(plan.seed, "pretext")
    module = encoder.pretext()
    source: EcgSource | CineSource
    if ecg:
        source = ecg_source(plan, cohort, rows, train_rows, console)
        transform = source.transform
    else:
        source = cine_source(plan, cohort, encoder, rows, console)
        transform = None
    stage = PretrainStage(
        module, source, cohort, train_rows=train_rows, val_rows=val_rows, seed=plan.seed
    )
    return built_stage(stage, parts, cohort, transform, np.empty(0, dtype=np.int64))


def check_cohort(plan: Plan, cohort: Cohort, registry: Registry) -> None:
    """Check that a cohort has what a stage needs, before anything is trained or written.

    Raises:
        CardionetsError: If it has not.
    """
    if plan.stage == "downstream":
        check_downstream(plan, cohort, registry)
    else:
        usable_rows(plan, cohort)


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
    lent = _persons(cohort.subject_ids[rows]) % _BORROWED_EVERY == 0
    return rows[~lent], rows[lent]


def _persons(subject_ids: NDArray[np.str_]) -> NDArray[np.int64]:
    """Number of each record's subject, (n,): as they first appear, whatever their ids."""
    _, first, person = np.unique(subject_ids, return_index=True, return_inverse=True)
    number: NDArray[np.int64] = np.argsort(np.argsort(first))[person]
    return number


def _features_key(parts: Parts, role: str, device: torch.device) -> list[Any]:
    """What a frozen encoder's features follow from, besides the cines."""
    part, component = parts.plan.parts[role], parts.headers[role]
    if part.source == "weights":
        weights = sha256_of(weights_path(part, parts.plan, parts.registry))
    else:
        weights = f"seed {parts.plan.seed}"
    return [part.component, component.version, part.options, weights, device.type]
