"""Acme's head."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from cardionets_acme.config import AcmeLinearConfig
from cardionets_core import Features
from cardionets_core.errors import ConfigError
from cardionets_core.spec import TargetKind


class AcmeLinear(nn.Module):
    """The pooled vector to one logit per question.

    Args:
        config: Options.
        embed_dim: Width of a token; not used, as only the pooled vector is read.
        pooled_dim: Width of the pooled vector.
        outputs: Number of questions.
        target: Kind of the target.

    Raises:
        ConfigError: If the target is neither binary nor multilabel.
    """

    def __init__(
        self,
        config: AcmeLinearConfig,
        *,
        embed_dim: int,
        pooled_dim: int,
        outputs: int,
        target: TargetKind,
    ) -> None:
        del embed_dim
        if target not in {"binary", "multilabel"}:
            raise ConfigError(f"acme-linear answers yes or no, not {target}; use --head linear")
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(pooled_dim, outputs)

    def forward(self, features: Features) -> Tensor:
        """Features to logits (B, outputs)."""
        return self.linear(self.dropout(features.pooled))

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy of logits and known answers, both (B, outputs); NaN is unknown."""
        known = ~target.isnan()
        # NaN times 0 is NaN: a number has to stand where nothing is known.
        answers = target.nan_to_num(0.0)
        total = binary_cross_entropy_with_logits(outputs, answers, known, reduction="sum")
        return total / known.sum().clamp_min(1)

    def predict(self, outputs: Tensor) -> Tensor:
        """Logits to probabilities, (B, outputs)."""
        return outputs.sigmoid()
