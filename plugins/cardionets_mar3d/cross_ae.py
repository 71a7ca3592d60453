"""Baseline: a cross-modal autoencoder of a condition and a cine's latent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss, normalize

from cardionets_core.interfaces import LossAndLog
from cardionets_mar3d.asked import check_sampling
from cardionets_mar3d.baseline_config import CrossAeConfig
from cardionets_mar3d.cross_ae_parts import LatentDecoder, LatentEncoder
from cardionets_mar3d.latent_generator import LatentGenerator
from cardionets_mar3d.mlp import mlp


class CrossAe(LatentGenerator):
    """One encoder and one decoder per modality, and one embedding that both share.

    Both modalities are reconstructed from their own embedding, the latent from the condition's
    too, and a symmetric InfoNCE over the batch draws the embeddings of a subject together. A
    condition is translated by its encoder and the latent's decoder; nothing is drawn at random.
    Here the cine's side works on the latent of the autoencoder that ``mar`` has, so that the two
    differ in nothing but how they get there.

    Source: Radhakrishnan et al., Nature Communications 14, 2436 (2023).

    Args:
        config: Options.
        condition_dim: Width C of the condition.
    """

    deterministic = True

    def __init__(self, config: CrossAeConfig, *, condition_dim: int) -> None:
        super().__init__(config.latent_shape, condition_dim)
        self.config = config
        self.condition = config.condition
        widths = (config.hidden, config.hidden)
        self.condition_encoder = mlp((condition_dim, *widths, config.shared_dim), config.dropout)
        self.latent_encoder = LatentEncoder(config)
        self.latent_decoder = LatentDecoder(config)
        self.condition_decoder = (
            mlp((config.shared_dim, *widths, condition_dim), config.dropout)
            if config.condition_weight > 0
            else None
        )

    def target(self, cine: Tensor) -> Tensor:
        """Mean latents (B, C, t, h, w) of cines (B, 1, T, H, W)."""
        return self.borrowed.encode(cine)

    def loss(self, target: Tensor, condition: Tensor, *, noise: Any = None) -> LossAndLog:
        """Loss of latents (B, C, t, h, w) given conditions (B, C).

        Only dropout is random, so there is no ``noise`` to give; the contrastive term is over the
        batch of this process.
        """
        standardised = self.scaler(condition)
        of_cine, of_condition = self.latent_encoder(target), self.condition_encoder(standardised)
        decoded = self.latent_decoder(torch.cat([of_cine, of_condition])).float()
        own, crossed = decoded.chunk(2)
        parts = {
            "cine": mse_loss(own, target),
            "cross": mse_loss(crossed, target),
            "contrastive": contrastive(of_condition, of_cine, self.config.temperature),
        }
        if self.condition_decoder is not None:
            reconstructed = self.condition_decoder(of_condition)
            parts["condition"] = mse_loss(reconstructed.float(), standardised)
        weights = {name: getattr(self.config, f"{name}_weight") for name in parts}
        loss = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        return LossAndLog(loss, {name: part.detach() for name, part in parts.items()})

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        *,
        seed: int | Sequence[int],
        steps: int | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        """Translate conditions (B, C) to cines (B, 1, T, H, W) in [-1, 1].

        Raises:
            TrainingError: If it was neither fitted nor filled.
            UsageError: If steps or guidance make no sense, or there is no autoencoder.
            WeightsError: If the conditions have another width.
        """
        check_sampling(len(condition), seed, steps, guidance)
        standardised, was_training = self.scaler(condition), self.training
        self.scaler.require_fit()
        self.eval()
        try:
            latent = self.latent_decoder(self.condition_encoder(standardised))
        finally:
            self.train(was_training)
        return self.borrowed.decode(latent.float())


def contrastive(one: Tensor, other: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE of embeddings (B, Z) of the same subjects, scalar.

    Source: Radford et al., CLIP, ICML 2021, whose loss the cross-modal autoencoder takes.
    """
    one, other = (normalize(embedded.float(), dim=1) for embedded in (one, other))
    with torch.autocast(one.device.type, enabled=False):
        logits = one @ other.T / temperature
    own = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2
