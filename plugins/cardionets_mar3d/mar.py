"""Masked autoregressive generation of a cine's latent, each token drawn by diffusion or flow.

Source: Li et al., NeurIPS 2024; the paper's conditioning on an ECG.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cardionets_core.errors import UsageError
from cardionets_core.interfaces import LossAndLog
from cardionets_mar3d.diffusion_head import DiffusionHead
from cardionets_mar3d.flow import FlowHead
from cardionets_mar3d.latent_generator import LatentGenerator
from cardionets_mar3d.mar_config import MarConfig
from cardionets_mar3d.mar_transformer import MaskedTransformer, take
from cardionets_mar3d.sampling import (
    CastTransformer,
    Plan,
    RecordNoise,
    TokenNoise,
    record_seeds,
    sample_tokens,
    sampling_dtype,
)
from cardionets_mar3d.tokens import (
    TokenGrid,
    hidden_count,
    random_orders,
    truncated_normal_ratio,
    uniform_ratio,
)


@dataclass(frozen=True, slots=True)
class MarNoise:
    """All that is random about the loss of a batch but dropout. M draws per token.

    Attributes:
        latent: Standard normal, (B, C, t, h, w).
        orders: Permutation of the tokens per record, (B, L); its first are hidden.
        hidden: How many tokens are hidden.
        drop: Uniform on [0, 1), (B,); the condition is dropped where it is below the option.
        time: Times of the head, (M, B, L).
        token: Standard normal, (M, B, L, D).
    """

    latent: Tensor
    orders: Tensor
    hidden: int
    drop: Tensor
    time: Tensor
    token: Tensor


class Mar(LatentGenerator):
    """Masked autoregressive generator on the latent of an autoencoder.

    Args:
        config: Options.
        condition_dim: Width C of the condition.
    """

    def __init__(self, config: MarConfig, *, condition_dim: int) -> None:
        super().__init__(config.latent_shape, condition_dim)
        self.config = config
        self.condition = config.condition
        self.grid = TokenGrid(config.latent_shape, config.patch_frames, config.patch_size)
        tokens, token_dim = self.grid.tokens, self.grid.token_dim
        self.transformer = MaskedTransformer(tokens, token_dim, condition_dim, config)
        head = DiffusionHead if config.sampler == "diffusion" else FlowHead
        self.head: Any = head(token_dim, config.decoder_width, config)

    def target(self, cine: Tensor) -> Tensor:
        """Mean and log-variance of the latents of cines (B, 1, T, H, W): (B, 2C, t, h, w)."""
        moments = self.borrowed.moments(cine)
        return torch.cat((moments.mean, moments.log_variance), dim=1)

    def loss(
        self, target: Tensor, condition: Tensor, *, noise: MarNoise | None = None
    ) -> LossAndLog:
        """Loss of targets (B, 2C, t, h, w) given conditions (B, C), mean over hidden tokens.

        Without ``noise`` it draws from torch's global generator. In evaluation mode no condition
        is dropped.
        """
        noise = noise or self.draw_noise(len(target), target.device)
        embedded = self.embed(condition, noise.drop)
        mean, log_variance = target.chunk(2, dim=1)
        tokens = self.grid.patchify(mean + (0.5 * log_variance).exp() * noise.latent)
        hidden = noise.orders[:, : noise.hidden]
        known = noise.orders[:, noise.hidden :].sort(dim=1).values
        z = self.transformer(take(tokens, known), known, embedded, hidden)
        draws = len(noise.time)
        per_token, parts = self.head.loss(
            take(tokens, hidden).repeat(draws, 1, 1).flatten(0, 1),
            z.repeat(draws, 1, 1).flatten(0, 1),
            noise.time.gather(2, hidden.expand(draws, -1, -1)).flatten(),
            torch.stack([take(one, hidden) for one in noise.token]).flatten(0, 2),
        )
        return LossAndLog(
            per_token.mean(), {name: part.detach().mean() for name, part in parts.items()}
        )

    def embed(self, condition: Tensor, drop: Tensor) -> Tensor:
        """Embedded conditions (B, W); in training dropped where ``drop`` (B,) says so."""
        dropped = drop < self.config.label_drop if self.training else None
        return self.transformer.embed_condition(self.scaler(condition), dropped)

    def draw_noise(self, batch: int, device: torch.device) -> MarNoise:
        """Draw what is random about a batch's loss from torch's global generator."""
        config, grid = self.config, self.grid
        shape = (config.diffusion_batch_mul, batch, grid.tokens)
        law = truncated_normal_ratio if config.mask_ratio == "truncated-normal" else uniform_ratio
        # On the CPU, because a number that decides on shapes would make the device wait.
        ratio = law(float(torch.rand(())), config.mask_ratio_min)
        return MarNoise(
            latent=torch.randn(batch, *config.latent_shape, device=device),
            orders=random_orders(batch, grid.tokens, device),
            hidden=hidden_count(ratio, grid.tokens),
            drop=torch.rand(batch, device=device),
            time=self.head.draw_time(*shape, device=device),
            token=torch.randn(*shape, grid.token_dim, device=device),
        )

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        *,
        seed: int | Sequence[int],
        steps: int | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        """Draw cines (B, 1, T, H, W) in [-1, 1] for conditions (B, C).

        Raises:
            TrainingError: If it was neither fitted nor filled.
            UsageError: If steps, guidance or seeds make no sense, or there is no autoencoder.
            WeightsError: If the conditions have another width.
        """
        borrowed = self.borrowed
        latents = self.sample_latents(condition, seed=seed, steps=steps, guidance=guidance)
        in_bf16 = self.sampling_dtype == torch.bfloat16
        with torch.autocast(latents.device.type, torch.bfloat16, enabled=in_bf16):
            return borrowed.decode(latents)

    @property
    def sampling_dtype(self) -> torch.dtype:
        """What the matrix products of sampling compute in."""
        return sampling_dtype(self.config.sampling_precision, self.transformer.decoder_embed.weight)

    @torch.no_grad()
    def sample_latents(
        self,
        condition: Tensor,
        *,
        seed: int | Sequence[int],
        steps: int | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        """Draw unit-SD latents (B, C, t, h, w); arguments and errors as of ``sample``."""
        guidance = self.config.guidance if guidance is None else guidance
        if not (math.isfinite(guidance) and guidance >= 0):
            raise UsageError(f"guidance={guidance}: needed 0 or more; 1 is none")
        seeds = record_seeds(seed, len(condition))
        standardised = self.scaler(condition)
        self.scaler.require_fit()
        noise = RecordNoise(seeds, self.grid.tokens, self.grid.token_dim, condition.device)
        embedded = self.transformer.embed_condition(standardised)
        return self.generate(embedded, noise, steps=steps, guidance=guidance)

    @torch.no_grad()
    def generate(
        self,
        embedded: Tensor,
        noise: TokenNoise,
        *,
        steps: int | None = None,
        guidance: float = 1.0,
    ) -> Tensor:
        """Latents (B, C, t, h, w) from embedded conditions (B, W) and all that is random."""
        config, was_training = self.config, self.training
        dtype = self.sampling_dtype
        sampler = self.head.sampler(
            self.head.default_steps if steps is None else steps, config.temperature, dtype
        )
        plan = Plan(
            self.grid.tokens,
            self.grid.token_dim,
            config.iterations,
            guidance,
            config.guidance_schedule,
        )
        if guidance != 1.0:
            without = self.transformer.fake_latent.expand(len(embedded), -1)
            embedded = torch.cat((embedded, without))
        self.eval()
        try:
            transformer = CastTransformer(self.transformer, dtype)
            tokens = sample_tokens(plan, transformer, sampler, embedded, noise)
        finally:
            self.train(was_training)
        return self.grid.unpatchify(tokens)
