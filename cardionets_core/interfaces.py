"""The contracts: Protocols, so that a plugin inherits nothing.

Shapes: B batch, L leads, S samples, N tokens, D and P widths, T frames, H and W pixels.
All components but datasets are ``torch.nn.Module`` objects. They are built as

    encoder, dataset   Target(config)
    autoencoder        Target(config)
    aligner            Target(config, ecg_dim=P_ecg, cmr_dim=P_cmr)
    generator          Target(config, condition_dim=C)
    head               Target(config, embed_dim=D, pooled_dim=P, outputs=n, target=kind)

An autoencoder or a generator that computes with another component declares it in
``ComponentSpec.needs`` and has a method ``use(ROLE=module, ...)``, which is called once after it is
built and filled. It must not register these modules as its own: they are saved beside it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from cardionets_core.ecg.record import EcgRecord

Role = Literal["pretrain", "downstream"]
Split = Literal["train", "val", "test"]
Condition = Literal["ecg", "ecg-projected", "phenotypes"]


def missing_members(built: object, contract: type) -> list[str]:
    """Attributes and methods that a contract asks for and an object lacks.

    The contracts are not made for ``isinstance``, which from Python 3.12 on does not see the
    buffers and parameters of a module.

    Args:
        built: The object.
        contract: One of the Protocols below.
    """
    methods = [n for n, value in vars(contract).items() if callable(value) and n[0] != "_"]
    missing = {name for name in inspect.get_annotations(contract) if not hasattr(built, name)}
    missing |= {name for name in methods if not callable(getattr(built, name, None))}
    return sorted(missing)


class Features(NamedTuple):
    """What an encoder returns: ``tokens`` (B, N, D) and ``pooled`` (B, P)."""

    tokens: Tensor
    pooled: Tensor


class LossAndLog(NamedTuple):
    """A scalar loss with its graph, and detached scalars worth logging.

    Tensors are read once an epoch, where a number would make every step wait for the device.
    """

    loss: Tensor
    log: Mapping[str, float | Tensor]


class Encoder(Protocol):
    """Signal or cine to token embeddings.

    ECG encoders take ``x`` (B, L, S) and also have ``sampling_rate_hz``, ``leads`` and
    ``num_samples``; ``lead_mask`` (B, L) or (L,) is True where a lead is present.
    CMR encoders take what their ``view(cine)`` makes of a canonical cine (B, 50, 96, 96) in
    [-1, 1]: fewer frames or pixels for a small model, or the cine itself.

    An encoder with a self-supervised objective also has ``pretext() -> PretextModel``.
    """

    embed_dim: int
    pooled_dim: int
    modality: Literal["ecg", "cmr"]

    def forward(self, x: Tensor, lead_mask: Tensor | None = None) -> Features:
        """Input (B, ...) to tokens (B, N, D) and a pooled vector (B, P)."""


class PretextModel(Protocol):
    """An encoder with what its self-supervised objective needs besides, such as a decoder.

    It is trained as a whole; only ``encoder`` is kept.
    """

    encoder: Encoder

    def forward(
        self, x: Tensor, *, noise: Tensor | None = None, lead_mask: Tensor | None = None
    ) -> LossAndLog:
        """Loss of a batch; ``noise`` (B, ...) replaces the uniform draw of the masking."""

    def noise_shape(self, x: Tensor) -> tuple[int, ...]:
        """Shape of ``noise`` for a batch, (B, ...)."""


class Aligner(Protocol):
    """What draws ECG embeddings to frozen CMR embeddings."""

    def fit(self, cmr_train: Tensor) -> None:
        """Fit PCA and sigma on the training split's CMR features (n, P); kept in the state."""

    def phi(self, cmr: Tensor) -> Tensor:
        """CMR features (B, P) to the space that pair weights are measured in, (B, K)."""

    def embed_ecg(self, features: Features) -> Tensor:
        """ECG features to unit-norm embeddings (B, E)."""

    def embed_cmr(self, pooled: Tensor) -> Tensor:
        """CMR pooled features (B, P) to unit-norm embeddings (B, E)."""

    def loss(self, ecg: Tensor, cmr: Tensor, phi: Tensor) -> LossAndLog:
        """Loss of embeddings (B, E), (B, E) and phi (B, K); gathers across processes."""


class Head(Protocol):
    """An encoder's features to a task's output.

    Targets are float tensors as ``cohort.targets.Targets`` has them: (B, outputs), 0 and 1 or in
    units, NaN where unknown; (B, 1) with the number of the class for a multi-class task.

    A head may also have ``fit(target)``, given the training targets (n, ...) alone before anything
    else, for what follows from them, such as a scaler kept in its state; and
    ``start(pooled, target, *, seed)``, given pooled features (n, P) of the untrained encoder too,
    to begin from a closed-form solution.
    """

    def forward(self, features: Features) -> Tensor:
        """Features to raw outputs (B, outputs)."""

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Scalar loss of raw outputs (B, outputs) against the target."""

    def predict(self, outputs: Tensor) -> Tensor:
        """Raw outputs to the task's own units: probabilities, or physical units."""


class Moments(NamedTuple):
    """A normal distribution of latents: mean and log-variance, (B, C, t, h, w) each."""

    mean: Tensor
    log_variance: Tensor


class Autoencoder(Protocol):
    """Cine to latent and back.

    Attributes:
        cine_shape: (T, H, W) of the cine that it works on.
        latent_shape: (C, t, h, w) of a latent.
        latent_scale: SD of the raw latents over the training cines, a scalar buffer, 1 until it
            is known. ``encode`` divides by it and ``decode`` multiplies, so that latents have
            unit SD outside.
    """

    cine_shape: tuple[int, int, int]
    latent_shape: tuple[int, int, int, int]
    latent_scale: Tensor

    def view(self, cine: Tensor) -> Tensor:
        """What it works on of canonical cines (B, 50, 96, 96) in [-1, 1]: (B, T, H, W)."""

    def restore(self, view: Tensor) -> Tensor:
        """Views (B, T, H, W) as canonical cines (B, 50, 96, 96), interpolated where smaller."""

    def encode(self, cine: Tensor) -> Moments:
        """Cine (B, 1, T, H, W) in [-1, 1] to moments of unit-SD latents."""

    def decode(self, z: Tensor) -> Tensor:
        """Unit-SD latents (B, C, t, h, w) to a cine (B, 1, T, H, W) in [-1, 1]."""

    def loss(self, cine: Tensor) -> LossAndLog:
        """Training loss of cines (B, 1, T, H, W); draws from torch's global generator."""

    def fit_scale(self, latent_sd: float) -> None:
        """Take the SD of the raw latents over the training cines, unless it works without."""


class Generator(Protocol):
    """Condition to cine.

    A generator may also have ``fit(condition, views)``, called once before training with the
    training conditions (n, C) and an iterable, which may be walked several times, of blocks of
    views (b, T, H, W) in the same order. One whose ``trained_by_steps`` is False is trained by
    that alone. One that can draw its own conditions has ``sample_condition(n, *, seed)``.

    Attributes:
        condition: What it is conditioned on: ``ecg``, the pooled feature of the ECG encoder;
            ``ecg-projected``, the aligned embedding; ``phenotypes``, the 82 in field order.
        cine_shape: (T, H, W) of what it draws.
        trained_by_steps: Whether ``loss`` trains it.
    """

    condition: Condition
    cine_shape: tuple[int, int, int]
    trained_by_steps: bool

    def view(self, cine: Tensor) -> Tensor:
        """What it draws of canonical cines (B, 50, 96, 96) in [-1, 1]: (B, T, H, W)."""

    def restore(self, view: Tensor) -> Tensor:
        """Views (B, T, H, W) as canonical cines (B, 50, 96, 96), interpolated where smaller."""

    def target(self, cine: Tensor) -> Tensor:
        """What the loss needs of cines (B, 1, T, H, W): (B, ...), without gradient; cached."""

    def loss(self, target: Tensor, condition: Tensor, *, noise: Any = None) -> LossAndLog:
        """Loss of targets (B, ...) given conditions (B, C).

        All randomness is in ``noise`` if given, of a type of the generator's own; else it comes
        from torch's global generator.
        """

    def sample(
        self,
        condition: Tensor,
        *,
        seed: int | Sequence[int],
        steps: int | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        """Draw cines (B, 1, T, H, W) in [-1, 1] for conditions (B, C).

        Args:
            condition: Conditions (B, C), on the generator's device.
            seed: One per record, or one from which each record's follows by its place; a record's
                cine does not depend on the others of its batch.
            steps: Steps of the sampler; its own number if None.
            guidance: Strength of the guidance, 1 for none; its own if None.

        Raises:
            UsageError: If steps or guidance make no sense.
        """


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """An ICD-10 code without dot and the day it was first recorded, counted from the visit.

    ``days_from_visit`` is negative before the visit and None where the source has no date.
    """

    icd10: str
    days_from_visit: int | None


@dataclass(frozen=True, slots=True)
class SubjectRef:
    """Where one record of one subject is to be found; small, and safe to send to a worker.

    Attributes:
        subject_key: The source's own id of the person. Never leaves ``prepare``.
        record_key: The source's own id of the record, unique in the source.
        location: Whatever ``Dataset.read`` needs to find it.
        role: Role that the source asks for, or None to have it drawn.
        origin: ``simulated/SEED/INDEX`` for simulated subjects, else empty.
        split: Split that the source asks for, or None to have it drawn. All records of a person
            must ask for the same. ``test`` makes the person ``downstream``.
    """

    subject_key: str
    record_key: str
    location: Any = None
    role: Role | None = None
    origin: str = ""
    split: Split | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One record of one subject.

    Attributes:
        subject_id: The person; the source's own id from a dataset, an HMAC id from a cohort.
        record_id: The record, likewise.
        ecg: The ECG, or None.
        cine: 4-chamber cine (T, H, W) uint8, or None.
        phenotypes: UK Biobank field id to value in the field's unit; absent where not measured.
        diagnoses: ICD-10 codes.
        sex: ``"female"``, ``"male"`` or None.
        age_years: Age at the visit, or None.
        role: ``"pretrain"`` or ``"downstream"``; set by the cohort.
        split: ``"train"``, ``"val"`` or ``"test"``; set by the cohort.
        attributes: Further columns of the source, by name.
        synthetic: True if a generator drew it and nobody is behind it; set by the cohort.
        diagnoses_known: False where the source has no diagnoses of this record at all, so that a
            code that is not there says nothing: no control of any task on diagnoses.
    """

    subject_id: str
    record_id: str
    ecg: EcgRecord | None
    cine: NDArray[np.uint8] | None = None
    phenotypes: Mapping[int, float] = field(default_factory=dict)
    diagnoses: tuple[Diagnosis, ...] = ()
    sex: Literal["female", "male"] | None = None
    age_years: float | None = None
    role: Role | None = None
    split: str | None = None
    attributes: Mapping[str, str | float] = field(default_factory=dict)
    synthetic: bool = False
    diagnoses_known: bool = True


@dataclass(frozen=True, slots=True)
class SelectionStep:
    """One step from everything that a source holds to the records that a dataset lists.

    Attributes:
        label: What is counted, e.g. ``"ECGs in the tree"``.
        records: How many are left after this step.
        subjects: How many persons they belong to; None where that is not known.
        excluded: What fell out on the way from the step before: reason to number of records.
    """

    label: str
    records: int
    subjects: int | None = None
    excluded: Mapping[str, int] = field(default_factory=dict)


class Dataset(Protocol):
    """What turns a source into the subjects of a cohort. Must pickle, for worker processes.

    A dataset may also have these two methods, which ``prepare`` asks for in its own process:

    ``selection() -> Sequence[SelectionStep]``
        How its listing came about, first step first; the last step counts what ``subjects()``
        lists. It goes into the report, in words without names, ids, paths or dates.
    ``withdrawn_subjects() -> Iterable[str]``
        Subject keys of people who withdrew. ``subjects()`` must not list them; ``prepare`` also
        takes them out of a cohort that it extends.
    """

    def subjects(self) -> Iterable[SubjectRef]:
        """Every record of the source, cheaply and in a stable order."""

    def read(self, ref: SubjectRef) -> Subject:
        """Read one record.

        Raises:
            CardionetsError: If it cannot be read; the cohort quarantines it with this reason.
        """
