"""Distances between cines as a frozen network sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, mse_loss

from cardionets_core.cmr.views import CANONICAL_SHAPE, CineView

Distance = Callable[[Tensor, Tensor], Tensor]


class TokenDistance:
    """Mean squared difference of a CMR encoder's tokens, each at mean 0 and SD 1.

    The encoder is frozen, and moved to wherever the cines are. This is no module, so that the
    encoder is neither trained nor saved with what uses it.

    Args:
        encoder: A CMR encoder.
        seen: What the autoencoder sees of a cine; brought to what the encoder sees, if that is
            something else.
    """

    def __init__(self, encoder: Any, seen: CineView) -> None:
        self._encoder = encoder.eval().requires_grad_(requires_grad=False)
        self._seen = seen
        self._sees_the_same = _see_the_same(encoder, seen)

    def __call__(self, cine: Tensor, reconstruction: Tensor) -> Tensor:
        """Distance of two batches of cines (B, 1, T, H, W)."""
        self._encoder.to(cine.device)
        with torch.no_grad():
            wanted = self._tokens(cine)
        return mse_loss(self._tokens(reconstruction), wanted)

    def _tokens(self, cine: Tensor) -> Tensor:
        view = cine.squeeze(1)
        if not self._sees_the_same:
            view = self._encoder.view(self._seen.restore(view))
        tokens = self._encoder(view).tokens.float()
        return layer_norm(tokens, tokens.shape[-1:])


def _see_the_same(encoder: Any, seen: CineView) -> bool:
    """Whether the encoder takes the same frames and pixels of a cine, tried with a made-up one."""
    made_up = torch.rand(1, *CANONICAL_SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    theirs, ours = encoder.view(made_up), seen.view(made_up)
    return theirs.shape == ours.shape and torch.allclose(theirs, ours, atol=1e-5)
