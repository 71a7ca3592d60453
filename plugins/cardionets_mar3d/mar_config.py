"""Options of masked autoregressive generation; a size fills in whatever is not given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic.config import JsonDict

from cardionets_core.config import Options
from cardionets_core.interfaces import Condition

Size = Literal["tiny", "small", "base"]
Sampler = Literal["diffusion", "flow"]
SamplingPrecision = Literal["auto", "32", "bf16"]

MAR_SIZES: dict[str, dict[str, int]] = {
    "tiny": {
        "width": 96, "depth": 3, "heads": 4,
        "decoder_width": 96, "decoder_depth": 3, "decoder_heads": 4,
        "denoiser_width": 128, "denoiser_depth": 2,
    },
    "small": {
        "width": 384, "depth": 6, "heads": 6,
        "decoder_width": 384, "decoder_depth": 6, "decoder_heads": 6,
        "denoiser_width": 512, "denoiser_depth": 3,
    },
    "base": {
        "width": 768, "depth": 12, "heads": 12,
        "decoder_width": 768, "decoder_depth": 12, "decoder_heads": 12,
        "denoiser_width": 1024, "denoiser_depth": 3,
    },
}  # fmt: skip


def _option(default: Any, unit: str | None, description: str, **limits: Any) -> Any:
    """One option with its unit and meaning."""
    extra: JsonDict | None = {"unit": unit} if unit else None
    return Field(default, description=description, json_schema_extra=extra, **limits)


class MarConfig(Options):
    """Options of masked autoregressive generation of the latent (Li et al., NeurIPS 2024)."""

    size: Size = _option("base", None, "fills every width, depth and head that is not given")
    condition: Condition = _option(
        "ecg", None, "pooled ECG feature, aligned embedding, or the 82 phenotypes"
    )

    latent_channels: int = _option(16, "channels", "channels of the autoencoder's latent", gt=0)
    latent_frames: int = _option(25, "latent frames", "frames of the latent", gt=0)
    latent_size: int = _option(12, "latent pixels", "side of the latent", gt=0)
    patch_frames: int = _option(5, "latent frames", "frames of the latent in one token", gt=0)
    patch_size: int = _option(2, "latent pixels", "side of the latent in one token", gt=0)

    width: int = _option(768, "features", "width of the encoder", gt=0)
    depth: int = _option(12, "blocks", "blocks of the encoder", gt=0)
    heads: int = _option(12, "heads", "attention heads of the encoder; they divide its width", gt=0)
    decoder_width: int = _option(768, "features", "width of the decoder", gt=0)
    decoder_depth: int = _option(12, "blocks", "blocks of the decoder", gt=0)
    decoder_heads: int = _option(12, "heads", "attention heads of the decoder", gt=0)
    mlp_ratio: float = _option(4.0, None, "hidden width of a block's MLP over its width", gt=0)
    denoiser_width: int = _option(1024, "features", "width of the MLP that draws a token", gt=0)
    denoiser_depth: int = _option(3, "blocks", "residual blocks of that MLP", gt=0)
    buffer_tokens: int = _option(
        1, "tokens", "tokens in front that all hold the condition: 1 in the paper, 64 in its code",
        gt=0,
    )  # fmt: skip
    dropout: float = _option(0.1, None, "dropout of attention and projections", ge=0, lt=1)

    mask_ratio: Literal["truncated-normal", "uniform"] = _option(
        "truncated-normal", None,
        "law of the hidden part of a training batch: normal of mean 1 and SD 0.25, or uniform",
    )  # fmt: skip
    mask_ratio_min: float = _option(0.7, None, "least hidden part in training", gt=0, le=1)
    label_drop: float = _option(
        0.1, None, "part of training samples that see no condition", ge=0, lt=1
    )
    diffusion_batch_mul: int = _option(
        4, "draws", "noise levels drawn per token and training step", gt=0
    )

    sampler: Sampler = _option("diffusion", None, "how a token is drawn: diffusion, or flow")
    train_steps: int = _option(1000, "steps", "steps of the diffusion in training", gt=1)
    sample_steps: int = _option(100, "steps", "steps of the diffusion in sampling", gt=0)
    flow_steps: int = _option(10, "steps", "steps of the flow in sampling", gt=0)
    flow_integrator: Literal["euler", "heun"] = _option(
        "heun", None, "how a flow is followed; heun looks twice a step"
    )
    flow_time: Literal["logit-normal", "uniform"] = _option(
        "uniform", None, "law of a flow's times in training"
    )
    iterations: int = _option(16, "iterations", "passes in which all tokens are drawn", gt=0)
    guidance: float = _option(
        3.0, None, "strength of the classifier-free guidance; 1 for none", ge=0, allow_inf_nan=False
    )
    guidance_schedule: Literal["constant", "linear"] = _option(
        "constant", None, "guidance over the iterations: constant, or growing from 1"
    )
    temperature: float = _option(
        1.0, None, "factor of the noise in sampling", ge=0, allow_inf_nan=False
    )
    sampling_precision: SamplingPrecision = _option(
        "auto", None, "numbers that sampling computes with; auto: bf16 where faster"
    )

    @model_validator(mode="before")
    @classmethod
    def _resolve_size(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {**MAR_SIZES.get(str(given.get("size", "base")), {}), **given}

    @field_validator("sampling_precision", mode="before")
    @classmethod
    def _as_text(cls, precision: object) -> object:
        """``--set generator.sampling_precision=32`` gives a number."""
        return str(precision) if isinstance(precision, int) else precision

    @model_validator(mode="after")
    def _check_divisions(self) -> Self:
        for name, whole, part in (
            ("latent_frames over patch_frames", self.latent_frames, self.patch_frames),
            ("latent_size over patch_size", self.latent_size, self.patch_size),
            ("width over heads", self.width, self.heads),
            ("decoder_width over decoder_heads", self.decoder_width, self.decoder_heads),
        ):
            if whole % part:
                raise ValueError(f"{name}: {whole} is not a multiple of {part}; change one of them")
        if self.sample_steps > self.train_steps:
            raise ValueError(
                f"sample_steps={self.sample_steps} is more than train_steps={self.train_steps}; "
                "lower the one or raise the other"
            )
        return self

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """(C, t, h, w) of a latent."""
        return self.latent_channels, self.latent_frames, self.latent_size, self.latent_size


class CpggConfig(MarConfig):
    """Options of generation from phenotypes, with a phenotype VAE that draws them."""

    condition: Literal["phenotypes"] = _option("phenotypes", None, "the 82 phenotypes")
    prior_width: int = _option(128, "features", "hidden width of the phenotype VAE", gt=0)
    prior_latent: int = _option(16, "features", "width of the phenotype VAE's latent", gt=0)
    prior_steps: int = _option(1500, "steps", "training steps of the phenotype VAE", gt=0)
    prior_lr: float = _option(2e-3, None, "highest learning rate of the phenotype VAE", gt=0)
    prior_components: int = _option(
        8, "normals", "mixture fitted to the phenotype VAE's latents; fewer for few subjects", gt=0
    )  # fmt: skip
