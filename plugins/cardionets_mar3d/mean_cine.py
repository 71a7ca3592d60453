"""Baseline: the mean training cine, whatever the condition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor

from cardionets_core.errors import TrainingError
from cardionets_mar3d.asked import check_sampling
from cardionets_mar3d.baseline_config import MeanCineConfig
from cardionets_mar3d.condition_scaler import require_width
from cardionets_mar3d.pixel_baseline import PixelBaseline


class MeanCine(PixelBaseline):
    """The mean over the training subjects' views: what a generator must beat.

    Args:
        config: Options.
        condition_dim: Width C of the condition, which is not looked at.
    """

    condition: Literal["ecg"] = "ecg"
    mean: Tensor
    subjects: Tensor

    def __init__(self, config: MeanCineConfig, *, condition_dim: int) -> None:
        super().__init__(config)
        self.condition_dim = condition_dim
        self.register_buffer("mean", torch.zeros(self.cine_shape))
        self.register_buffer("subjects", torch.tensor(0))

    @torch.no_grad()
    def fit(self, condition: Tensor, views: Iterable[Tensor]) -> None:
        """Average blocks of views (b, T, H, W) in float64; the conditions are not looked at.

        Raises:
            TrainingError: If there is no cine.
        """
        total = torch.zeros(self.cine_shape, dtype=torch.float64)
        count = 0
        for block in views:
            total += self.view(block).sum(dim=0, dtype=torch.float64).cpu()
            count += len(block)
        if count == 0:
            raise TrainingError("there is no training cine to average; prepare a larger cohort")
        self.mean.copy_(total / count)
        self.subjects.fill_(count)

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        *,
        seed: int | Sequence[int],
        steps: int | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        """The mean cine (B, 1, T, H, W) for each of the conditions (B, C).

        Raises:
            TrainingError: If it was neither fitted nor filled.
            UsageError: If steps or guidance make no sense.
            WeightsError: If the conditions have another width.
        """
        require_width(condition, self.condition_dim)
        check_sampling(len(condition), seed, steps, guidance)
        if int(self.subjects) == 0:
            raise TrainingError(
                "mean-cine was not fitted; call fit() or load trained weights first"
            )
        return self.mean.expand(len(condition), 1, *self.cine_shape).clone()
