"""``augment``: synthetic subjects beside a cohort's own, for the pre-training of CMR encoders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cardionets_core.cmr.phenotypes import FIELD_IDS
from cardionets_core.cohort.augmenting import AugmentReport, augment_cohort, refuse_target
from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.layout import CINE_SHAPE
from cardionets_core.cohort.reader import Cohort, open_cohort
from cardionets_core.cohort.synthetic import SyntheticSource
from cardionets_core.errors import CohortError, LeakageError, PluginError, TrainingError, UsageError
from cardionets_core.generate.loading import LoadedGenerator
from cardionets_core.train.order import seed_of
from cardionets_core.weights.ancestry import FINGERPRINTS_FILE, ancestry_of
from cardionets_core.weights.atomic import sha256_of
from cardionets_core.weights.lineage import public_command


@dataclass(frozen=True, slots=True)
class AugmentRequest:
    """How much to draw, and how.

    Attributes:
        factor: Synthetic subjects per real training subject with a cine; the paper's 500 % is 5.
        seed: Every draw follows from it and from the number of the synthetic subject.
        steps: Steps of the sampler; None for the generator's own.
        guidance: Strength of the guidance; None for the generator's own.
        batch_size: Subjects that are drawn at a time.
    """

    factor: int = 5
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    batch_size: int = 64

    def __post_init__(self) -> None:
        for name in ("factor", "batch_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} = {getattr(self, name)}; needed 1 or more")


def augment(
    loaded: LoadedGenerator,
    cohort_path: Path,
    out: Path,
    request: AugmentRequest | None = None,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> AugmentReport:
    """Write a cohort's records and synthetic ones into a new cohort.

    A synthetic record has phenotypes that the generator drew, a cine that it drew from them, and
    the training split of the role ``pretrain``. An interrupted call is taken up by the same call,
    and gives what an uninterrupted one gives.

    Args:
        loaded: A generator that draws its own phenotypes.
        cohort_path: The cohort to augment.
        out: The cohort to make; must not exist.
        request: How much to draw; None for five times the training subjects.
        progress: Called with the subjects drawn and those to draw.

    Raises:
        UsageError: If the generator draws no phenotypes, or the sampler cannot be used so.
        LeakageError: If the generator has seen subjects whom this cohort holds back.
        CohortError: If nobody can be augmented, or the file cannot be written.
    """
    request = request or AugmentRequest()
    require_own_conditions(loaded)
    seen = ancestry_of(loaded.path, loaded.header)
    with open_cohort(cohort_path) as cohort:
        refuse_target(cohort, out)
        people = training_subjects(cohort)
        refuse_held_out(seen, cohort)
        report = augment_cohort(
            cohort,
            out,
            _source(loaded, request, request.factor * people),
            seen,
            _Drawing(loaded, request),
            block_records=request.batch_size,
            progress=progress,
        )
    return replace(report, notes=_notes(loaded))


def require_own_conditions(loaded: LoadedGenerator) -> None:
    """Require a generator that draws the phenotypes that it draws cines from.

    Raises:
        UsageError: If it does not.
    """
    if hasattr(loaded.generator, "sample_condition") and loaded.condition == "phenotypes":
        return
    component = loaded.header.part("generator").component
    raise UsageError(
        f"{loaded.name} is {component}, which draws from {loaded.condition} that somebody has to "
        "have; needed a generator that draws its own phenotypes, such as cpgg: "
        "cardionets train --generator cpgg"
    )


def training_subjects(cohort: Cohort) -> int:
    """Real subjects with a cine in the training split of the role ``pretrain``.

    Raises:
        CohortError: If there is none.
    """
    rows = cohort.select(role="pretrain", split="train", with_cine=True)
    if not len(rows):
        raise CohortError(
            f"{cohort.path} has no training subject with a cine and the role pretrain, and these "
            "are what is augmented; see cardionets inspect"
        )
    return len(np.unique(cohort.subject_ids[rows]))


def refuse_held_out(seen: Fingerprints, cohort: Cohort) -> None:
    """Refuse a generator that would carry held-out subjects into training.

    Downstream and test subjects must not have been seen at all. Validation subjects of the role
    ``pretrain`` may have told it when to stop, as they do, but not have been trained on.

    Raises:
        LeakageError: If the lineage has seen any of them.
    """
    pretrain, val = cohort.roles == "pretrain", cohort.splits == "val"
    held_out = np.flatnonzero(~pretrain | (cohort.splits == "test"))
    validation = np.flatnonzero(pretrain & val)
    used = seen.overlap(cohort, held_out).rows
    fitted = seen.trained_on.overlap(cohort, validation).rows
    if not len(used) and not len(fitted):
        return
    first = cohort.record_ids[np.concatenate([used, fitted])[0]]
    raise LeakageError(
        f"cannot augment {cohort.path}: the generator or its ancestors have seen {len(used)} of "
        f"its {len(held_out)} downstream and test records, and been trained on {len(fitted)} of "
        f"its {len(validation)} validation records (record {first} first), whom its cines would "
        f"carry into training; use a generator that was trained on this cohort alone, with "
        f"--cohort {cohort.path.name}"
    )


def _source(loaded: LoadedGenerator, request: AugmentRequest, records: int) -> SyntheticSource:
    return SyntheticSource(
        weights=public_command([loaded.name]),
        weights_sha256=sha256_of(loaded.path),
        generator=loaded.header.part("generator").component,
        licence=loaded.header.licence,
        lineage=tuple(step.model_dump(mode="json") for step in loaded.header.lineage),
        seed=request.seed,
        steps=request.steps,
        guidance=request.guidance,
        factor=request.factor,
        records=records,
    )


def _notes(loaded: LoadedGenerator) -> tuple[str, ...]:
    """What the guard could not look at."""
    patients = any(not step.simulated for step in loaded.header.lineage)
    if (loaded.path.parent / FINGERPRINTS_FILE).exists() or not patients:
        return ()
    return (
        f"{loaded.name} does not tell which patients it was trained on: whether any of them is "
        "held out in this cohort could not be checked",
    )


class _Drawing:
    """Draws synthetic subjects by their numbers; each follows from its own seeds alone."""

    def __init__(self, loaded: LoadedGenerator, request: AugmentRequest) -> None:
        self._loaded, self._request = loaded, request

    @torch.no_grad()
    def __call__(self, numbers: range) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Phenotypes (b, 82) and cines (b, 50, 96, 96).

        Raises:
            PluginError: If the generator gives something of another shape.
            TrainingError: If it gives something that is not finite.
        """
        loaded, seed = self._loaded, self._request.seed
        phenotypes = torch.cat(
            [
                loaded.generator.sample_condition(1, seed=seed_of(seed, "phenotypes", number)).cpu()
                for number in numbers
            ]
        ).float()
        self._check("phenotypes", phenotypes, (len(numbers), len(FIELD_IDS)))
        views = loaded.sample(
            phenotypes,
            seeds=[seed_of(seed, "cine", number) for number in numbers],
            steps=self._request.steps,
            guidance=self._request.guidance,
            batch_size=len(numbers),
        )
        cines = loaded.generator.restore(views).float()
        self._check("cines", cines, (len(numbers), *CINE_SHAPE))
        return phenotypes.numpy(), _as_uint8(cines)

    def _check(self, what: str, drawn: Tensor, shape: tuple[int, ...]) -> None:
        name = self._loaded.name
        if tuple(drawn.shape) != shape:
            raise PluginError(f"{name} drew {what} of shape {tuple(drawn.shape)}; needed {shape}")
        if not torch.isfinite(drawn).all():
            raise TrainingError(
                f"{name} drew {what} that are not finite, so they are not stored; train it longer "
                "or with a smaller learning rate, or draw with a smaller guidance"
            )


def _as_uint8(cines: Tensor) -> NDArray[np.uint8]:
    """Cines in [-1, 1] as they are stored: the inverse of ``x / 127.5 - 1``."""
    levels = cines.add(1.0).mul(127.5).round().clamp(0, 255)
    return np.asarray(levels.to(torch.uint8).numpy())
