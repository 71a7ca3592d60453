"""The MLP that denoises one token, given what the transformer knows about it.

Source: Li et al. 2024; adaptive layer norm as in Peebles and Xie 2023.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

TIME_FEATURES = 256
SLOWEST_PERIOD = 10_000.0


def time_features(time: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Cosines, then sines, of times (N,) at geometrically spaced frequencies, (N, 256)."""
    half = TIME_FEATURES // 2
    steps = torch.arange(half, dtype=dtype, device=time.device)
    frequencies = torch.exp(-math.log(SLOWEST_PERIOD) * steps / half)
    angles = time.to(dtype)[:, None] * frequencies
    return torch.cat((angles.cos(), angles.sin()), dim=1)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Shift and scale normalised features."""
    return x * (1 + scale) + shift


class TimeEmbedding(nn.Module):
    """Times (N,) to vectors (N, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(TIME_FEATURES, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, time: Tensor) -> Tensor:
        """Embed times (N,)."""
        dtype = next(self.mlp.parameters()).dtype
        # Angles of up to 1,000 need float32 at least.
        wide = torch.promote_types(dtype, torch.float32)
        return self.mlp(time_features(time, wide).to(dtype))


class ResidualBlock(nn.Module):
    """Two linear layers on features that the condition shifts, scales and gates."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_ln = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 3 * width))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Features (N, width) and condition (N, width) to features."""
        shift, scale, gate = self.adaLN_modulation(condition).chunk(3, dim=-1)
        return x + gate * self.mlp(modulate(self.in_ln(x), shift, scale))


class FinalLayer(nn.Module):
    """Features to the output, shifted and scaled by the condition."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.norm_final = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.linear = nn.Linear(width, outputs)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Features (N, width) and condition (N, width) to (N, outputs)."""
        shift, scale = self.adaLN_modulation(condition).chunk(2, dim=-1)
        return self.linear(modulate(self.norm_final(x), shift, scale))


class Denoiser(nn.Module):
    """Noisy tokens, times and conditions to what the head makes of them.

    Names of parameters are those of the published implementation, so that its weights load.

    Args:
        token_dim: Numbers of a token, D.
        outputs: Numbers that come out per token.
        condition_dim: Width of the transformer's output, Z.
        width: Width of the MLP.
        depth: Residual blocks.
    """

    def __init__(
        self, token_dim: int, outputs: int, condition_dim: int, width: int, depth: int
    ) -> None:
        super().__init__()
        self.time_embed = TimeEmbedding(width)
        self.cond_embed = nn.Linear(condition_dim, width)
        self.input_proj = nn.Linear(token_dim, width)
        self.res_blocks = nn.ModuleList(ResidualBlock(width) for _ in range(depth))
        self.final_layer = FinalLayer(width, outputs)
        self._initialise()

    def _initialise(self) -> None:
        """Every block starts as the identity and the output as zero."""
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.xavier_uniform_(part.weight)
                nn.init.zeros_(part.bias)
        for part in self.time_embed.modules():
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, std=0.02)
        for layer in (*self.modulations(), self.final_layer.linear):
            nn.init.zeros_(layer.weight)

    def modulations(self) -> list[nn.Linear]:
        """The layers that make shifts, scales and gates: of every block, then of the last layer."""
        blocks: list[Any] = [*self.res_blocks, self.final_layer]
        return [block.adaLN_modulation[1] for block in blocks]

    def forward(self, x: Tensor, time: Tensor, z: Tensor) -> Tensor:
        """Denoise.

        Args:
            x: Noisy tokens, (N, D).
            time: Their times, (N,), on the scale of 0 to 1,000.
            z: What the transformer knows about them, (N, Z).

        Returns:
            (N, outputs).
        """
        condition = self.time_embed(time) + self.cond_embed(z)
        x = self.input_proj(x)
        for block in self.res_blocks:
            x = block(x, condition)
        return self.final_layer(x, condition)
