"""How long a cine takes: drawing, and decoding of latents as a part of it."""

from __future__ import annotations

import time
from typing import Any

import torch

from cardionets_core.generate.evaluating.cines import Clock
from cardionets_core.generate.loading import LoadedGenerator
from cardionets_core.registry import Registry
from cardionets_core.weights.load import load_part

_DECODED = 2


def stage_times(
    clock: Clock, first: LoadedGenerator, name: str, registry: Registry
) -> dict[str, Any]:
    """Seconds and cines of each stage that was computed and not found in the cache.

    Args:
        clock: Of the drawn cines.
        first: The generator that is evaluated.
        name: What its method is called.
        registry: The plugins.

    Returns:
        ``stages``: stage to ``seconds``, ``cines`` and ``seconds_per_cine``; ``decoding``, timed on
        a batch of its own, is a part of ``sampling NAME``; None for a generator without latents.
    """
    stages = {
        stage: {
            "seconds": seconds,
            "cines": clock.cines[stage],
            "seconds_per_cine": seconds / max(clock.cines[stage], 1),
        }
        for stage, seconds in clock.seconds.items()
    }
    per_cine = _decoding_s(first, registry)
    return {
        "device": str(first.device),
        "threads": torch.get_num_threads(),
        "stages": stages,
        "decoding": None
        if per_cine is None
        else {"seconds_per_cine": per_cine, "part_of": f"sampling {name}"},
    }


@torch.no_grad()
def _decoding_s(first: LoadedGenerator, registry: Registry) -> float | None:
    """Seconds that the autoencoder takes to decode one latent."""
    if "autoencoder" not in first.header.parts:
        return None
    autoencoder: Any = load_part(first.path, "autoencoder", registry=registry).eval()
    autoencoder.to(first.device)
    latents = torch.randn(_DECODED, *autoencoder.latent_shape, device=first.device)
    autoencoder.decode(latents[:1])
    _wait(first.device)
    start = time.perf_counter()
    autoencoder.decode(latents)
    _wait(first.device)
    return (time.perf_counter() - start) / _DECODED


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
