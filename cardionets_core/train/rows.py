"""Which rows of a cohort a stage is trained and validated on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.reader import Cohort
from cardionets_core.errors import TrainingError
from cardionets_core.train.order import seed_of
from cardionets_core.train.plan import Plan

# With no validation subject at all (a handful of records), every tenth training subject serves.
_BORROWED_EVERY = 10


def usable_rows(plan: Plan, cohort: Cohort) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Training and validation rows of a stage, of the role ``pretrain``.

    Raises:
        TrainingError: If there are too few.
    """
    with_ecg, with_cine = _reads_ecg(plan), plan.stage != "ecg-pretraining"
    train, val = (
        cohort.select(role="pretrain", split=split, with_ecg=with_ecg, with_cine=with_cine)
        for split in ("train", "val")
    )
    if by_phenotypes(plan):
        train, val = with_phenotypes(cohort, train), with_phenotypes(cohort, val)
    if not len(val):
        train, val = _borrowed(train, cohort)
    if len(train) < 2 or not len(val):
        needed = " and ".join(
            name
            for name, wanted in (
                ("ECG", with_ecg),
                ("cine", with_cine),
                ("all phenotypes", by_phenotypes(plan)),
            )
            if wanted
        )
        raise TrainingError(
            f"{cohort.path}: {len(train) + len(val)} usable records with {needed} and the role "
            "pretrain; at least 3, of 2 subjects or more, are needed: see `cardionets inspect`, "
            "or prepare more"
        )
    return _and_synthetic(plan, cohort, train), val


def _and_synthetic(plan: Plan, cohort: Cohort, train: NDArray[np.int64]) -> NDArray[np.int64]:
    """Training rows with those of synthetic cines, where a CMR encoder is pre-trained.

    Added after the validation rows are set apart, so that no synthetic row is lent to them.
    """
    if plan.stage != "cmr-pretraining":
        return train
    drawn = cohort.select(role="pretrain", split="train", with_cine=True, synthetic=True)
    return np.concatenate([train, drawn])


def with_phenotypes(cohort: Cohort, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the rows whose 82 phenotypes are all there."""
    phenotypes = cohort.phenotypes[rows]
    return rows[np.isfinite(phenotypes).sum(axis=1) == phenotypes.shape[1]]


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


def _reads_ecg(plan: Plan) -> bool:
    """Whether every row has to have an ECG."""
    return plan.stage not in ("cmr-pretraining", "autoencoding") and not by_phenotypes(plan)


def by_phenotypes(plan: Plan) -> bool:
    """Whether a generator is conditioned on phenotypes."""
    generator = plan.parts.get("generator")
    return generator is not None and generator.options.get("condition") == "phenotypes"


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
