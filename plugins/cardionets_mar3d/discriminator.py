"""The 3D patch discriminator.

Source: Isola et al. 2017 in three dimensions, with the kernels of the published autoencoder.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import nn


class _Layer(NamedTuple):
    """One convolution, 4 x 4 in space: its output channels, kernel in time and stride."""

    channels: int
    time_kernel: int
    stride: int


_LAYERS = (
    _Layer(64, 4, 2),
    _Layer(128, 4, 2),
    _Layer(256, 3, 2),
    _Layer(512, 1, 1),
    _Layer(1, 1, 1),
)


class PatchDiscriminator(nn.Sequential):
    """Tells real from reconstructed cines, patch by patch; (B, 1, T, H, W) to (B, 1, t, h, w)."""

    def __init__(self) -> None:
        modules: list[nn.Module] = []
        before = 1
        for place, layer in enumerate(_LAYERS):
            ends = place in (0, len(_LAYERS) - 1)
            modules.append(
                nn.Conv3d(
                    before,
                    layer.channels,
                    (layer.time_kernel, 4, 4),
                    stride=layer.stride,
                    padding=(int(layer.time_kernel > 1), 1, 1),
                    bias=ends,
                )
            )
            if not ends:
                modules.append(nn.BatchNorm3d(layer.channels))
            if place < len(_LAYERS) - 1:
                modules.append(nn.LeakyReLU(0.2))
            before = layer.channels
        super().__init__(*modules)
        self.apply(_initialise)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm3d):
        nn.init.normal_(module.weight, 1.0, 0.02)
