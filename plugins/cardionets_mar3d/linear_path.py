"""A linear way around the networks of the autoencoder, for models that are trained for minutes.

Hearts of a cohort lie in one place, which convolutions cannot know. Tables of what all cines share
at each place, and a linear map of boxes of pixels to a latent cell and back, leave the networks the
rest to learn.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cardionets_mar3d.vae_blocks import ResidualBlock, fold, unfold
from cardionets_mar3d.vae_config import Vae3dConfig

# Latents are told nearly exactly at first: their noise would only be in the way.
_FIRST_LOG_VARIANCE = -6.0


class LinearPath(nn.Module):
    """What all cines share, and a linear map beside both networks.

    Args:
        config: Options of the autoencoder.
    """

    def __init__(self, config: Vae3dConfig) -> None:
        super().__init__()
        self.box = (config.time_factor, config.space_factor)
        pixels = config.time_factor * config.space_factor**2
        self.mean_cine = nn.Parameter(torch.zeros(1, 1, *config.cine_shape))
        self.positions = nn.Parameter(torch.zeros(1, *config.latent_shape))
        self.to_latent = nn.Conv3d(pixels, config.latent_channels, 1, bias=False)
        self.to_cine = nn.Conv3d(config.latent_channels, pixels, 1)

    def encode(self, centred: Tensor) -> Tensor:
        """Cines (B, 1, T, H, W) without what they share to a part of the latent's mean."""
        return self.to_latent(fold(centred, *self.box)).float()

    def decode(self, latent: Tensor) -> Tensor:
        """A latent (B, C, t, h, w) to a part of the cine (B, 1, T, H, W), its mean included."""
        return unfold(self.to_cine(latent).float(), *self.box) + self.mean_cine


@torch.no_grad()
def start_near_linear(module: nn.Module, to_moments: nn.Conv3d) -> None:
    """Initial weights with which the networks pass their input on, and latents are nearly exact."""
    for part in module.modules():
        if isinstance(part, nn.Conv3d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="linear")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    for part in module.modules():
        if isinstance(part, ResidualBlock):
            nn.init.zeros_(part.conv2.weight)
    half = to_moments.out_channels // 2
    if to_moments.bias is not None:
        to_moments.bias[half:] = _FIRST_LOG_VARIANCE
