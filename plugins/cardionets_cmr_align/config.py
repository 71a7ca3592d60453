"""Options of the aligners. Imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from cardionets_core.config import Options


class InfoNceConfig(Options):
    """Options of plain InfoNCE alignment."""

    projection_dim: int = Field(
        256,
        gt=0,
        description="width of the shared embedding; one linear projection per side, both trained",
        json_schema_extra={"unit": "dimensions"},
    )
    temperature: float = Field(
        0.07, gt=0, description="temperature, or where it starts when it is learnable"
    )
    learnable_temperature: bool = Field(True, description="train the temperature")
    temperature_floor: float = Field(
        0.01, ge=0, description="what a learnable temperature stays above; not read otherwise"
    )
    standardise_cmr: bool = Field(
        True,
        description=(
            "centre CMR features and divide them by one global SD, both of the training split, "
            "before their projection"
        ),
    )

    @model_validator(mode="after")
    def _starts_above_its_floor(self) -> Self:
        if self.learnable_temperature and self.temperature <= self.temperature_floor:
            raise ValueError(
                f"temperature {self.temperature} is not above temperature_floor "
                f"{self.temperature_floor}; raise the one or lower the other"
            )
        return self


class WeightedInfoNceConfig(InfoNceConfig):
    """Options of InfoNCE alignment with phenotype-aware weights."""

    pca_components: int = Field(
        128,
        gt=0,
        description=(
            "principal components of the CMR features that pair weights are measured in; "
            "fewer where subjects or dimensions are fewer"
        ),
        json_schema_extra={"unit": "dimensions"},
    )
    whiten: bool = Field(False, description="give every principal component unit variance")
    sigma: PositiveFloat | Literal["median"] = Field(
        "median",
        description=("distance at which a negative weighs 0.63; 'median': that of training pairs"),
        json_schema_extra={"unit": "distance of CMR features"},
    )
