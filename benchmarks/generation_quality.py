"""How trained generators compare: speed, and how near the latents they draw are to real ones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import cardionets_core as cn
from cardionets_core.generate.evaluating.conditions import conditions_of
from cardionets_core.generate.loading import LoadedGenerator, load_generator

BATCH = 32
HEAD = "| weights | sampler | steps | subjects | cines/s | distance | of real halves | paired SD |"


def rows(
    weights: Sequence[str], cohort: Path, subjects: int, device: torch.device
) -> Iterator[dict[str, Any]]:
    """One row per generator, on the same downstream subjects of a cohort.

    ``distance`` is the energy distance of drawn latents from real ones, ``floor`` that of two
    halves of the real ones; ``paired_sd`` is the SD of the difference from the own latent.
    """
    with cn.open_cohort(cohort) as opened:
        usable = opened.select(role="downstream", with_ecg=True, with_cine=True)[:subjects]
        cines = torch.from_numpy(opened.cines(usable))
        for name in weights:
            loaded = load_generator(name).to(device)
            given = torch.from_numpy(conditions_of(loaded, opened, usable)[usable])
            yield {"weights": name, **_compared(loaded, given, cines.float() / 127.5 - 1)}


@torch.no_grad()
def _compared(loaded: LoadedGenerator, condition: Tensor, cines: Tensor) -> dict[str, Any]:
    model, device = loaded.generator, loaded.device
    real = torch.cat(
        [model.target(model.view(part.to(device))[:, None]).cpu() for part in cines.split(BATCH)]
    )
    real = real.chunk(2, dim=1)[0].flatten(1)
    started = time.perf_counter()
    drawn = torch.cat(
        [
            model.sample_latents(part.to(device), seed=number).cpu()
            for number, part in enumerate(condition.split(BATCH))
        ]
    ).flatten(1)
    seconds = time.perf_counter() - started
    half = len(real) // 2
    return {
        "sampler": model.config.sampler,
        "steps": model.head.default_steps,
        "subjects": len(real),
        "cines_per_s": len(real) / seconds,
        "distance": energy_distance(drawn, real),
        "floor": energy_distance(real[:half], real[half:]),
        "paired_sd": float((drawn - real).std()),
    }


def energy_distance(one: Tensor, other: Tensor) -> float:
    """Energy distance of two samples (n, D) and (m, D), without bias, over the root of D.

    Source: Szekely and Rizzo 2013.
    """
    within = [torch.pdist(sample.double()).mean() for sample in (one, other)]
    between = torch.cdist(one.double(), other.double()).mean()
    return float((2 * between - within[0] - within[1]) / one.shape[1] ** 0.5)


def line(row: dict[str, Any]) -> str:
    """One row of the printed table."""
    numbers = (row[name] for name in ("cines_per_s", "distance", "floor", "paired_sd"))
    texts = (row["weights"], row["sampler"], row["steps"], row["subjects"])
    return f"| {' | '.join([*map(str, texts), *(f'{value:.3g}' for value in numbers)])} |"
