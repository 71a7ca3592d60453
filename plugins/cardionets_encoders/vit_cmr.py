"""A vision transformer over spatial patches of a cine, its frames as channels.

Source: Dosovitskiy et al. 2021, as timm builds it; the use of frames as channels is CardioNets'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from timm.layers.mlp import Mlp
from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, linear

from cardionets_core.errors import CineError
from cardionets_core.interfaces import Features
from cardionets_encoders.attention import self_attend
from cardionets_encoders.config import VitCmrConfig
from cardionets_encoders.positions import image_table
from cardionets_encoders.transformer import initialise

if TYPE_CHECKING:
    from cardionets_encoders.vit_cmr_pretext import VitCmrPretext


class VitNorm(nn.LayerNorm):
    """LayerNorm with the epsilon of timm's and MAE's vision transformers."""

    def __init__(self, width: int, eps: float = 1e-6, **placement: Any) -> None:
        super().__init__(width, eps=eps, **placement)


class VitAttention(nn.Module):
    """Self-attention under timm's parameter names."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over (B, N, D)."""
        return self.proj(self_attend(self.qkv(x), self.heads))


class VitBlock(nn.Module):
    """timm's plain ViT block under its parameter names, with attention by ``self_attend``."""

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = VitNorm(width)
        self.attn = VitAttention(width, heads)
        self.norm2 = VitNorm(width)
        self.mlp = Mlp(width, int(width * mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, D) to (B, N, D)."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def vit_blocks(width: int, depth: int, heads: int, mlp_ratio: float) -> nn.ModuleList:
    """Plain ViT blocks under timm's parameter names."""
    return nn.ModuleList(VitBlock(width, heads, mlp_ratio) for _ in range(depth))


class VitCmr(nn.Module):
    """The CMR encoder; parameter names are those of timm's ``VisionTransformer`` and of MAE.

    Attributes:
        embed_dim: Width of a token.
        pooled_dim: Width of the pooled feature; all patch tokens in a row under ``flatten``.
        canonical_shape: (T, H, W) of the cine as the cohort holds it.
        view_shape: (T, H, W) of what the transformer sees of it.
    """

    modality: Literal["ecg", "cmr"] = "cmr"

    def __init__(self, config: VitCmrConfig) -> None:
        super().__init__()
        self.config = config
        size, frames, patches = config.view_size, config.view_frames, config.patches_per_side**2
        self.canonical_shape = (config.frames, config.image_size, config.image_size)
        self.view_shape = (frames, size, size)
        self.embed_dim = config.width
        self.pooled_dim = config.width * (patches if config.pooling == "flatten" else 1)
        self.patch_embed = PatchEmbed(size, config.patch, in_chans=frames, embed_dim=config.width)
        self.cls_token = nn.Parameter(torch.empty(1, 1, config.width))
        self.pos_embed = nn.Parameter(image_table(config.patches_per_side, config.width)[None])
        self.blocks = vit_blocks(config.width, config.depth, config.heads, config.mlp_ratio)
        self.norm = VitNorm(config.width)
        initialise(self)
        nn.init.normal_(self.cls_token, std=0.02)

    def forward(self, x: Tensor, lead_mask: Tensor | None = None) -> Features:
        """Encode cines.

        Args:
            x: Canonical cine (B, T, H, W) in [-1, 1], or what ``view`` made of it.
            lead_mask: Of ECG encoders; must be None.

        Returns:
            Normalised patch tokens (B, patches, D), row-major, and the pooled feature (B, P).

        Raises:
            CineError: If the cine has another shape or type.
        """
        if lead_mask is not None:
            raise CineError(
                "lead_mask was given to a cine encoder, which has no leads; leave it out"
            )
        tokens = self.embed(self.cut(self.view(x))) + self.pos_embed[:, 1:]
        tokens = self.run_blocks(tokens)
        normed = self.norm(tokens)
        patches = normed[:, 1:]
        if self.config.pooling == "flatten":
            return Features(patches, patches.flatten(1))
        source = normed if self.config.pooling == "cls" else tokens
        return Features(patches, source[:, 0])

    def view(self, cine: Tensor) -> Tensor:
        """What the transformer sees: some of the frames, neighbouring pixels averaged.

        A cine that already is such a view comes back unchanged, so a small cached view can be fed.

        Args:
            cine: (B, T, H, W) in [-1, 1], canonical or a view.

        Returns:
            (B, view frames, side, side).

        Raises:
            CineError: If the shape is neither, or the pixels are integers.
        """
        if not cine.is_floating_point():
            raise CineError(
                f"cine holds {cine.dtype}, but numbers in [-1, 1] are needed: x / 127.5 - 1"
            )
        shape = tuple(cine.shape[1:])
        if shape == self.view_shape:
            return cine
        if cine.ndim != 4 or shape != self.canonical_shape:
            raise CineError(
                f"cine batch has shape {tuple(cine.shape)}, but (batch, T, H, W) with T, H, W = "
                f"{self.canonical_shape} or {self.view_shape} is needed; prepare the cine "
                "again or set frames and image_size"
            )
        seen = cine[:, self.config.frame_start :: self.config.frame_step]
        return avg_pool2d(seen, self.config.spatial_pool)

    def cut(self, view: Tensor) -> Tensor:
        """Cut (B, T, H, W) into row-major patches (B, n, T, patch, patch)."""
        batch, frames, side, _ = view.shape
        patch = self.config.patch
        grid = view.reshape(batch, frames, side // patch, patch, side // patch, patch)
        return grid.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)

    def embed(self, patches: Tensor) -> Tensor:
        """Patches (B, k, T, patch, patch) to tokens (B, k, D), without positions.

        The convolution whose stride is its width, as the matrix product that it is: several times
        as fast on a CPU in bf16, and hidden patches need not be embedded at all.
        """
        projection = self.patch_embed.proj
        return linear(patches.flatten(2), projection.weight.flatten(1), projection.bias)

    def pretext(self) -> VitCmrPretext:
        """This encoder with a decoder, as a module to be trained as a masked autoencoder.

        The position table is frozen by it, as in MAE's pre-training.
        """
        # Here, because pre-training builds on the encoder and not the other way round.
        from cardionets_encoders.vit_cmr_pretext import VitCmrPretext  # noqa: PLC0415

        return VitCmrPretext(self)

    def run_blocks(self, tokens: Tensor) -> Tensor:
        """Put the CLS token before patch tokens (B, n, D) and run the blocks, without the norm."""
        cls = self.cls_token + self.pos_embed[:, :1]
        tokens = torch.cat((cls.expand(tokens.shape[0], -1, -1), tokens), dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens
