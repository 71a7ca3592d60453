"""Synthetic records: what they come from, and that they may be trained on and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from cardionets_core.cohort.splits import NO_FOLD, ROLES, SPLITS, Assignment
from cardionets_core.errors import LeakageError

SYNTHETIC = "subject/synthetic"
PLACE_COLUMNS = ("subject/role", "subject/split", "subject/fold", "ecg/present")
SYNTHETIC_PLACE = Assignment("pretrain", "train", NO_FOLD)
_SHA256_SHOWN = 16


@dataclass(frozen=True, slots=True)
class SyntheticSource:
    """What synthetic subjects follow from; stored in the provenance of their cohort.

    Attributes:
        weights: Name of the generator's weights, without local folders.
        weights_sha256: Hash of their file.
        generator: Component, ``plugin:name``.
        licence: Licence of the weights; what is trained on the cohort takes it over.
        lineage: Steps of the weights as plain data, oldest first.
        seed: Seed of the draws.
        steps: Steps of the sampler; None for the generator's own.
        guidance: Strength of the guidance; None for the generator's own.
        factor: Synthetic subjects per real training subject with a cine.
        records: Synthetic records in all.
    """

    weights: str
    weights_sha256: str
    generator: str
    licence: str
    lineage: tuple[Mapping[str, Any], ...]
    seed: int
    steps: int | None
    guidance: float | None
    factor: int
    records: int

    def identity(self) -> dict[str, Any]:
        """What decides which subjects are drawn, as plain data."""
        names = ("weights_sha256", "seed", "steps", "guidance", "factor", "records")
        return {name: getattr(self, name) for name in names}

    def provenance(self) -> dict[str, Any]:
        """Everything, as plain data."""
        told = {"weights": self.weights, "generator": self.generator, "licence": self.licence}
        return {**told, **self.identity(), "lineage": [dict(step) for step in self.lineage]}

    def origin(self, index: int) -> str:
        """``synthetic/WEIGHTS/INDEX``, with the first digits of the weights' hash."""
        return f"synthetic/{self.weights_sha256[:_SHA256_SHOWN]}/{index}"

    def name_of(self, index: int) -> str:
        """What a subject's ids are made of; the same draw has the same name for any cohort."""
        drawn = (self.weights_sha256, self.seed, self.steps, self.guidance, index)
        return "/".join(str(part) for part in ("synthetic", *drawn))


def require_in_training(columns: Mapping[str, NDArray[Any]], path: str) -> None:
    """Require that synthetic records can be trained on and never be validated or tested on.

    Args:
        columns: ``SYNTHETIC`` and ``PLACE_COLUMNS`` as stored, (n,) each.
        path: The cohort, for the message.

    Raises:
        LeakageError: If one has another role, split or fold, or an ECG.
    """
    role, split, fold, has_ecg = (columns[name] for name in PLACE_COLUMNS)
    misplaced = columns[SYNTHETIC] & (
        (role != ROLES.index(SYNTHETIC_PLACE.role))
        | (split != SPLITS.index(SYNTHETIC_PLACE.split))
        | (fold != SYNTHETIC_PLACE.fold)
        | has_ecg
    )
    if misplaced.any():
        raise LeakageError(
            f"{path}: {int(misplaced.sum())} synthetic records stand outside the training split of "
            f"the role {SYNTHETIC_PLACE.role}, or have an ECG; they may only be trained on: make "
            "the file again with cardionets augment"
        )
