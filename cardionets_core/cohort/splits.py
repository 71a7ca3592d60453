"""Roles, splits and folds: drawn per subject from a hash, so that appending moves nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.roles import RoleConfig
from cardionets_core.errors import UsageError

ROLES: tuple[str, ...] = ("pretrain", "downstream")
SPLITS: tuple[str, ...] = ("train", "val", "test")
NO_FOLD = -1


class Draws(NamedTuple):
    """Uniform numbers in [0, 1) that settle a subject's role, split and fold."""

    role: float
    split: float
    fold: float


class Assignment(NamedTuple):
    """Where a subject belongs; ``fold`` is ``NO_FOLD`` for pretrain subjects."""

    role: str
    split: str
    fold: int


def draw(subject_key: str, seed: int) -> Draws:
    """Draw a subject's numbers from its key and a seed alone.

    They depend on the source's own id and not on the HMAC id, so that two people who prepare the
    same source with the same seed get the same splits although their keys differ.

    Args:
        subject_key: The source's own id of the person.
        seed: Seed of the cohort.
    """
    return Draws(*(_uniform(f"{seed}|{name}|{subject_key}") for name in Draws._fields))


class Asked(NamedTuple):
    """Where a source asks a record to be put; None where it leaves that to the draw."""

    role: str | None = None
    split: str | None = None


_NOTHING_ASKED = Asked()


def assign(draws: Draws, config: RoleConfig, asked: Asked = _NOTHING_ASKED) -> Assignment:
    """Turn a subject's draws into role, split and fold.

    Args:
        draws: The subject's uniform numbers.
        config: Shares and number of folds.
        asked: Role and split that the source asks for; they win over the draw.
    """
    role, split = asked
    if role is None and split == "test":
        role = "downstream"
    elif role is None:
        role = "pretrain" if draws.role < config.pretrain_fraction else "downstream"
    if role == "pretrain":
        drawn = "val" if draws.split < config.pretrain_val_fraction else "train"
        return Assignment(role, split or drawn, NO_FOLD)
    if draws.split < config.test_fraction:
        drawn = "test"
    else:
        drawn = "val" if draws.split < config.test_fraction + config.val_fraction else "train"
    return Assignment(role, split or drawn, int(draws.fold * config.folds))


def subject_folds(
    subject_ids: Sequence[str] | NDArray[np.str_],
    k: int,
    seed: int,
    strata: Sequence[object] | NDArray[np.generic] | None = None,
) -> NDArray[np.int64]:
    """Deal subjects into ``k`` folds of even size; all records of a subject share a fold.

    Subjects are shuffled by a hash of (seed, id), grouped by stratum, and dealt round robin, so
    that folds differ by at most one subject, and by at most one within each stratum.

    Args:
        subject_ids: Subject of each record, (n,).
        k: Number of folds.
        seed: Seed of the shuffle.
        strata: Class of each record, (n,); a subject belongs to the class of its first record.

    Returns:
        Fold of each record, (n,), in 0 .. k - 1.

    Raises:
        UsageError: If there are fewer subjects than folds, or strata of another length.
    """
    ids = [str(subject) for subject in subject_ids]
    classes = [""] * len(ids) if strata is None else [str(stratum) for stratum in strata]
    if len(classes) != len(ids):
        raise UsageError(f"found {len(classes)} strata for {len(ids)} records; needed one each")
    stratum_of: dict[str, str] = {}
    for subject, stratum in zip(ids, classes, strict=True):
        stratum_of.setdefault(subject, stratum)
    if not 2 <= k <= len(stratum_of):
        raise UsageError(
            f"cannot deal {len(stratum_of)} subjects into {k} folds; choose from 2 folds up to "
            f"one per subject"
        )
    dealt = sorted(stratum_of, key=lambda s: (stratum_of[s], _uniform(f"{seed}|folds|{s}"), s))
    fold_of = {subject: place % k for place, subject in enumerate(dealt)}
    return np.array([fold_of[subject] for subject in ids], dtype=np.int64)


def _uniform(text: str) -> float:
    """A number in [0, 1) from the first 53 bits of SHA-256."""
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 11) / 2.0**53
