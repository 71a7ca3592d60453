"""Masked autoencoding of cine CMR: spatial patches are hidden in all frames at once.

Source: He et al., "Masked Autoencoders Are Scalable Vision Learners", 2022.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cardionets_core.errors import CineError
from cardionets_core.interfaces import LossAndLog
from cardionets_encoders.masking import (
    Masking,
    draw_masking,
    draw_noise,
    fill_hidden,
    hidden_loss,
    normalise_patches,
    take_patches,
)
from cardionets_encoders.positions import image_table
from cardionets_encoders.transformer import initialise
from cardionets_encoders.vit_cmr import VitCmr, VitNorm, vit_blocks


class Reconstruction(NamedTuple):
    """One masked pass.

    Attributes:
        latent: Normalised tokens of the encoder (B, 1 + k, D), CLS first.
        predicted: Reconstructed patches (B, n, pixels), visible ones too.
        hidden: True where a patch was hidden (B, n).
    """

    latent: Tensor
    predicted: Tensor
    hidden: Tensor


class ImageDecoder(nn.Module):
    """Tokens of visible patches to the pixels of all."""

    pos_embed: Tensor

    def __init__(self, encoder: VitCmr) -> None:
        super().__init__()
        config = encoder.config
        width = config.decoder_width
        self.embed = nn.Linear(config.width, width)
        self.mask_token = nn.Parameter(torch.empty(width))
        self.register_buffer("pos_embed", image_table(config.patches_per_side, width)[None])
        self.blocks = vit_blocks(
            width, config.decoder_depth, config.decoder_heads, config.mlp_ratio
        )
        self.norm = VitNorm(width)
        self.project = nn.Linear(width, config.patch**2 * config.view_frames)
        initialise(self)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, latent: Tensor, restore: Tensor) -> Tensor:
        """Reconstruct patches (B, n, pixels) from latent (B, 1 + k, D) and ``restore`` (B, n)."""
        tokens = self.embed(latent)
        body = fill_hidden(tokens[:, 1:], self.mask_token, restore)
        sequence = torch.cat((tokens[:, :1], body), dim=1) + self.pos_embed
        for block in self.blocks:
            sequence = block(sequence)
        return self.project(self.norm(sequence[:, 1:]))


class VitCmrPretext(nn.Module):
    """A CMR encoder with its decoder; ``.encoder`` is what is kept afterwards."""

    def __init__(self, encoder: VitCmr) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = ImageDecoder(encoder)
        encoder.pos_embed.requires_grad_(False)

    def noise_shape(self, x: Tensor) -> tuple[int, int]:
        """Shape of the uniform draw for a batch: one number per record and spatial patch."""
        return x.shape[0], self.encoder.config.patches_per_side**2

    def pretext_loss(
        self, x: Tensor, *, noise: Tensor | None = None, rng: torch.Generator | None = None
    ) -> LossAndLog:
        """Reconstruction error of hidden patches; the arguments of ``forward``, by name."""
        return self(x, noise=noise, rng=rng)

    def forward(
        self,
        x: Tensor,
        noise: Tensor | None = None,
        rng: torch.Generator | None = None,
        lead_mask: Tensor | None = None,
    ) -> LossAndLog:
        """Reconstruction error of hidden patches.

        Args:
            x: Cine (B, T, H, W) in [-1, 1], canonical or a view.
            noise: Replaces the uniform draw of the masking, (B, patches).
            rng: Generator to draw it from.
            lead_mask: Of ECG encoders; must be None.

        Returns:
            Mean squared error over all pixels and frames of the hidden patches.

        Raises:
            CineError: If the cine has another shape or type.
            CardionetsError: If the noise has another shape.
        """
        if lead_mask is not None:
            raise CineError(
                "lead_mask was given to a cine encoder, which has no leads; leave it out"
            )
        patches = self.patchify(self.encoder.view(x))
        drawn = draw_noise(self.noise_shape(x), like=x, noise=noise, rng=rng)
        result = self.reconstruct(patches, drawn)
        target = normalise_patches(patches) if self.encoder.config.normalise_targets else patches
        return LossAndLog(hidden_loss(result.predicted, target, result.hidden), {})

    def patchify(self, view: Tensor) -> Tensor:
        """Cut (B, T, H, W) into row-major patches (B, n, pixels): row, column, frame fastest."""
        batch, frames, side, _ = view.shape
        patch = self.encoder.config.patch
        grid = view.view(batch, frames, side // patch, patch, side // patch, patch)
        return grid.permute(0, 2, 4, 3, 5, 1).reshape(batch, -1, patch * patch * frames)

    def reconstruct(self, patches: Tensor, noise: Tensor) -> Reconstruction:
        """Encode the visible patches (B, n, pixels) and decode all of them."""
        masking = draw_masking(noise, self.encoder.config.mask_ratio)
        latent = self.encode_visible(patches, masking)
        return Reconstruction(latent, self.decoder(latent, masking.restore), masking.hidden)

    def encode_visible(self, patches: Tensor, masking: Masking) -> Tensor:
        """Normalised tokens (B, 1 + k, D) of what is not hidden, CLS first."""
        positions = self.encoder.pos_embed[0, 1:][masking.kept]
        batch, kept = masking.kept.shape
        patch = self.encoder.config.patch
        visible = take_patches(patches, masking.kept).view(batch, kept, patch, patch, -1)
        tokens = self.encoder.embed(visible.permute(0, 1, 4, 2, 3))
        return self.encoder.norm(self.encoder.run_blocks(tokens + positions))
