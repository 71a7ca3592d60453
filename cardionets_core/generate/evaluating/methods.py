"""What is compared: generators, each with the conditions that it draws from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cardionets_core.cmr.views import CANONICAL_SHAPE

SHUFFLED = "shuffled"
# A sampler whose two draws differ by less than a tenth of a grey level draws nothing.
_SAME_DRAW = 1e-3
_LOOKED_AT = 4


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """A generator with the conditions of the test rows.

    Attributes:
        name: In tables and figures.
        summary: What it is, for the report.
        generator: In evaluation mode.
        conditions: Conditions of the test rows, (n, C) float32.
        identity: What its cines follow from besides conditions and seeds, JSON-able.
        device: Where it computes.
        steps: Steps of its sampler, or None for its own number.
        guidance: Guidance of its sampler, or None for its own.
    """

    name: str
    summary: str
    generator: Any
    conditions: NDArray[np.float32]
    identity: object
    device: torch.device
    steps: int | None = None
    guidance: float | None = None

    @property
    def key(self) -> list[object]:
        """What its cines follow from besides seeds and places, JSON-able."""
        return [self.identity, digest_of(self.conditions), self.steps, self.guidance]

    @torch.no_grad()
    def sample(self, places: NDArray[np.int64], seeds: Sequence[int]) -> Tensor:
        """Draw its own views (b, T, H, W) for some places among the test rows."""
        condition = torch.from_numpy(self.conditions[places]).to(self.device)
        cine = self.generator.sample(
            condition, seed=list(seeds), steps=self.steps, guidance=self.guidance
        )
        view: Tensor = cine[:, 0].float().cpu()
        return view

    def is_random(self) -> bool:
        """Whether another seed draws another cine."""
        places = np.arange(min(_LOOKED_AT, len(self.conditions)))
        first, second = (self.sample(places, [seed] * len(places)) for seed in (1, 2))
        return float((first - second).abs().max()) > _SAME_DRAW


def view_digest(model: Any) -> str:
    """What ``model.view`` makes of one cine in which no two pixels go together, as a hash."""
    noise = np.random.default_rng(0).uniform(-1, 1, (1, *CANONICAL_SHAPE)).astype(np.float32)
    return digest_of(model.view(torch.from_numpy(noise)).numpy())


def digest_of(array: NDArray[Any]) -> str:
    """Hash of an array's shape, type and content."""
    found = hashlib.sha256(f"{array.shape} {array.dtype}".encode())
    found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
