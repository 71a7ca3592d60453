"""The head that attends to tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from cardionets_core.errors import ConfigError
from cardionets_core.interfaces import Features
from cardionets_core.spec import TargetKind
from cardionets_tasks.config import AttentionConfig
from cardionets_tasks.heads import TaskHead


class Attention(TaskHead):
    """A learnt query attends to the tokens; one linear layer makes the outputs of what it finds.

    Args:
        config: Options.
        embed_dim: Width of a token.
        pooled_dim: Width of the pooled feature; not used, as only tokens are read.
        outputs: Number of outputs.
        target: Kind of the target.

    Raises:
        ConfigError: If the attention heads do not divide the width of a token.

    Source: the pooling by a learnt seed of Lee et al., Set Transformer, ICML 2019, without its
    feed-forward layers.
    """

    def __init__(
        self,
        config: AttentionConfig,
        *,
        embed_dim: int,
        pooled_dim: int,
        outputs: int,
        target: TargetKind,
    ) -> None:
        del pooled_dim
        super().__init__(outputs=outputs, target=target)
        if embed_dim % config.heads:
            raise ConfigError(
                f"head.heads = {config.heads} does not divide the encoder's token width "
                f"{embed_dim}; choose a divisor"
            )
        self.norm = nn.LayerNorm(embed_dim)
        self.query = nn.Parameter(torch.empty(config.heads, 1, embed_dim // config.heads))
        nn.init.trunc_normal_(self.query, std=0.02)
        # A bias of the keys would raise all scores of a query alike, and the softmax drops it.
        self.key = nn.Linear(embed_dim, embed_dim, bias=False)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(embed_dim, outputs)

    def forward(self, features: Features) -> Tensor:
        """Features to logits or scaled quantities, (B, outputs)."""
        tokens = self.norm(features.tokens)
        heads = len(self.query)
        keys, values = (
            layer(tokens).unflatten(2, (heads, -1)).transpose(1, 2)
            for layer in (self.key, self.value)
        )
        query = self.query.expand(len(tokens), -1, -1, -1)
        found = scaled_dot_product_attention(
            query.to(keys.dtype), keys, values, attn_mask=_present(features.tokens)
        )
        raw: Tensor = self.linear(self.dropout(found.flatten(1)))
        return raw


def _present(tokens: Tensor) -> Tensor:
    """Tokens to attend to, (B, 1, 1, N): encoders give zeros for a lead that is absent."""
    present = (tokens != 0).any(dim=2)
    # A softmax over nothing is NaN.
    return (present | ~present.any(dim=1, keepdim=True))[:, None, None]
