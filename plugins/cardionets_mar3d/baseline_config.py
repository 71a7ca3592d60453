"""Options of the baselines of generation. Imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cardionets_core.config import Options


class ViewOptions(Options):
    """What a baseline that works on pixels sees of a canonical cine (50, 96, 96)."""

    frame_start: int = Field(
        0,
        ge=0,
        lt=50,
        description="first frame that is seen",
        json_schema_extra={"unit": "frames"},
    )
    frame_step: int = Field(
        1,
        gt=0,
        description="distance between the frames that are seen; it divides 50",
        json_schema_extra={"unit": "frames"},
    )
    spatial_pool: int = Field(
        1,
        gt=0,
        description="side of the squares that are averaged into one pixel; it divides 96",
        json_schema_extra={"unit": "pixels"},
    )

    @model_validator(mode="after")
    def _divides_the_cine(self) -> Self:
        if 50 % self.frame_step or self.frame_start >= self.frame_step:
            raise ValueError(
                f"frame_start={self.frame_start} and frame_step={self.frame_step} do not spread "
                "frames evenly over 50; choose a step that divides 50 and a start below it"
            )
        if 96 % self.spatial_pool:
            raise ValueError(
                f"spatial_pool={self.spatial_pool} does not divide 96 pixels; choose 1, 2, 3, 4, "
                "6, 8 or 12"
            )
        return self


class MeanCineConfig(ViewOptions):
    """Options of the mean training cine."""


class NearestCineConfig(ViewOptions):
    """Options of the cine of the most similar training subject."""

    condition: Literal["ecg", "ecg-projected"] = Field(
        "ecg", description="compare pooled features of the ECG encoder, or aligned embeddings"
    )
    bank_size: int = Field(
        4096,
        gt=0,
        description=(
            "most training subjects that are kept, drawn by the run's seed; their cines lie in the "
            "weights, which may be shared only as the cines themselves may"
        ),
        json_schema_extra={"unit": "subjects"},
    )


class CrossAeConfig(Options):
    """Options of the cross-modal autoencoder and of its loss."""

    condition: Literal["ecg", "ecg-projected"] = Field(
        "ecg", description="translate pooled features of the ECG encoder, or aligned embeddings"
    )
    latent_channels: int = Field(
        16,
        gt=0,
        description="channels of the autoencoder's latent",
        json_schema_extra={"unit": "channels"},
    )
    latent_frames: int = Field(
        25, gt=0, description="frames of the latent", json_schema_extra={"unit": "latent frames"}
    )
    latent_size: int = Field(
        12, gt=0, description="side of the latent", json_schema_extra={"unit": "latent pixels"}
    )
    shared_dim: int = Field(
        128,
        gt=0,
        description="width of the embedding that both modalities share",
        json_schema_extra={"unit": "dimensions"},
    )
    channels: int = Field(
        64,
        gt=0,
        multiple_of=8,
        description="channels of the convolutions on the latent",
        json_schema_extra={"unit": "channels"},
    )
    levels: int = Field(
        2, ge=0, description="how often the latent is halved in time and space before it is one row"
    )
    hidden: int = Field(
        512,
        gt=0,
        description="width of the hidden layers on the condition's side",
        json_schema_extra={"unit": "features"},
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout on the condition's side")
    temperature: float = Field(0.1, gt=0, description="temperature of the contrastive term")
    cine_weight: float = Field(
        1.0, gt=0, description="weight of the latent reconstructed from the cine's own embedding"
    )
    cross_weight: float = Field(
        1.0, gt=0, description="weight of the latent reconstructed from the condition's embedding"
    )
    condition_weight: float = Field(
        0.1, ge=0, description="weight of the condition reconstructed from its own embedding"
    )
    contrastive_weight: float = Field(
        0.1, ge=0, description="weight of the contrastive term between the two embeddings"
    )

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """(C, t, h, w) of a latent."""
        return self.latent_channels, self.latent_frames, self.latent_size, self.latent_size
