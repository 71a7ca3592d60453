"""The linear head."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cardionets_core.interfaces import Features
from cardionets_core.spec import TargetKind
from cardionets_tasks.closed_form import closed_form
from cardionets_tasks.config import LinearConfig
from cardionets_tasks.heads import TaskHead


class Linear(TaskHead):
    """The pooled feature to the outputs by one linear layer.

    Args:
        config: Options.
        embed_dim: Width of a token; not used, as only the pooled feature is read.
        pooled_dim: Width of the pooled feature.
        outputs: Number of outputs.
        target: Kind of the target.
    """

    def __init__(
        self,
        config: LinearConfig,
        *,
        embed_dim: int,
        pooled_dim: int,
        outputs: int,
        target: TargetKind,
    ) -> None:
        del embed_dim
        super().__init__(outputs=outputs, target=target)
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(pooled_dim, outputs)

    def forward(self, features: Features) -> Tensor:
        """Features to logits or scaled quantities, (B, outputs)."""
        raw: Tensor = self.linear(self.dropout(features.pooled))
        return raw

    @torch.no_grad()
    def start(self, pooled: Tensor, target: Tensor, *, seed: int) -> None:
        """Begin from ridge or logistic regression on features of the untrained encoder.

        Args:
            pooled: Pooled features of the training records, (n, P).
            target: Their targets, as ``loss`` takes them, (n, T).
            seed: Seed of the inner cross-validation that chooses the penalty.

        Raises:
            TrainingError: If the features are not finite, or the targets name one class only.

        Source: Kumar et al., ICLR 2022 (linear probing, then fine-tuning).
        """
        scaled = self.scaled(target.to(self.linear.weight.device))
        weight, bias = closed_form(
            self.target,
            pooled.detach().cpu().numpy().astype(np.float64),
            scaled.cpu().numpy().astype(np.float64),
            classes=self.outputs,
            seed=seed,
        )
        self.linear.weight.copy_(torch.from_numpy(weight))
        self.linear.bias.copy_(torch.from_numpy(bias))
