"""Latent physiology of many subjects at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardionets_simulated.body import Body, make_body
from cardionets_simulated.columns import Columns
from cardionets_simulated.disease import Disease, make_disease, prevalence_preset
from cardionets_simulated.heart import Heart, make_heart
from cardionets_simulated.streams import Array, draw_latents

# Keeps 16 * seed + stream inside a signed 64-bit key.
MAX_SEED = 2**59


@dataclass(frozen=True, eq=False)
class Latents(Columns):
    """Everything hidden about n subjects.

    Attributes:
        body: Sex, age, size, fitness, pressure.
        disease: Diseases and their severities.
        heart: Chambers, walls, strains, conduction, aorta.
        normals: The named standard normals, (46, n): the private noise of ECG and cine parameters.
        uniforms: The named uniforms, (20, n).
        repeated: The standard normals R0..R63, (64, n).
    """

    body: Body
    disease: Disease
    heart: Heart
    normals: Array
    uniforms: Array
    repeated: Array


def simulate_latents(
    seed: int, indices: Sequence[int] | NDArray[np.int64], prevalence: str = "ukb"
) -> Latents:
    """The latent physiology of many subjects.

    Args:
        seed: The cohort's seed, 0 to 2**59 - 1.
        indices: Subject indices, (n,), none negative.
        prevalence: Prevalence preset: "ukb", "demo" or "enriched".

    Returns:
        Columns of n subjects; every subject is bit-equal whatever the other indices are.

    Raises:
        ValueError: If the seed, an index or the preset is out of range.
    """
    if not 0 <= seed < MAX_SEED:
        raise ValueError(f"seed {seed} is out of range; use 0 to 2**59 - 1")
    if len(indices) and min(indices) < 0:
        raise ValueError(f"index {min(indices)} is negative; indices start at 0")
    preset = prevalence_preset(prevalence)
    draws = draw_latents(seed, indices)
    body = make_body(draws)
    disease = make_disease(draws, body, preset)
    heart = make_heart(draws, body, disease)
    return Latents(body, disease, heart, draws.normals, draws.uniforms, draws.repeated)
