"""Encoders and decoders of the cross-modal autoencoder."""

from __future__ import annotations

from math import prod

from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from cardionets_mar3d.baseline_config import CrossAeConfig

_GROUPS = 8


def level_sizes(config: CrossAeConfig) -> list[tuple[int, int, int]]:
    """(t, h, w) of every level, the latent's own first; odd sizes are rounded up."""
    t, h, w = config.latent_shape[1:]
    sizes = [(t, h, w)]
    for _ in range(config.levels):
        t, h, w = -(-t // 2), -(-h // 2), -(-w // 2)
        sizes.append((t, h, w))
    return sizes


class LatentEncoder(nn.Module):
    """A latent (B, C, t, h, w) to an embedding (B, Z): a linear path, and convolutions besides."""

    def __init__(self, config: CrossAeConfig) -> None:
        super().__init__()
        width = config.channels
        self.enter = nn.Conv3d(config.latent_shape[0], width, 3, padding=1)
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(_GROUPS, width),
                nn.SiLU(),
                nn.Conv3d(width, width, 3, stride=2, padding=1),
            )
            for _ in range(config.levels)
        )
        self.leave = nn.Linear(width * prod(level_sizes(config)[-1]), config.shared_dim)
        self.linear = nn.Linear(prod(config.latent_shape), config.shared_dim, bias=False)

    def forward(self, latent: Tensor) -> Tensor:
        """Latents to embeddings."""
        x = self.enter(latent)
        for level in self.down:
            x = level(x)
        return self.leave(silu(x).flatten(1)) + self.linear(latent.flatten(1))


class LatentDecoder(nn.Module):
    """An embedding (B, Z) to a latent (B, C, t, h, w): the encoder's way back.

    The linear path knows the places in the image, which hearts share; without it, convolutions
    need many times the epochs to find them.
    """

    def __init__(self, config: CrossAeConfig) -> None:
        super().__init__()
        width = config.channels
        self.sizes = level_sizes(config)
        self.width = width
        self.enter = nn.Linear(config.shared_dim, width * prod(self.sizes[-1]))
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.Conv3d(width, width, 3, padding=1), nn.GroupNorm(_GROUPS, width), nn.SiLU()
            )
            for _ in range(config.levels)
        )
        self.leave = nn.Conv3d(width, config.latent_shape[0], 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        self.linear = nn.Linear(config.shared_dim, prod(config.latent_shape))

    def forward(self, embedded: Tensor) -> Tensor:
        """Embeddings to latents."""
        x = silu(self.enter(embedded)).view(-1, self.width, *self.sizes[-1])
        for level, size in zip(self.up, self.sizes[-2::-1], strict=True):
            # Convolved before it grows: an eighth of the work.
            x = interpolate(level(x), size, mode="nearest")
        shaped = self.leave(x)
        return shaped + self.linear(embedded).view_as(shaped)
