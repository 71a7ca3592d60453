"""Smaller views of a canonical cine, and back: fewer frames, and neighbouring pixels averaged."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from cardionets_core.errors import CineError

CANONICAL_SHAPE = (50, 96, 96)


@dataclass(frozen=True, slots=True)
class CineView:
    """What a model sees of a canonical cine (50, 96, 96).

    Attributes:
        frame_start: First frame that is seen.
        frame_step: Distance between the frames that are seen; it divides 50, so that they lie
            evenly around the cycle.
        spatial_pool: Side of the squares that are averaged into one pixel.
    """

    frame_start: int = 0
    frame_step: int = 1
    spatial_pool: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, H, W) of a view."""
        frames, height, width = CANONICAL_SHAPE
        seen = len(range(self.frame_start, frames, self.frame_step))
        return seen, height // self.spatial_pool, width // self.spatial_pool

    def view(self, cine: Tensor) -> Tensor:
        """Canonical cines (B, 50, 96, 96) in [-1, 1], or views of them, to views (B, T, H, W).

        Raises:
            CineError: If the shape is neither, or the pixels are integers.
        """
        if not cine.is_floating_point():
            raise CineError(
                f"cine holds {cine.dtype}, but numbers in [-1, 1] are needed: x / 127.5 - 1"
            )
        if cine.ndim == 4 and tuple(cine.shape[1:]) == self.shape:
            return cine
        if cine.ndim != 4 or tuple(cine.shape[1:]) != CANONICAL_SHAPE:
            raise CineError(
                f"cine batch has shape {tuple(cine.shape)}, but (batch, T, H, W) with T, H, W = "
                f"{CANONICAL_SHAPE} or {self.shape} is needed; prepare the cine again"
            )
        return avg_pool2d(cine[:, self.frame_start :: self.frame_step], self.spatial_pool)

    def restore(self, view: Tensor) -> Tensor:
        """Views (B, T, H, W) as canonical cines (B, 50, 96, 96).

        Frames in between are interpolated linearly around the cycle, pixels bilinearly.

        Raises:
            CineError: If the shape is not that of a view.
        """
        if view.ndim != 4 or tuple(view.shape[1:]) != self.shape:
            raise CineError(
                f"views have shape {tuple(view.shape)}, but (batch, T, H, W) with T, H, W = "
                f"{self.shape} is needed; name the weights that they were made with"
            )
        return self._in_space(self._in_time(view)).clamp(-1.0, 1.0)

    def _in_time(self, view: Tensor) -> Tensor:
        if self.frame_step == 1:
            return view
        frames, seen = CANONICAL_SHAPE[0], self.shape[0]
        place = (torch.arange(frames, device=view.device) - self.frame_start) / self.frame_step
        before = place.floor()
        share = (place - before).to(view.dtype)[:, None, None]
        before = before.long() % seen
        return torch.lerp(view[:, before], view[:, (before + 1) % seen], share)

    def _in_space(self, cine: Tensor) -> Tensor:
        if self.spatial_pool == 1:
            return cine
        return interpolate(cine, CANONICAL_SHAPE[1:], mode="bilinear", align_corners=False)
