"""The denoiser as sampling runs it: what the steps share is computed once.

Exact up to rounding: conditions are projected once a token instead of once a step, times are
embedded ahead, and under guidance both halves share what depends on the token alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear, silu

from cardionets_mar3d.denoiser import Denoiser

NORM_EPS = 1e-6


class StepDenoiser:
    """A denoiser for the given times, in numbers of one type.

    Args:
        net: The denoiser.
        times: Times of the steps, (S,), in any order.
        dtype: What the matrix products compute in.
    """

    def __init__(self, net: Denoiser, times: Sequence[float], dtype: torch.dtype) -> None:
        weight = net.input_proj.weight
        self.dtype, self.token_dim, self.width = dtype, weight.shape[1], weight.shape[0]
        self.times = net.time_embed(torch.tensor(times, device=weight.device))
        self._condition = _cast(net.cond_embed, dtype)
        self._input = _cast(net.input_proj, dtype)
        blocks: list[Any] = list(net.res_blocks)
        self._blocks = [
            (_cast(block.in_ln, dtype), _cast(block.mlp[0], dtype), _cast(block.mlp[2], dtype))
            for block in blocks
        ]
        self._modulations = [_cast(layer, dtype) for layer in net.modulations()]
        self._final = _cast(net.final_layer.linear, dtype)

    def condition(self, z: Tensor) -> Tensor:
        """What the transformer knows (N, Z), projected for every step, (N, width)."""
        return linear(z.to(self.dtype), *self._condition)

    def __call__(self, x: Tensor, step: int, condition: Tensor, guidance: float) -> Tensor:
        """Denoise tokens at a step.

        Args:
            x: Noisy tokens, (n, D).
            step: Index of its time.
            condition: As ``condition`` gives it: (n, width), or under guidance (2n, width), the
                second half without condition.
            guidance: How far the first D outputs go from the second half's past the first's.

        Returns:
            (n, outputs).
        """
        if len(condition) == len(x):
            return linear(self._features(x, step, condition), *self._final).to(x.dtype)
        features = self._features(x, step, condition)
        weight, bias = self._final
        given = linear(features[: len(x)], weight, bias).to(x.dtype)
        part = slice(0, self.token_dim)
        without = linear(features[len(x) :], weight[part], bias[part]).to(x.dtype)
        return torch.cat((torch.lerp(without, given[:, part], guidance),
                          given[:, self.token_dim :]), dim=1)  # fmt: skip

    def _features(self, x: Tensor, step: int, condition: Tensor) -> Tensor:
        """What enters the last linear layer, (N, width)."""
        embedded = silu(condition + self.times[step].to(self.dtype))
        hidden = linear(x.to(self.dtype), *self._input)
        halves, width = len(condition) // len(x), (self.width,)
        for index, (norm, first, second) in enumerate(self._blocks):
            normed = layer_norm(hidden, width, *norm, NORM_EPS)
            if index == 0 and halves == 2:
                hidden, normed = hidden.repeat(2, 1), normed.repeat(2, 1)
            shift, scale, gate = linear(embedded, *self._modulations[index]).chunk(3, dim=1)
            inner = silu(linear(torch.addcmul(normed + shift, normed, scale), *first))
            hidden = torch.addcmul(hidden, gate, linear(inner, *second))
        shift, scale = linear(embedded, *self._modulations[-1]).chunk(2, dim=1)
        normed = layer_norm(hidden, width, None, None, NORM_EPS)
        return torch.addcmul(normed + shift, normed, scale)


def _cast(layer: torch.nn.Linear | torch.nn.LayerNorm, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return layer.weight.to(dtype), layer.bias.to(dtype)
