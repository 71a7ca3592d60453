"""The masked encoder-decoder: from the tokens that are known to a vector per token that is not.

Source: Li et al. 2024, on the ground of MAE (He et al. 2022). Names of parameters are those of the
published implementation, so that its weights load.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu, linear, scaled_dot_product_attention

from cardionets_mar3d.mar_config import MarConfig

NORM_EPS = 1e-6


class Attention(nn.Module):
    """Bidirectional self-attention of some rows to all of them."""

    def __init__(self, width: int, heads: int, drop: float) -> None:
        super().__init__()
        self.heads, self.drop = heads, drop
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Attend over (B, N, W); ``rows`` (B, R) picks the rows that are answered for."""
        batch, _, width = x.shape
        if rows is None:
            query, key, value = self.qkv(x).chunk(3, dim=-1)
        else:
            weight, bias = self.qkv.weight, self.qkv.bias
            query = linear(take(x, rows), weight[:width], bias[:width])
            key, value = linear(x, weight[width:], bias[width:]).chunk(2, dim=-1)
        query, key, value = (
            part.view(batch, -1, self.heads, width // self.heads).transpose(1, 2)
            for part in (query, key, value)
        )
        drop = self.drop if self.training else 0.0
        mixed = attend(query, key, value, drop)
        out = self.proj(mixed.transpose(1, 2).reshape(batch, -1, width))
        return dropout(out, self.drop, self.training)


def attend(query: Tensor, key: Tensor, value: Tensor, drop: float) -> Tensor:
    """Mix values by the softmax of scaled products, (B, heads, N, head width)."""
    if query.device.type == "cpu" and query.dtype == torch.bfloat16:
        # Torch's fused one is as slow as in float32 here; products run at the rate of bf16.
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
        return dropout(scores.softmax(dim=-1), drop, drop > 0) @ value
    return scaled_dot_product_attention(query, key, value, dropout_p=drop)


class Mlp(nn.Module):
    """Two linear layers with the exact (erf) GELU between them."""

    def __init__(self, width: int, hidden: int, drop: float) -> None:
        super().__init__()
        self.drop = drop
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., W) to (..., W)."""
        hidden = dropout(gelu(self.fc1(x)), self.drop, self.training)
        return dropout(self.fc2(hidden), self.drop, self.training)


class Block(nn.Module):
    """Attention, then MLP, each on normalised tokens and added to its input."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, drop: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn = Attention(width, heads, drop)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width, round(width * mlp_ratio), drop)

    def forward(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Map tokens (B, N, W) to (B, N, W), or to (B, R, W) where only some rows are wanted."""
        mixed = self.attn(self.norm1(x), rows)
        x = (x if rows is None else take(x, rows)) + mixed
        return x + self.mlp(self.norm2(x))


def take(tokens: Tensor, places: Tensor) -> Tensor:
    """Tokens (B, N, W) at places (B, R): (B, R, W)."""
    return tokens.gather(1, places.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


class MaskedTransformer(nn.Module):
    """Encodes condition and known tokens, decodes a vector for each unknown one.

    Args:
        tokens: Tokens of a latent, L.
        token_dim: Numbers of a token, D.
        condition_dim: Width of the condition, C.
        config: Widths, depths and heads.
    """

    def __init__(self, tokens: int, token_dim: int, condition_dim: int, config: MarConfig) -> None:
        super().__init__()
        width, decoder_width, slots = config.width, config.decoder_width, config.buffer_tokens
        self.tokens, self.buffer_tokens = tokens, slots
        self.class_emb = nn.Linear(condition_dim, width)
        self.fake_latent = nn.Parameter(torch.empty(1, width))
        self.z_proj = nn.Linear(token_dim, width)
        self.encoder_pos_embed_learned = nn.Parameter(torch.empty(1, slots + tokens, width))
        self.z_proj_ln = nn.LayerNorm(width, eps=NORM_EPS)
        self.encoder_blocks = _blocks(width, config.depth, config.heads, config)
        self.encoder_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.decoder_embed = nn.Linear(width, decoder_width)
        self.mask_token = nn.Parameter(torch.empty(1, 1, decoder_width))
        self.decoder_pos_embed_learned = nn.Parameter(torch.empty(1, slots + tokens, decoder_width))
        self.decoder_blocks = _blocks(
            decoder_width, config.decoder_depth, config.decoder_heads, config
        )
        self.decoder_norm = nn.LayerNorm(decoder_width, eps=NORM_EPS)
        self.diffusion_pos_embed_learned = nn.Parameter(torch.empty(1, tokens, decoder_width))
        self._initialise()

    def _initialise(self) -> None:
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.xavier_uniform_(part.weight)
                nn.init.zeros_(part.bias)
        for parameter in (
            self.fake_latent,
            self.mask_token,
            self.encoder_pos_embed_learned,
            self.decoder_pos_embed_learned,
            self.diffusion_pos_embed_learned,
        ):
            nn.init.normal_(parameter, std=0.02)

    def embed_condition(self, condition: Tensor, dropped: Tensor | None = None) -> Tensor:
        """Standardised conditions (B, C) to vectors (B, W).

        Args:
            condition: Conditions.
            dropped: (B,), True where the learned stand-in for no condition is taken.
        """
        embedded = self.class_emb(condition)
        if dropped is None:
            return embedded
        return torch.where(dropped[:, None], self.fake_latent.to(embedded.dtype), embedded)

    def encode(self, known: Tensor, places: Tensor, condition: Tensor) -> Tensor:
        """Encode known tokens.

        Args:
            known: Known tokens, (B, V, D).
            places: Their places, (B, V).
            condition: Embedded conditions, (B, W).

        Returns:
            (B, buffer + V, W), the condition's slots first.
        """
        slots, table = self.buffer_tokens, self.encoder_pos_embed_learned
        front = condition[:, None] + table[:, :slots]
        body = self.z_proj(known) + table[0, slots:][places]
        x = self.z_proj_ln(torch.cat((front, body), dim=1))
        for block in self.encoder_blocks:
            x = block(x)
        return self.encoder_norm(x)

    def decode(self, encoded: Tensor, places: Tensor, wanted: Tensor) -> Tensor:
        """Decode what was encoded into a vector for each wanted token.

        Args:
            encoded: (B, buffer + V, W).
            places: Places of the known tokens, (B, V).
            wanted: Places to answer for, (B, R); the last block computes no others.

        Returns:
            (B, R, Z).
        """
        slots, batch = self.buffer_tokens, len(encoded)
        x = self.decoder_embed(encoded)
        body = self.mask_token.to(x.dtype).expand(batch, self.tokens, -1)
        index = places.unsqueeze(-1).expand(-1, -1, x.shape[-1])
        body = body.scatter(1, index, x[:, slots:])
        x = torch.cat((x[:, :slots], body), dim=1) + self.decoder_pos_embed_learned
        for block in self.decoder_blocks[:-1]:
            x = block(x)
        x = self.decoder_blocks[-1](x, wanted + slots)
        return self.decoder_norm(x) + self.diffusion_pos_embed_learned[0][wanted]

    def forward(self, known: Tensor, places: Tensor, condition: Tensor, wanted: Tensor) -> Tensor:
        """A vector (B, R, Z) for each wanted token; arguments as of ``encode`` and ``decode``."""
        return self.decode(self.encode(known, places, condition), places, wanted)


def _blocks(width: int, depth: int, heads: int, config: MarConfig) -> nn.ModuleList:
    return nn.ModuleList(
        Block(width, heads, config.mlp_ratio, config.dropout) for _ in range(depth)
    )
