"""From a plan to a stage: models with their weights, data, and what they descend from."""

from __future__ import annotations

import numpy as np
import torch
from rich.console import Console

from cardionets_core.cohort.guard import Fingerprints, refuse_overlap
from cardionets_core.cohort.reader import Cohort
from cardionets_core.errors import PluginError
from cardionets_core.registry import Registry
from cardionets_core.train.align import AlignmentModel, AlignStage
from cardionets_core.train.building import (
    BuiltStage,
    Parts,
    built_stage,
    cine_source,
    ecg_source,
    frozen_key,
    require_view,
    seed_weights,
)
from cardionets_core.train.cine_source import CineSource, frozen_features
from cardionets_core.train.cohorts import preparing_progress
from cardionets_core.train.downstream_building import build_downstream, check_downstream
from cardionets_core.train.ecg_source import EcgSource
from cardionets_core.train.generation_building import build_autoencoding, build_generation
from cardionets_core.train.plan import Plan
from cardionets_core.train.pretrain import PretrainStage
from cardionets_core.train.rows import shuffled_pairs, usable_rows


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
    if plan.stage == "autoencoding":
        return build_autoencoding(parts, cohort, console)
    if plan.stage == "generation":
        return build_generation(parts, cohort, device, console)
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
            frozen_key(parts, "cmr_encoder", device),
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
