"""The head with hidden layers."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from cardionets_core.interfaces import Features
from cardionets_core.spec import TargetKind
from cardionets_tasks.config import MlpConfig
from cardionets_tasks.heads import TaskHead

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}


class Mlp(TaskHead):
    """The pooled feature to the outputs by way of hidden layers.

    Args:
        config: Options.
        embed_dim: Width of a token; not used, as only the pooled feature is read.
        pooled_dim: Width of the pooled feature.
        outputs: Number of outputs.
        target: Kind of the target.
    """

    def __init__(
        self,
        config: MlpConfig,
        *,
        embed_dim: int,
        pooled_dim: int,
        outputs: int,
        target: TargetKind,
    ) -> None:
        del embed_dim
        super().__init__(outputs=outputs, target=target)
        layers: list[nn.Module] = []
        for width, next_width in pairwise((pooled_dim, *config.widths)):
            layers += [
                nn.Linear(width, next_width),
                _ACTIVATIONS[config.activation](),
                nn.Dropout(config.dropout),
            ]
        self.layers = nn.Sequential(*layers, nn.Linear(config.widths[-1], outputs))

    def forward(self, features: Features) -> Tensor:
        """Features to logits or scaled quantities, (B, outputs)."""
        raw: Tensor = self.layers(features.pooled)
        return raw
