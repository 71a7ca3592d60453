"""The pre-norm transformer block of the ECG encoder and its decoder."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import gelu

from cardionets_encoders.attention import self_attend


class Attention(nn.Module):
    """Self-attention whose heads may together be wider or narrower than a token.

    Source: Vaswani et al. 2017; head width apart from token width as in ST-MEM.
    """

    def __init__(self, width: int, heads: int, head_dim: int) -> None:
        super().__init__()
        inner = heads * head_dim
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * inner)
        # One head as wide as a token needs no projection; published ST-MEM weights have none then.
        single = heads == 1 and head_dim == width
        self.project: nn.Module = nn.Identity() if single else nn.Linear(inner, width)

    def forward(self, x: Tensor, key_mask: Tensor | None = None) -> Tensor:
        """Attend over (B, N, D); ``key_mask`` (B, 1, 1, N) is True where a token may be seen."""
        return self.project(self_attend(self.qkv(x), self.heads, key_mask))


class Mlp(nn.Module):
    """Two linear layers with the exact (erf) GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., D) to (..., D)."""
        return self.contract(gelu(self.expand(x)))


class Block(nn.Module):
    """Attention, then MLP, each on normalised tokens and added to its input."""

    def __init__(self, width: int, heads: int, head_dim: int, mlp_ratio: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, head_dim)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = Mlp(width, round(width * mlp_ratio))

    def forward(self, x: Tensor, key_mask: Tensor | None = None) -> Tensor:
        """Map tokens (B, N, D) to (B, N, D)."""
        x = x + self.attention(self.attention_norm(x), key_mask)
        return x + self.mlp(self.mlp_norm(x))


def initialise(module: nn.Module) -> None:
    """Glorot-uniform weights and zero biases for every linear layer, as MAE begins.

    A convolution that cuts patches counts as a linear layer over a patch's pixels.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(part.weight.detach().flatten(1))
            if part.bias is not None:
                nn.init.zeros_(part.bias)
