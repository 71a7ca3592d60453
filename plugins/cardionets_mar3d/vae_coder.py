"""The two halves of the autoencoder.

Source: the published 3D autoencoder of CPGG, built anew from its layer table.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import silu
from torch.nn.grad import conv3d_weight

from cardionets_mar3d.vae_blocks import (
    Attention,
    Downsample,
    ResidualBlock,
    Upsample,
    channels_last,
    conv,
    fold,
    norm,
    unfold,
)
from cardionets_mar3d.vae_config import Vae3dConfig


def _blocks(inputs: int, outputs: int, number: int, groups: int) -> list[nn.Module]:
    """Residual blocks, the first of which changes the channels."""
    widths = [inputs] + [outputs] * number
    return [ResidualBlock(before, after, groups) for before, after in pairwise(widths)]


def _middle(config: Vae3dConfig) -> nn.Sequential:
    """What lies at the lowest resolution: all positions see each other here."""
    width, groups = config.level_channels[-1], config.groups
    if not config.attention:
        return nn.Sequential()
    return nn.Sequential(
        ResidualBlock(width, width, groups),
        Attention(width, groups, config.attention_heads),
        ResidualBlock(width, width, groups),
    )


class Encoder(nn.Module):
    """A cine to the channels of the moments."""

    def __init__(self, config: Vae3dConfig) -> None:
        super().__init__()
        widths, last = config.level_channels, len(config.multipliers) - 1
        self.patch = (config.patch_frames, config.patch)
        self.conv_in = conv(config.patch_frames * config.patch**2, widths[0])
        self.levels = nn.ModuleList()
        self.downsamples = nn.ModuleList()
        for level, width in enumerate(widths):
            before = widths[max(level - 1, 0)]
            self.levels.append(
                nn.Sequential(*_blocks(before, width, config.encoder_blocks, config.groups))
            )
            if level < last:
                in_time = level >= last - config.time_halvings
                self.downsamples.append(Downsample(width, in_time=in_time))
        self.middle = _middle(config)
        self.norm_out = norm(config.groups, widths[-1])
        self.conv_out = conv(widths[-1], 2 * config.latent_channels)

    def forward(self, cine: Tensor) -> Tensor:
        """(B, 1, T, H, W) to (B, 2 latent channels, t, h, w)."""
        hidden = channels_last(self.conv_in(fold(cine, *self.patch)))
        for level, blocks in enumerate(self.levels):
            hidden = blocks(hidden)
            if level < len(self.downsamples):
                hidden = self.downsamples[level](hidden)
        return self.conv_out(silu(self.norm_out(self.middle(hidden))))


class Decoder(nn.Module):
    """A latent to a cine; ``conv_out`` is where the adversarial term is balanced."""

    def __init__(self, config: Vae3dConfig) -> None:
        super().__init__()
        widths, last = config.level_channels, len(config.multipliers) - 1
        self.patch = (config.patch_frames, config.patch)
        self.conv_in = conv(config.latent_channels, widths[-1])
        self.middle = _middle(config)
        self.levels = nn.ModuleList()
        self.upsamples = nn.ModuleList()
        for level in range(last, -1, -1):
            before = widths[min(level + 1, last)]
            self.levels.append(
                nn.Sequential(*_blocks(before, widths[level], config.decoder_blocks, config.groups))
            )
            if level > 0:
                in_time = level > last - config.time_halvings
                self.upsamples.append(Upsample(widths[level], in_time=in_time))
        self.norm_out = norm(config.groups, widths[0])
        self.conv_out = conv(widths[0], config.patch_frames * config.patch**2)

    def features(self, latent: Tensor) -> Tensor:
        """What enters the last convolution, (B, channels, T, H/patch, W/patch)."""
        hidden = self.middle(self.conv_in(channels_last(latent)))
        for level, blocks in enumerate(self.levels):
            hidden = blocks(hidden)
            if level < len(self.upsamples):
                hidden = self.upsamples[level](hidden)
        return silu(self.norm_out(hidden))

    def project(self, features: Tensor) -> Tensor:
        """The last convolution: features to a cine (B, 1, T, H, W)."""
        return unfold(self.conv_out(features), *self.patch)

    def last_weight_grad(self, features: Tensor, cine_grad: Tensor) -> Tensor:
        """Gradient of the last convolution's weights, given that of the cine (B, 1, T, H, W)."""
        return conv3d_weight(  # type: ignore[no-untyped-call]
            features.detach().float(),
            self.conv_out.weight.shape,
            fold(cine_grad, *self.patch),
            padding=1,
        )
