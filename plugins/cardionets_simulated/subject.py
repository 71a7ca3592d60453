"""Simulated subjects: one by one, or many that share the vectorised part of the work."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cardionets_simulated.cine import ALL_FRAMES, simulate_cine
from cardionets_simulated.diagnoses import LATE_FRACTION, Diagnosis, simulate_diagnoses
from cardionets_simulated.ecg import SimulatedEcg, simulate_ecg
from cardionets_simulated.ecg_parameters import EcgParameters, ecg_parameters
from cardionets_simulated.phenotypes import simulate_phenotypes
from cardionets_simulated.physiology import Latents, simulate_latents
from cardionets_simulated.streams import Array
from cardionets_simulated.version import SIMULATOR_VERSION


@dataclass(frozen=True, eq=False)
class SimulatedSubject:
    """One simulated subject; a function of its first four attributes and of nothing else.

    Attributes:
        seed: The cohort's seed.
        index: The subject's index.
        prevalence: Prevalence preset.
        version: SIMULATOR_VERSION that made it.
        sex: "male" or "female".
        age_years: Age at the visit.
        height_cm: Height.
        bmi: Body mass index in kg/m2.
        ecg_mv: (12, 5000) float32 at 500 Hz, leads I, II, III, aVR, aVL, aVF, V1..V6.
        cine: (frames, 96, 96) uint8, 4-chamber view, 2.2 mm pixels.
        phenotypes: UK Biobank fields 24100..24181 in their units, (82,) float64.
        diagnoses: ICD-10 codes with first dates in days from the visit.
        latents: The hidden truth, scalars; never an input of a model.
    """

    seed: int
    index: int
    prevalence: str
    version: int
    sex: Literal["male", "female"]
    age_years: float
    height_cm: float
    bmi: float
    ecg_mv: NDArray[np.float32]
    cine: NDArray[np.uint8]
    phenotypes: Array
    diagnoses: tuple[Diagnosis, ...]
    latents: Latents


class SubjectBatch:
    """Some subjects of a cohort, computed piece by piece and only when asked for.

    Latents come at once for all subjects (microseconds each); an ECG takes milliseconds, a cine ten
    times as long. Every piece is bit-equal to that of the subject alone.
    """

    def __init__(
        self,
        seed: int,
        indices: Sequence[int] | NDArray[np.int64],
        prevalence: str = "ukb",
        *,
        strain_noise_scale: float = 1.0,
        late_fraction: float = LATE_FRACTION,
    ) -> None:
        self.seed = seed
        self.indices = tuple(int(index) for index in indices)
        self.prevalence = prevalence
        self.strain_noise_scale = strain_noise_scale
        self.late_fraction = late_fraction
        self.latents = simulate_latents(seed, self.indices, prevalence)

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def phenotypes(self) -> Array:
        """UK Biobank fields 24100..24181 of every subject, (n, 82)."""
        return simulate_phenotypes(self.seed, self.indices, self.latents, self.strain_noise_scale)

    @cached_property
    def ecg_parameters(self) -> EcgParameters:
        """What shapes each ECG; each field (n,)."""
        return ecg_parameters(self.latents)

    def ecg(self, position: int, *, clean: bool = False) -> SimulatedEcg:
        """The ECG of the subject at a position, with its true R instants."""
        return simulate_ecg(
            self.seed,
            self.indices[position],
            self.ecg_parameters.subject(position),
            heart=self.latents.heart.subject(position),
            disease=self.latents.disease.subject(position),
            clean=clean,
        )

    def cine(self, position: int, frames: tuple[int, ...] = ALL_FRAMES) -> NDArray[np.uint8]:
        """The cine of the subject at a position, (frames, 96, 96)."""
        index = self.indices[position]
        return simulate_cine(self.seed, index, self.latents.subject(position), frames)

    def diagnoses(self, position: int) -> tuple[Diagnosis, ...]:
        """The diagnoses of the subject at a position."""
        disease = self.latents.disease.subject(position)
        return simulate_diagnoses(self.seed, self.indices[position], disease, self.late_fraction)

    def subject(self, position: int, frames: tuple[int, ...] = ALL_FRAMES) -> SimulatedSubject:
        """Everything about the subject at a position."""
        latents = self.latents.subject(position)
        return SimulatedSubject(
            seed=self.seed,
            index=self.indices[position],
            prevalence=self.prevalence,
            version=SIMULATOR_VERSION,
            sex="male" if latents.body.male else "female",
            age_years=float(latents.body.age_years),
            height_cm=float(latents.body.height_cm),
            bmi=float(latents.body.bmi),
            ecg_mv=self.ecg(position).signal_mv,
            cine=self.cine(position, frames),
            phenotypes=self.phenotypes[position],
            diagnoses=self.diagnoses(position),
            latents=latents,
        )


def simulate(
    seed: int,
    index: int,
    prevalence: str = "ukb",
    *,
    frames: tuple[int, ...] = ALL_FRAMES,
    strain_noise_scale: float = 1.0,
    late_fraction: float = LATE_FRACTION,
) -> SimulatedSubject:
    """Compute one simulated subject.

    Args:
        seed: The cohort's seed; seeds from FIRST_RESERVED_SEED on belong to shipped weights.
        index: The subject's index, from 0.
        prevalence: Prevalence preset: "ukb", "demo" or "enriched".
        frames: Frames of the cine to render.
        strain_noise_scale: Multiplies the noise of segment strains.
        late_fraction: Share of diagnoses whose first date lies after the visit.

    Returns:
        The subject.

    Raises:
        ValueError: If an argument is out of range.
    """
    noise = {"strain_noise_scale": strain_noise_scale, "late_fraction": late_fraction}
    return SubjectBatch(seed, [index], prevalence, **noise).subject(0, frames)
