"""Baseline: the cine of the training subject whose condition is the most similar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from cardionets_core.errors import TrainingError
from cardionets_mar3d.asked import check_sampling
from cardionets_mar3d.baseline_config import NearestCineConfig
from cardionets_mar3d.condition_scaler import ConditionScaler
from cardionets_mar3d.pixel_baseline import PixelBaseline


class NearestCine(PixelBaseline):
    """Gives back a real training cine: a generator must beat it, and must not do the same.

    It keeps ``bank_size`` training subjects at most: their views in 8 bits, and their standardised
    conditions. Its weights therefore hold the cines of these subjects.

    Args:
        config: Options.
        condition_dim: Width C of the condition.
    """

    bank_cines: Tensor
    bank_conditions: Tensor

    def __init__(self, config: NearestCineConfig, *, condition_dim: int) -> None:
        super().__init__(config)
        self.config = config
        self.condition = config.condition
        self.scaler = ConditionScaler(condition_dim)
        self._allocate(0)

    def _allocate(self, subjects: int) -> None:
        """Empty buffers for so many subjects, where the present ones are."""
        device = self.scaler.mean.device
        cines = torch.zeros(subjects, *self.cine_shape, dtype=torch.uint8, device=device)
        conditions = torch.zeros(subjects, self.scaler.width, device=device)
        self.register_buffer("bank_cines", cines)
        self.register_buffer("bank_conditions", conditions)

    @torch.no_grad()
    def fit(self, condition: Tensor, views: Iterable[Tensor]) -> None:
        """Keep the training conditions (n, C) and the views (b, T, H, W) of the same subjects.

        Of more subjects than fit, torch's global generator says which are kept.

        Raises:
            TrainingError: If conditions and views differ in number, or conditions cannot be used.
            WeightsError: If conditions have another width.
        """
        self.scaler.fit(condition)
        rows = self._chosen(len(condition))
        self._allocate(len(rows))
        self.bank_conditions.copy_(normalize(self.scaler(condition.to(rows.device)[rows].float())))
        seen = kept = 0
        for block in views:
            inside = rows[(rows >= seen) & (rows < seen + len(block))] - seen
            pixels = _as_bytes(self.view(block)[inside.to(block.device)])
            self.bank_cines[kept : kept + len(inside)] = pixels
            seen, kept = seen + len(block), kept + len(inside)
        if seen != len(condition):
            raise TrainingError(
                f"{seen} training cines for {len(condition)} conditions; give one view per "
                "condition, in the same order"
            )

    def _chosen(self, subjects: int) -> Tensor:
        """Rows of the subjects that are kept, ascending, on the CPU."""
        return torch.randperm(subjects)[: self.config.bank_size].sort().values

    @torch.no_grad()
    def nearest(self, condition: Tensor) -> Tensor:
        """Places in the bank (B,) of the subjects with the highest cosine similarity.

        Raises:
            TrainingError: If it was neither fitted nor filled.
            WeightsError: If the conditions have another width.
        """
        standardised = self.scaler(condition)
        self.scaler.require_fit()
        with torch.autocast(condition.device.type, enabled=False):
            return (standardised.float() @ self.bank_conditions.T).argmax(dim=1)

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        *,
        seed: int | Sequence[int],
        steps: int | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        """The nearest training subjects' cines (B, 1, T, H, W) for conditions (B, C).

        Raises:
            TrainingError: If it was neither fitted nor filled.
            UsageError: If steps or guidance make no sense.
            WeightsError: If the conditions have another width.
        """
        check_sampling(len(condition), seed, steps, guidance)
        return _as_cine(self.bank_cines[self.nearest(condition)]).unsqueeze(1)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Make room for as many subjects as the state holds; what they are is checked after."""
        found = state_dict.get(f"{prefix}bank_cines")
        if isinstance(found, Tensor) and found.ndim == self.bank_cines.ndim:
            self._allocate(len(found))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _as_bytes(view: Tensor) -> Tensor:
    """Pixels in [-1, 1] as 8 bits."""
    return ((view + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _as_cine(pixels: Tensor) -> Tensor:
    """8-bit pixels as numbers in [-1, 1]."""
    return pixels.float() / 127.5 - 1.0
