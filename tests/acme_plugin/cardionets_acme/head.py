"""Acme's head."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from cardionets_acme.config import AcmeLinearConfig
from cardionets_core import Features


class AcmeLinear(nn.Module):
    """The pooled vector to one logit per question.

    Args:
        config: Options.
        embed_dim: Width of a token; not used, as only the pooled vector is read.
        pooled_dim: Width of the pooled vector.
        outputs: Number of questions.
    """

    def __init__(
        self, config: AcmeLinearConfig, *, embed_dim: int, pooled_dim: int, outputs: int
    ) -> None:
        del embed_dim
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(pooled_dim, outputs)

    def forward(self, features: Features) -> Tensor:
        """Features to logits (B, outputs)."""
        return self.linear(self.dropout(features.pooled))

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy of logits and answers, both (B, outputs)."""
        return binary_cross_entropy_with_logits(outputs, target)

    def predict(self, outputs: Tensor) -> Tensor:
        """Logits to probabilities, (B, outputs)."""
        return outputs.sigmoid()
