"""The frames and pixels on which cines are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cardionets_core.cmr.views import CANONICAL_SHAPE
from cardionets_core.generate.evaluating.methods import digest_of


def view_digest(model: Any) -> str:
    """What ``model.view`` makes of one cine in which no two pixels go together, as a hash."""
    noise = np.random.default_rng(0).uniform(-1, 1, (1, *CANONICAL_SHAPE)).astype(np.float32)
    return digest_of(model.view(torch.from_numpy(noise)).numpy())


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The view of the first generator, to which those of all others are brought.

    Attributes:
        generator: That generator.
        shape: (T, H, W).
        digest: Tells views apart, equal for equal views.
    """

    generator: Any
    shape: tuple[int, int, int]
    digest: str

    @classmethod
    def of(cls, generator: Any) -> Frame:
        """The frame of a generator."""
        return cls(generator, tuple(generator.cine_shape), view_digest(generator))

    def through_cines(self, other: Any, views: Tensor) -> Tensor:
        """Views of another generator as views in this frame, by way of canonical cines."""
        fitted: Tensor = self.generator.view(other.restore(views))
        return fitted

    def restore(self, views: Tensor) -> Tensor:
        """Views (b, T, H, W) in this frame as canonical cines (b, 50, 96, 96)."""
        cine: Tensor = self.generator.restore(views)
        return cine
