"""A moving average of the trained weights; it is what is validated and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

# While the average is younger than its own memory, what it began with must not weigh it down.
_YOUNG_STEPS = 10


class WeightAverage:
    """Exponential moving average of a module's trainable parameters.

    At step t the decay is at most (1 + t) / (10 + t), so that initial weights are soon forgotten.

    Args:
        module: Its weights are followed.
        decay: Decay per step, between 0 and 1.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self._followed = {n: p for n, p in module.named_parameters() if p.requires_grad}
        self._average = {n: p.detach().clone() for n, p in self._followed.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 0."""
        decay = min(self.decay, (1 + step) / (_YOUNG_STEPS + step))
        torch._foreach_lerp_(
            list(self._average.values()), list(self._followed.values()), 1.0 - decay
        )

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the module compute with the average for a while."""
        trained = {name: p.detach().clone() for name, p in self._followed.items()}
        self._put(self._average)
        try:
            yield
        finally:
            self._put(trained)

    def state_dict(self) -> dict[str, Tensor]:
        """The average by parameter name."""
        return {name: value.detach().cpu().clone() for name, value in self._average.items()}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state_dict``."""
        for name, value in self._average.items():
            value.copy_(state[name])

    @torch.no_grad()
    def _put(self, values: Mapping[str, Tensor]) -> None:
        for name, parameter in self._followed.items():
            parameter.copy_(values[name])
