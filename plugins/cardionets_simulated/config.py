"""Options of the simulated dataset. Imports no numpy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cardionets_core.config import Options

Prevalence = Literal["ukb", "demo", "enriched"]


class SimulatedConfig(Options):
    """Options of the simulated cohort; with an index they decide everything about a subject."""

    subjects: int = Field(2000, ge=1, description="how many subjects")
    seed: int = Field(
        0, ge=0, description="seed of the simulator; those from 1000000 on are for shipped weights"
    )
    prevalence: Prevalence = Field("ukb", description="how common the diseases are")
    pretrain_subjects: int | None = Field(
        None, ge=0, description="the first so many have the role pretrain; drawn if none is given"
    )
    enriched_subjects: int = Field(
        0, ge=0, description="the last so many have the prevalence enriched"
    )
    strain_noise_scale: float = Field(
        1.0,
        ge=0,
        le=10,
        description="noise of measured segment strains; 2.8 gives UK Biobank's SDs",
    )
    late_fraction: float = Field(
        0.01, ge=0, le=1, description="share of diagnoses first dated after the visit"
    )

    @model_validator(mode="after")
    def _groups_fit(self) -> Self:
        grouped = (self.pretrain_subjects or 0) + self.enriched_subjects
        if grouped > self.subjects:
            raise ValueError(
                f"pretrain_subjects and enriched_subjects are {grouped} together, but there are "
                f"{self.subjects} subjects"
            )
        return self
