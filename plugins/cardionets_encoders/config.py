"""Options of the two encoders; a size fills in whatever is not given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from cardionets_core.config import Options
from cardionets_core.ecg.canonical import CANONICAL_LEADS

Size = Literal["tiny", "small", "base"]
Pooling = Literal["cls", "cls-before-norm", "flatten"]

STMEM_SIZES: dict[str, dict[str, int]] = {
    "tiny": {
        "width": 64, "depth": 2, "heads": 2, "head_dim": 32,
        "decoder_width": 32, "decoder_depth": 1, "decoder_heads": 2, "decoder_head_dim": 16,
    },
    "small": {
        "width": 384, "depth": 12, "heads": 6, "head_dim": 64,
        "decoder_width": 256, "decoder_depth": 4, "decoder_heads": 4, "decoder_head_dim": 64,
    },
    "base": {
        "width": 768, "depth": 12, "heads": 12, "head_dim": 64,
        "decoder_width": 256, "decoder_depth": 4, "decoder_heads": 4, "decoder_head_dim": 64,
    },
}  # fmt: skip

VIT_CMR_SIZES: dict[str, dict[str, int]] = {
    "tiny": {
        "width": 64, "depth": 2, "heads": 2,
        "decoder_width": 32, "decoder_depth": 1, "decoder_heads": 2,
    },
    "small": {
        "width": 384, "depth": 12, "heads": 6,
        "decoder_width": 512, "decoder_depth": 8, "decoder_heads": 16,
    },
    "base": {
        "width": 768, "depth": 12, "heads": 12,
        "decoder_width": 512, "decoder_depth": 8, "decoder_heads": 16,
    },
}  # fmt: skip


def _option(default: Any, unit: str | None, description: str, **limits: Any) -> Any:
    """One option with its unit and meaning."""
    extra: JsonDict | None = {"unit": unit} if unit else None
    return Field(default, description=description, json_schema_extra=extra, **limits)


def _fill(given: Any, sizes: Mapping[str, Mapping[str, int]]) -> Any:
    """Put the numbers of the named size below those that are given."""
    if not isinstance(given, Mapping):
        return given
    return {**sizes.get(str(given.get("size", "base")), {}), **given}


def kept_patches(patches: int, mask_ratio: float) -> int:
    """How many of ``patches`` stay visible: ``int(patches * (1 - mask_ratio))``, as MAE counts."""
    return int(patches * (1 - mask_ratio))


def _check_mask(patches: int, mask_ratio: float) -> None:
    """Refuse a mask that hides nothing or everything."""
    kept = kept_patches(patches, mask_ratio)
    if not 0 < kept < patches:
        raise ValueError(
            f"mask_ratio={mask_ratio} keeps {kept} of {patches} patches; "
            "at least one must stay and one be hidden: change mask_ratio or the patch size"
        )


class StMemConfig(Options):
    """Options of the ST-MEM encoder (Na et al., ICLR 2024) and of its masked pre-training."""

    size: Size = _option("base", None, "fills every width, depth and head that is not given")
    width: int = _option(768, "features", "width of a token", gt=0, multiple_of=2)
    depth: int = _option(12, "blocks", "transformer blocks", gt=0)
    heads: int = _option(12, "heads", "attention heads", gt=0)
    head_dim: int = _option(64, "features", "width of one attention head", gt=0)
    mlp_ratio: float = _option(4.0, None, "hidden width of a block's MLP over its width", gt=0)
    patch_samples: int = _option(75, "samples", "samples of one lead per patch", gt=1)
    num_samples: int = _option(2250, "samples", "longest input, a multiple of the patch", gt=0)
    sampling_rate_hz: int = _option(250, "Hz", "sampling rate of the input", gt=0)
    leads: tuple[str, ...] = _option(
        CANONICAL_LEADS, None, "leads in the order of the input's rows", min_length=1
    )
    mask_ratio: float = _option(
        0.75, None, "part of each lead's patches hidden in pre-training", gt=0, lt=1
    )
    decoder_width: int = _option(
        256, "features", "width of the pre-training decoder", gt=0, multiple_of=2
    )
    decoder_depth: int = _option(4, "blocks", "blocks of the pre-training decoder", gt=0)
    decoder_heads: int = _option(4, "heads", "attention heads of the pre-training decoder", gt=0)
    decoder_head_dim: int = _option(64, "features", "width of one decoder head", gt=0)
    normalise_targets: bool = _option(
        True, None, "reconstruct patches of zero mean and unit variance"
    )

    @model_validator(mode="before")
    @classmethod
    def _resolve_size(cls, given: Any) -> Any:
        return _fill(given, STMEM_SIZES)

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.num_samples % self.patch_samples:
            raise ValueError(
                f"num_samples={self.num_samples} is not a multiple of "
                f"patch_samples={self.patch_samples}: change one of them"
            )
        if len(set(self.leads)) != len(self.leads):
            raise ValueError(f"leads names a lead twice: {', '.join(self.leads)}")
        _check_mask(self.patches_per_lead, self.mask_ratio)
        return self

    @property
    def patches_per_lead(self) -> int:
        """Patches of one lead at full length."""
        return self.num_samples // self.patch_samples


class VitCmrConfig(Options):
    """Options of the cine encoder (ViT, frames as channels) and of its masked pre-training."""

    size: Size = _option("base", None, "fills every width, depth and head that is not given")
    width: int = _option(768, "features", "width of a token", gt=0, multiple_of=4)
    depth: int = _option(12, "blocks", "transformer blocks", gt=0)
    heads: int = _option(12, "heads", "attention heads; they divide the width", gt=0)
    mlp_ratio: float = _option(4.0, None, "hidden width of a block's MLP over its width", gt=0)
    image_size: int = _option(96, "pixels", "side of the canonical cine", gt=0)
    frames: int = _option(50, "frames", "frames of the canonical cine", gt=0)
    frame_start: int = _option(0, "frames", "first frame that is seen", ge=0)
    frame_step: int = _option(1, "frames", "distance between the frames that are seen", gt=0)
    spatial_pool: int = _option(
        1, "pixels", "side of the squares that are averaged into one pixel", gt=0
    )
    patch: int = _option(16, "pixels", "side of a patch, in pixels after averaging", gt=0)
    pooling: Pooling = _option(
        "cls", None, "pooled feature: CLS token after or before the norm, or all patches in a row"
    )
    mask_ratio: float = _option(
        0.75, None, "part of the spatial patches hidden in pre-training", gt=0, lt=1
    )
    decoder_width: int = _option(
        512, "features", "width of the pre-training decoder", gt=0, multiple_of=4
    )
    decoder_depth: int = _option(8, "blocks", "blocks of the pre-training decoder", gt=0)
    decoder_heads: int = _option(16, "heads", "attention heads of the pre-training decoder", gt=0)
    normalise_targets: bool = _option(
        False, None, "reconstruct patches of zero mean and unit variance"
    )

    @model_validator(mode="before")
    @classmethod
    def _resolve_size(cls, given: Any) -> Any:
        return _fill(given, VIT_CMR_SIZES)

    @model_validator(mode="after")
    def _check_divisions(self) -> Self:
        for name, whole, part in (
            ("image_size over spatial_pool", self.image_size, self.spatial_pool),
            (
                "image_size over spatial_pool x patch",
                self.image_size,
                self.patch * self.spatial_pool,
            ),
            ("width over heads", self.width, self.heads),
            ("decoder_width over decoder_heads", self.decoder_width, self.decoder_heads),
        ):
            if whole % part:
                raise ValueError(f"{name}: {whole} is not a multiple of {part}; change one of them")
        if self.frame_start >= self.frames:
            raise ValueError(f"frame_start={self.frame_start}, but a cine has {self.frames} frames")
        _check_mask(self.patches_per_side**2, self.mask_ratio)
        return self

    @property
    def view_frames(self) -> int:
        """Frames that the encoder sees."""
        return len(range(self.frame_start, self.frames, self.frame_step))

    @property
    def view_size(self) -> int:
        """Side of the image that the encoder sees, in averaged pixels."""
        return self.image_size // self.spatial_pool

    @property
    def patches_per_side(self) -> int:
        """Patches along one side."""
        return self.view_size // self.patch
