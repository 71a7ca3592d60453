"""What generators share that draw the latents of an autoencoder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from cardionets_mar3d.borrowed_autoencoder import BorrowedAutoencoder, require_borrowed
from cardionets_mar3d.condition_scaler import ConditionScaler


class LatentGenerator(nn.Module):
    """Holds a frozen autoencoder, which is not its own, and standardises conditions.

    Args:
        latent_shape: (C, t, h, w) of the latents that it draws.
        condition_dim: Width C of the condition.

    Attributes:
        cine_shape: (T, H, W) of what it draws: that of its autoencoder, and 0 until it has one.
        latent_scale: That of the autoencoder that it was trained with, and 0 until it is.
    """

    trained_by_steps = True
    latent_scale: Tensor

    def __init__(self, latent_shape: tuple[int, int, int, int], condition_dim: int) -> None:
        super().__init__()
        self.latent_shape = latent_shape
        self.cine_shape: tuple[int, int, int] = (0, 0, 0)
        self.scaler = ConditionScaler(condition_dim)
        self.register_buffer("latent_scale", torch.zeros(()))
        self._borrowed: BorrowedAutoencoder | None = None

    @property
    def borrowed(self) -> BorrowedAutoencoder:
        """The autoencoder.

        Raises:
            UsageError: If ``use`` was not called.
        """
        return require_borrowed(self._borrowed)

    def use(self, *, autoencoder: Any) -> None:
        """Work on the latents of this autoencoder, which is frozen.

        Raises:
            WeightsError: If it is another one than this generator can work with.
        """
        self._borrowed = BorrowedAutoencoder(
            autoencoder, self.latent_shape, float(self.latent_scale)
        )
        self.cine_shape = tuple(autoencoder.cine_shape)

    def view(self, cine: Tensor) -> Tensor:
        """What it draws of canonical cines (B, 50, 96, 96) in [-1, 1]: (B, T, H, W)."""
        view: Tensor = self.borrowed.autoencoder.view(cine)
        return view

    def restore(self, view: Tensor) -> Tensor:
        """Views (B, T, H, W) as canonical cines (B, 50, 96, 96)."""
        cine: Tensor = self.borrowed.autoencoder.restore(view)
        return cine

    @torch.no_grad()
    def fit(self, condition: Tensor, views: Iterable[Tensor]) -> None:
        """Take mean and SD of the training conditions (n, C); the views are not looked at.

        Raises:
            TrainingError: If the conditions cannot be standardised.
            UsageError: If ``use`` was not called.
            WeightsError: If they have another width.
        """
        self.latent_scale.fill_(self.borrowed.latent_scale)
        self.scaler.fit(condition)
