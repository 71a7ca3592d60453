"""The same random numbers at every validation, so that losses of epochs compare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_VALIDATION_SEED = 20_240_229


@contextmanager
def fixed_noise(device: torch.device, *, wanted: bool) -> Iterator[None]:
    """Seed torch's global generators for a while, and put them back afterwards.

    Args:
        device: Whose generator is seeded besides the CPU's.
        wanted: False to leave everything as it is.
    """
    if not wanted:
        yield
        return
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(_VALIDATION_SEED)
        yield
