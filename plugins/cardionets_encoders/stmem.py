"""ST-MEM: a transformer over patches of single ECG leads.

Source: Na et al., "Guiding Masked Representation Learning to Capture Spatio-Temporal Relationship
of Electrocardiogram", ICLR 2024. Written from the paper and checked against stored vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from cardionets_core.errors import EcgError, LeadError
from cardionets_core.interfaces import Features
from cardionets_encoders.config import StMemConfig
from cardionets_encoders.leads import LeadSelection, select_leads
from cardionets_encoders.positions import lead_table
from cardionets_encoders.transformer import Block, initialise

if TYPE_CHECKING:
    from cardionets_encoders.stmem_pretext import StMemPretext


class PatchEmbedding(nn.Module):
    """Patches (..., samples) to tokens (..., D): norm, linear, norm."""

    def __init__(self, patch_samples: int, width: int) -> None:
        super().__init__()
        self.norm_samples = nn.LayerNorm(patch_samples)
        self.project = nn.Linear(patch_samples, width)
        self.norm_tokens = nn.LayerNorm(width)

    def forward(self, patches: Tensor) -> Tensor:
        """Embed each patch on its own."""
        return self.norm_tokens(self.project(self.norm_samples(patches)))


class StMem(nn.Module):
    """The ECG encoder.

    Each lead is cut into patches and framed by two separators; the sequence is lead-major. A
    learned vector per lead is added to all its tokens, separators included. There is no CLS token.

    Attributes:
        embed_dim: Width of a token.
        pooled_dim: Width of the pooled feature, the same.
        leads: Names of the input's rows, in order.
        num_samples: Longest input in samples; shorter ones must be whole patches.
        sampling_rate_hz: Samples per second of the input.
    """

    modality: Literal["ecg", "cmr"] = "ecg"

    def __init__(self, config: StMemConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_dim = self.pooled_dim = config.width
        self.leads = config.leads
        self.num_samples = config.num_samples
        self.sampling_rate_hz = config.sampling_rate_hz
        self.patch_embedding = PatchEmbedding(config.patch_samples, config.width)
        self.position_table = nn.Parameter(lead_table(config.patches_per_lead, config.width))
        self.separator = nn.Parameter(torch.empty(config.width))
        self.lead_embedding = nn.Parameter(torch.empty(len(config.leads), config.width))
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.head_dim, config.mlp_ratio)
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width)
        initialise(self)
        nn.init.normal_(self.separator, std=0.02)
        nn.init.normal_(self.lead_embedding, std=0.02)

    def forward(self, x: Tensor, lead_mask: Tensor | None = None) -> Features:
        """Encode standardised ECGs.

        Args:
            x: Signal (B, L, S), rows in the order of ``leads``, S a whole number of patches.
            lead_mask: (L,) or (B, L), True where a lead is present; None if all are. What an absent
                lead holds, NaN included, has no influence.

        Returns:
            Normalised patch tokens (B, L * S / patch, D), lead-major, zero for absent leads;
            and the normalised mean of the present ones (B, D).

        Raises:
            EcgError: If ``x`` has another shape.
            LeadError: If leads do not match ``leads`` or the mask.
        """
        patches = self.cut(x)
        selection = select_leads(lead_mask, x)
        patches = selection.take(patches, dim=1)
        positions = self.position_table[1 : patches.shape[2] + 1]
        tokens = self.encode(patches, positions, selection)[:, :, 1:-1]
        return Features(self._place(self.norm(tokens), selection), self._pool(tokens, selection))

    def pretext(self) -> StMemPretext:
        """This encoder with a decoder, as a module to be trained by masked reconstruction.

        The position table is frozen by it, as in the reference's pre-training.
        """
        # Here, because pre-training builds on the encoder and not the other way round.
        from cardionets_encoders.stmem_pretext import StMemPretext  # noqa: PLC0415

        return StMemPretext(self)

    def cut(self, x: Tensor) -> Tensor:
        """Cut (B, L, S) into patches (B, L, n, patch), or say what is wrong with the shape."""
        if x.ndim != 3:
            raise EcgError(
                f"ECG batch has shape {tuple(x.shape)}, but (batch, leads, samples) is needed"
            )
        if x.shape[1] != len(self.leads):
            raise LeadError(
                f"{x.shape[1]} leads, but this encoder takes the {len(self.leads)} leads "
                f"{', '.join(self.leads)}; fill absent rows with zeros and pass lead_mask"
            )
        samples, patch = x.shape[2], self.config.patch_samples
        if not 0 < samples <= self.num_samples or samples % patch:
            raise EcgError(
                f"{samples} samples, but at most {self.num_samples} and a multiple of {patch} "
                f"are needed ({self.sampling_rate_hz} Hz); crop or resample the ECG"
            )
        return x.reshape(x.shape[0], x.shape[1], -1, patch)

    def encode(self, patches: Tensor, positions: Tensor, selection: LeadSelection) -> Tensor:
        """Run the blocks over patches that may be a part of each lead's.

        Args:
            patches: Patches of the selected leads (B, L, k, patch).
            positions: Their rows of the position table, (k, D) or (B, L, k, D).
            selection: The leads.

        Returns:
            Tokens before the final norm (B, L, k + 2, D), separators first and last in a lead.
        """
        batch, leads, count, _ = patches.shape
        if selection.present is not None:
            # NaN would come through the attention mask, being multiplied by zero.
            patches = patches.masked_fill(~selection.present[:, :, None, None], 0.0)
        lead_vectors = selection.take(self.lead_embedding, dim=0)[:, None]
        body = self.patch_embedding(patches) + (positions + lead_vectors)
        left = self.separator + self.position_table[0] + lead_vectors
        right = self.separator + self.position_table[-1] + lead_vectors
        framed = (left.expand(batch, -1, -1, -1), body, right.expand(batch, -1, -1, -1))
        tokens = torch.cat(framed, dim=2).flatten(1, 2)
        key_mask = selection.key_mask(count + 2)
        for block in self.blocks:
            tokens = block(tokens, key_mask)
        return tokens.view(batch, leads, count + 2, -1)

    def _pool(self, tokens: Tensor, selection: LeadSelection) -> Tensor:
        """Mean over the patches of present leads (B, L, k, D), then the norm."""
        if selection.present is None:
            return self.norm(tokens.mean(dim=(1, 2)))
        present = selection.present.to(tokens.dtype)
        per_lead = tokens.mean(dim=2) * present[:, :, None]
        return self.norm(per_lead.sum(dim=1) / present.sum(dim=1, keepdim=True))

    def _place(self, tokens: Tensor, selection: LeadSelection) -> Tensor:
        """Tokens of the computed leads (B, L', k, D) in the places of all, (B, L * k, D)."""
        if selection.present is not None:
            tokens = tokens.masked_fill(~selection.present[:, :, None, None], 0.0)
        if selection.kept is not None:
            batch, _, count, width = tokens.shape
            every = tokens.new_zeros(batch, len(self.leads), count, width)
            tokens = every.index_copy(1, selection.kept, tokens)
        return tokens.flatten(1, 2)
