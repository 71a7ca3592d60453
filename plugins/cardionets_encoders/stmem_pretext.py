"""Masked pre-training of ST-MEM: hide patches of each lead and reconstruct them.

Source: Na et al., ICLR 2024, on the ground of MAE (He et al. 2022).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cardionets_core.interfaces import LossAndLog
from cardionets_encoders.leads import LeadSelection, select_leads
from cardionets_encoders.masking import (
    Masking,
    draw_masking,
    draw_noise,
    fill_hidden,
    hidden_loss,
    normalise_patches,
    take_patches,
)
from cardionets_encoders.positions import lead_table
from cardionets_encoders.stmem import StMem
from cardionets_encoders.transformer import Block, initialise


class Reconstruction(NamedTuple):
    """One masked pass over the computed leads.

    Attributes:
        latent: Normalised tokens of the encoder (B, L, k + 2, D), separators first and last.
        predicted: Reconstructed patches (B, L, n, patch), visible ones too.
        hidden: True where a patch was hidden (B, L, n).
    """

    latent: Tensor
    predicted: Tensor
    hidden: Tensor


class LeadDecoder(nn.Module):
    """Decodes each lead by itself, with the same weights and without lead embeddings."""

    position_table: Tensor

    def __init__(self, encoder: StMem) -> None:
        super().__init__()
        config = encoder.config
        width = config.decoder_width
        self.embed = nn.Linear(config.width, width)
        self.mask_token = nn.Parameter(torch.empty(width))
        self.register_buffer("position_table", lead_table(config.patches_per_lead, width))
        self.blocks = nn.ModuleList(
            Block(width, config.decoder_heads, config.decoder_head_dim, config.mlp_ratio)
            for _ in range(config.decoder_depth)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)  # the encoder's are 1e-5, in the reference too
        self.project = nn.Linear(width, config.patch_samples)
        initialise(self)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, latent: Tensor, restore: Tensor) -> Tensor:
        """Reconstruct patches (B, L, n, patch) from latent (B, L, k + 2, D) and ``restore``."""
        batch, leads, patches = restore.shape
        tokens = self.embed(latent)
        body = fill_hidden(tokens[:, :, 1:-1], self.mask_token, restore)
        sequence = torch.cat((tokens[:, :, :1], body, tokens[:, :, -1:]), dim=2).flatten(0, 1)
        table = self.position_table
        sequence = sequence + torch.cat((table[: patches + 1], table[-1:]))
        for block in self.blocks:
            sequence = block(sequence)
        patches_out = self.project(self.norm(sequence[:, 1:-1]))
        return patches_out.view(batch, leads, patches, -1)


class StMemPretext(nn.Module):
    """An ST-MEM encoder with its decoder; ``.encoder`` is what is kept afterwards."""

    def __init__(self, encoder: StMem) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = LeadDecoder(encoder)
        encoder.position_table.requires_grad_(False)

    def noise_shape(self, x: Tensor) -> tuple[int, int, int]:
        """Shape of the uniform draw for a batch: one number per record, lead and patch."""
        return x.shape[0], x.shape[1], x.shape[2] // self.encoder.config.patch_samples

    def pretext_loss(
        self,
        x: Tensor,
        *,
        noise: Tensor | None = None,
        rng: torch.Generator | None = None,
        lead_mask: Tensor | None = None,
    ) -> LossAndLog:
        """Reconstruction error of hidden patches; the arguments of ``forward``, by name."""
        return self(x, noise=noise, rng=rng, lead_mask=lead_mask)

    def forward(
        self,
        x: Tensor,
        noise: Tensor | None = None,
        rng: torch.Generator | None = None,
        lead_mask: Tensor | None = None,
    ) -> LossAndLog:
        """Reconstruction error of hidden patches.

        Args:
            x: Standardised signal (B, L, S).
            noise: Replaces the uniform draw of the masking, (B, L, patches per lead).
            rng: Generator to draw it from.
            lead_mask: (L,) or (B, L), True where a lead is present.

        Returns:
            Mean squared error over the hidden patches of present leads.

        Raises:
            EcgError: If ``x`` has another shape.
            LeadError: If leads do not match.
            CardionetsError: If the noise has another shape.
        """
        patches = self.encoder.cut(x)
        selection = select_leads(lead_mask, x)
        drawn = draw_noise(self.noise_shape(x), like=x, noise=noise, rng=rng)
        patches = selection.take(patches, dim=1)
        result = self.reconstruct(patches, selection.take(drawn, dim=1), selection)
        hidden = result.hidden
        if selection.present is not None:
            hidden = hidden & selection.present[:, :, None]
            patches = patches.masked_fill(~selection.present[:, :, None, None], 0.0)
        target = normalise_patches(patches) if self.encoder.config.normalise_targets else patches
        return LossAndLog(hidden_loss(result.predicted, target, hidden), {})

    def reconstruct(
        self, patches: Tensor, noise: Tensor, selection: LeadSelection
    ) -> Reconstruction:
        """Encode the visible patches of the selected leads and decode all of them."""
        masking = draw_masking(noise, self.encoder.config.mask_ratio)
        latent = self.encode_visible(patches, masking, selection)
        return Reconstruction(latent, self.decoder(latent, masking.restore), masking.hidden)

    def encode_visible(self, patches: Tensor, masking: Masking, selection: LeadSelection) -> Tensor:
        """Normalised tokens (B, L, k + 2, D) of what is not hidden."""
        positions = self.encoder.position_table[1 + masking.kept]
        visible = take_patches(patches, masking.kept)
        return self.encoder.norm(self.encoder.encode(visible, positions, selection))
