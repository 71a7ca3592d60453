"""What the baselines that work on pixels share: nothing to train, a view of their own."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from cardionets_core.cmr.views import CineView
from cardionets_core.errors import UsageError
from cardionets_core.interfaces import LossAndLog
from cardionets_mar3d.baseline_config import ViewOptions


class PixelBaseline(nn.Module):
    """A generator that ``fit`` alone trains; equal conditions give equal cines.

    Args:
        config: What it sees of a cine.
    """

    trained_by_steps = False
    deterministic = True

    def __init__(self, config: ViewOptions) -> None:
        super().__init__()
        self.cine_view = CineView(config.frame_start, config.frame_step, config.spatial_pool)
        self.cine_shape = self.cine_view.shape

    def view(self, cine: Tensor) -> Tensor:
        """What it draws of canonical cines (B, 50, 96, 96) in [-1, 1]: (B, T, H, W)."""
        return self.cine_view.view(cine)

    def restore(self, view: Tensor) -> Tensor:
        """Views (B, T, H, W) as canonical cines (B, 50, 96, 96)."""
        return self.cine_view.restore(view)

    def target(self, cine: Tensor) -> Tensor:
        """Not there: no step trains it.

        Raises:
            UsageError: Always.
        """
        raise self._nothing_to_train()

    def loss(self, target: Tensor, condition: Tensor, *, noise: Any = None) -> LossAndLog:
        """Not there: no step trains it.

        Raises:
            UsageError: Always.
        """
        raise self._nothing_to_train()

    def _nothing_to_train(self) -> UsageError:
        return UsageError(
            f"{type(self).__name__} has no loss: trained_by_steps is False; call fit() alone"
        )
