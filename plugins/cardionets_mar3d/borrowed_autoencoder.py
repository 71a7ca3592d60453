"""The frozen autoencoder that a generator computes with and does not own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cardionets_core.errors import UsageError, WeightsError
from cardionets_core.interfaces import Moments

# Relative difference of two latent scales that rounding alone can make.
_SCALE_TOLERANCE = 1e-5


class BorrowedAutoencoder:
    """Encodes and decodes with an autoencoder that is never trained or saved with its user.

    No module itself, so that a generator that holds it does not register its parameters.

    Args:
        autoencoder: Of ``cardionets_core.interfaces.Autoencoder``.
        latent_shape: (C, t, h, w) that the generator works on.
        trained_scale: ``latent_scale`` of the autoencoder that the generator was trained with, 0
            if it was not.

    Raises:
        WeightsError: If the autoencoder is another one than the generator can work with.
    """

    def __init__(
        self, autoencoder: Any, latent_shape: tuple[int, int, int, int], trained_scale: float
    ) -> None:
        found = tuple(autoencoder.latent_shape)
        if found != latent_shape:
            raise WeightsError(
                f"the autoencoder's latents are {found}, but the generator draws {latent_shape}; "
                "name the autoencoder that it was trained with, or change the generator's options"
            )
        scale = float(autoencoder.latent_scale)
        if trained_scale > 0 and abs(scale / trained_scale - 1) > _SCALE_TOLERANCE:
            raise WeightsError(
                f"wrong latent scale: the autoencoder has {scale:.6g}, but the generator was "
                f"trained with {trained_scale:.6g}; name the autoencoder that it was trained with"
            )
        self.autoencoder = autoencoder.eval().requires_grad_(False)
        self.latent_scale = scale

    @torch.no_grad()
    def moments(self, cine: Tensor) -> Moments:
        """Moments (B, C, t, h, w) float32 of the latents of cines (B, 1, T, H, W)."""
        moments: Moments = self._on(cine.device).encode(cine)
        return Moments(moments.mean.float(), moments.log_variance.float())

    @torch.no_grad()
    def encode(self, cine: Tensor) -> Tensor:
        """Mean latents (B, C, t, h, w) float32 of cines (B, 1, T, H, W)."""
        return self.moments(cine).mean

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """Cines (B, 1, T, H, W) float32 in [-1, 1] of latents (B, C, t, h, w)."""
        cine: Tensor = self._on(latent.device).decode(latent)
        return cine.float().clamp(-1.0, 1.0)

    def _on(self, device: torch.device) -> Any:
        """The autoencoder, on the device of what it is given."""
        if self.autoencoder.latent_scale.device != device:
            self.autoencoder.to(device)
        # A parent's train() cannot reach it, but its owner's could.
        return self.autoencoder.eval()


def require_borrowed(borrowed: BorrowedAutoencoder | None) -> BorrowedAutoencoder:
    """The autoencoder, if there is one.

    Raises:
        UsageError: If ``use`` was not called.
    """
    if borrowed is None:
        raise UsageError(
            "the generator has no autoencoder; call use(autoencoder=...) with the one that it "
            "was trained with"
        )
    return borrowed
