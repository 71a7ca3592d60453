"""Options of the autoencoder ``vae3d``; a size fills in whatever is not given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from cardionets_core.config import Options

Size = Literal["tiny", "small", "base"]
Perceptual = Literal["cmr-encoder", "lpips", "none"]
LatentScaling = Literal["unit-sd", "none"]

CANONICAL_FRAMES = 50
CANONICAL_SIDE = 96
# (T, H, W) that the convolutions of the discriminator leave something of.
SMALLEST_JUDGED = (4, 24, 24)

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "channels": 128, "multipliers": (1,), "patch": 8, "patch_frames": 2, "time_halvings": 0,
        "groups": 8, "encoder_blocks": 1, "decoder_blocks": 1, "attention": False,
        "linear_path": True,
    },
    "small": {
        "channels": 32, "multipliers": (1, 2, 4, 4), "patch": 1, "groups": 32,
        "encoder_blocks": 1, "decoder_blocks": 2, "attention": True,
    },
    "base": {
        "channels": 128, "multipliers": (1, 2, 4, 4), "patch": 1, "groups": 32,
        "encoder_blocks": 2, "decoder_blocks": 4, "attention": True,
    },
}  # fmt: skip


def _option(default: Any, unit: str | None, description: str, **limits: Any) -> Any:
    """One option with its unit and meaning."""
    extra: JsonDict | None = {"unit": unit} if unit else None
    return Field(default, description=description, json_schema_extra=extra, **limits)


class Vae3dConfig(Options):
    """Options of the 3D variational autoencoder and of its loss."""

    size: Size = _option("base", None, "fills every number of the networks that is not given")
    frame_start: int = _option(0, "frames", "first frame that is seen", ge=0)
    frame_step: int = _option(1, "frames", "distance between the frames that are seen", gt=0)
    spatial_pool: int = _option(
        1, "pixels", "side of the squares that are averaged into one pixel", gt=0
    )
    latent_channels: int = _option(16, "channels", "channels of a latent", gt=0)
    time_halvings: int = _option(
        1, None, "the last so many halvings in space halve the time too; f_t is 2 to this", ge=0
    )
    channels: int = _option(128, "channels", "channels at multiplier 1", gt=0)
    multipliers: tuple[int, ...] = _option(
        (1, 2, 4, 4),
        None,
        "channels of each level over `channels`; space is halved between levels",
        min_length=1,
    )
    patch: int = _option(
        1, "pixels", "side of the squares that are folded into channels at both ends", gt=0
    )
    patch_frames: int = _option(
        1, "frames", "frames that are folded into channels at both ends", gt=0
    )
    encoder_blocks: int = _option(2, "blocks", "residual blocks of a level of the encoder", gt=0)
    decoder_blocks: int = _option(4, "blocks", "residual blocks of a level of the decoder", gt=0)
    groups: int = _option(32, "groups", "groups of GroupNorm; they divide all channels", gt=0)
    attention: bool = _option(True, None, "attend over all positions at the lowest resolution")
    attention_heads: int = _option(
        8, "heads", "attention heads; they divide the channels of the last level", gt=0
    )

    linear_path: bool = _option(
        False,
        None,
        "tables of what all cines share and a linear map beside the networks: for models that are "
        "trained for minutes",
    )
    normalise_sampled: bool = _option(
        False, None, "bring every latent to mean 0 and SD 1 over all its entries before decoding"
    )
    latent_scaling: LatentScaling = _option(
        "unit-sd", None, "divide latents by their SD over the training cines, or leave them"
    )
    perceptual: Perceptual = _option(
        "cmr-encoder", None, "what compares cines besides their pixels"
    )
    perceptual_weight: float = _option(0.1, None, "weight of the perceptual distance", ge=0)
    perceptual_weights: str | None = _option(
        None, None, "safetensors file of VGG16 and LPIPS weights, for `perceptual = lpips`"
    )
    kl_weight: float = _option(
        1e-6, None, "weight of the KL divergence, a sum over the entries of a latent", ge=0
    )
    outlier_weight: float = _option(
        1.0, None, "weight of the penalty on pixels far brighter than their frame", ge=0
    )
    adversarial_weight: float = _option(
        0.0, None, "weight of the adversarial term; there is no discriminator at 0", ge=0
    )
    adversarial_start_step: int = _option(
        10_001, "steps", "training step from which the discriminator takes part", ge=0
    )
    discriminator_lr_scale: float = _option(
        0.1, None, "learning rate of the discriminator over that of the autoencoder", gt=0
    )

    @model_validator(mode="before")
    @classmethod
    def _resolve_size(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {**SIZES.get(str(given.get("size", "base")), {}), **given}

    @model_validator(mode="after")
    def _check_divisions(self) -> Self:
        if self.frame_start >= CANONICAL_FRAMES:
            raise ValueError(
                f"frame_start={self.frame_start}, but a cine has {CANONICAL_FRAMES} frames"
            )
        if self.time_halvings >= len(self.multipliers):
            raise ValueError(
                f"time_halvings={self.time_halvings}, but {len(self.multipliers)} levels have "
                f"{len(self.multipliers) - 1} halvings in between: change multipliers"
            )
        for name, whole, part in self._divisions():
            if whole % part:
                raise ValueError(f"{name}: {whole} is not a multiple of {part}; change one of them")
        smallest = SMALLEST_JUDGED
        if self.adversarial_weight > 0 and any(
            seen < needed for seen, needed in zip(self.cine_shape, smallest, strict=True)
        ):
            raise ValueError(
                f"the discriminator needs cines of at least {smallest}, and views are "
                f"{self.cine_shape}: change frame_step or spatial_pool, or set "
                "adversarial_weight to 0"
            )
        return self

    def _divisions(self) -> Iterator[tuple[str, int, int]]:
        """Numbers that must be multiples of others, by name."""
        frames, side, _ = self.cine_shape
        yield "96 pixels over spatial_pool", CANONICAL_SIDE, self.spatial_pool
        yield "50 frames over frame_step", CANONICAL_FRAMES, self.frame_step
        yield "frames that are seen over the time factor", frames, self.time_factor
        yield "pixels that are seen over the space factor", side, self.space_factor
        for level, channels in enumerate(self.level_channels):
            yield f"channels of level {level} over groups", channels, self.groups
        if self.attention:
            heads = self.attention_heads
            yield "channels of the last level over attention_heads", self.level_channels[-1], heads

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of each level, highest resolution first."""
        return tuple(self.channels * multiplier for multiplier in self.multipliers)

    @property
    def time_factor(self) -> int:
        """Frames per step of a latent, f_t."""
        return int(self.patch_frames * 2**self.time_halvings)

    @property
    def space_factor(self) -> int:
        """Pixels per side of a latent's cell, f_s."""
        return int(self.patch * 2 ** (len(self.multipliers) - 1))

    @property
    def cine_shape(self) -> tuple[int, int, int]:
        """(T, H, W) of the cines that it sees."""
        frames = len(range(self.frame_start, CANONICAL_FRAMES, self.frame_step))
        side = CANONICAL_SIDE // self.spatial_pool
        return frames, side, side

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """(C, t, h, w) of a latent."""
        frames, side, _ = self.cine_shape
        small = side // self.space_factor
        return self.latent_channels, frames // self.time_factor, small, small
