"""Tokens of a latent: how it is cut, which tokens are hidden, and in what order they are drawn.

Source: Li et al. 2024, "Autoregressive image generation without vector quantization".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# The hidden part of a training batch: this normal distribution, cut off at 1.
MASK_RATIO_MEAN, MASK_RATIO_SD = 1.0, 0.25


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """How latents (B, C, t, h, w) are cut into tokens.

    Attributes:
        latent_shape: (C, t, h, w).
        patch_frames: Latent frames of a token; divides t.
        patch_size: Side of a token in latent pixels; divides h and w.
    """

    latent_shape: tuple[int, int, int, int]
    patch_frames: int
    patch_size: int

    @property
    def counts(self) -> tuple[int, int, int]:
        """Tokens along time, rows and columns."""
        _, frames, height, width = self.latent_shape
        size = self.patch_size
        return frames // self.patch_frames, height // size, width // size

    @property
    def tokens(self) -> int:
        """Tokens of a latent, L."""
        return math.prod(self.counts)

    @property
    def token_dim(self) -> int:
        """Numbers of a token, D."""
        return self.latent_shape[0] * self.patch_frames * self.patch_size**2

    def patchify(self, latent: Tensor) -> Tensor:
        """Latents (B, C, t, h, w) to tokens (B, L, D).

        Tokens follow each other by time, row, column; a token's numbers by channel, time, row,
        column.
        """
        (frames, rows, columns), size = self.counts, self.patch_size
        cut = latent.reshape(
            -1, self.latent_shape[0], frames, self.patch_frames, rows, size, columns, size
        )
        return cut.permute(0, 2, 4, 6, 1, 3, 5, 7).reshape(len(latent), self.tokens, self.token_dim)

    def unpatchify(self, tokens: Tensor) -> Tensor:
        """Tokens (B, L, D) to latents (B, C, t, h, w); the inverse of ``patchify``."""
        size = self.patch_size
        cut = tokens.reshape(
            -1, *self.counts, self.latent_shape[0], self.patch_frames, size, size
        )  # fmt: skip
        return cut.permute(0, 4, 1, 5, 2, 6, 3, 7).reshape(len(tokens), *self.latent_shape)


def random_orders(batch: int, tokens: int, device: torch.device | None = None) -> Tensor:
    """A random order of the tokens per record, (B, L), from torch's global generator."""
    return torch.rand(batch, tokens, device=device).argsort(dim=1)


def truncated_normal_ratio(uniform: float, least: float) -> float:
    """The hidden part at a quantile of N(1, 0.25) on [least, 1].

    Args:
        uniform: Quantile, in [0, 1].
        least: Lower end.
    """
    ends = torch.tensor([least, 1.0], dtype=torch.float64)
    low, high = torch.special.ndtr((ends - MASK_RATIO_MEAN) / MASK_RATIO_SD)
    ratio = MASK_RATIO_MEAN + MASK_RATIO_SD * torch.special.ndtri(low + uniform * (high - low))
    return min(max(float(ratio), least), 1.0)


def uniform_ratio(uniform: float, least: float) -> float:
    """The hidden part at a quantile of the uniform distribution on [least, 1]."""
    return least + uniform * (1.0 - least)


def hidden_count(ratio: float, tokens: int) -> int:
    """How many of ``tokens`` a hidden part stands for, rounded up."""
    return math.ceil(ratio * tokens)


def iteration_schedule(tokens: int, iterations: int) -> list[int]:
    """How many tokens are hidden before each iteration, and 0 at the end.

    The hidden part falls as a quarter of a cosine; one token at least stays for the last
    iteration. Iterations in which nothing is left to draw repeat their number.
    """
    hidden = [tokens]
    for step in range(1, iterations):
        planned = math.floor(tokens * math.cos(math.pi / 2.0 * step / iterations))
        hidden.append(max(1, min(hidden[-1] - 1, planned)))
    return [*hidden, 0]


def linear_guidance(guidance: float, tokens: int, hidden_after: int) -> float:
    """Guidance that grows from 1 with the tokens known after an iteration.

    The reference counts one token as hidden after the last iteration.
    """
    return 1.0 + (guidance - 1.0) * (tokens - max(1, hidden_after)) / tokens
