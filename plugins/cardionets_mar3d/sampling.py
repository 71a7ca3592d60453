"""Masked autoregressive sampling: all tokens of a latent in a few iterations."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor
from torch.func import functional_call

from cardionets_core.errors import UsageError
from cardionets_mar3d.mar_config import SamplingPrecision
from cardionets_mar3d.mar_transformer import MaskedTransformer, take
from cardionets_mar3d.tokens import iteration_schedule, linear_guidance

Transformer = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
# Records that a CPU transforms together: more of them no longer fit its cache.
CPU_RECORDS = 4
# Products of smaller matrices are slower in bf16 on a CPU: at width 96 by 1.3 to 2 times.
CPU_BF16_WIDTH = 256


class CastTransformer:
    """A transformer whose weights are cast once, run in parts that suit the device.

    Args:
        module: The transformer, in evaluation mode.
        dtype: What the matrix products compute in.
    """

    def __init__(self, module: MaskedTransformer, dtype: torch.dtype) -> None:
        self._module, self._dtype = module, dtype
        self._weights = {name: one.to(dtype) for name, one in module.named_parameters()}

    def __call__(self, known: Tensor, places: Tensor, condition: Tensor, wanted: Tensor) -> Tensor:
        """A vector (B, R, Z) for each wanted token; see ``MaskedTransformer.forward``."""
        inputs = (known.to(self._dtype), places, condition.to(self._dtype), wanted)
        records = len(known)
        size = CPU_RECORDS if known.device.type == "cpu" else records
        parts = [
            functional_call(
                self._module, self._weights, tuple(one[first : first + size] for one in inputs)
            )
            for first in range(0, records, size)
        ]
        return torch.cat(parts)


class TokenSampler(Protocol):
    """What draws tokens, by diffusion or flow."""

    noise_steps: int

    def draw(self, z: Tensor, *, start: Tensor, noise: Tensor, guidance: float = 1.0) -> Tensor:
        """Tokens (n, D); see ``DiffusionSampler.draw``."""


class TokenNoise(Protocol):
    """All that is random about a batch of records."""

    def orders(self) -> Tensor:
        """A permutation of the tokens per record, (B, L); its last is drawn first."""

    def draw(self, places: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Standard normal numbers for tokens at places (B, R).

        Returns:
            Where their samplers start, (B, R, D), and what is added in each step, (steps, B, R, D).
        """


class RecordNoise:
    """Draws every record's numbers from a generator of its own, on the CPU.

    A record's latent so depends neither on the others of its batch nor on the device.

    Args:
        seeds: One per record.
        tokens: Tokens of a latent, L.
        token_dim: Numbers of a token, D.
        device: Where the numbers are needed.
    """

    def __init__(
        self, seeds: Sequence[int], tokens: int, token_dim: int, device: torch.device
    ) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._tokens, self._token_dim, self._device = tokens, token_dim, device

    def orders(self) -> Tensor:
        """A permutation of the tokens per record, (B, L)."""
        drawn = [torch.randperm(self._tokens, generator=one) for one in self._generators]
        return torch.stack(drawn).to(self._device)

    def draw(self, places: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Standard normal numbers; see ``TokenNoise``."""
        shape = (1 + steps, places.shape[1], self._token_dim)
        numbers = torch.empty(shape[0], len(places), *shape[1:])
        for record, generator in enumerate(self._generators):
            numbers[:, record] = torch.randn(shape, generator=generator)
        numbers = numbers.to(self._device)
        return numbers[0], numbers[1:]


def record_seeds(seed: int | Sequence[int], records: int) -> list[int]:
    """A seed per record.

    Args:
        seed: One per record, or one from which each record's follows by its place.
        records: Number of records.

    Raises:
        UsageError: If there are more or fewer than records.
    """
    if isinstance(seed, int):
        names = [f"{seed}/{record}".encode() for record in range(records)]
        return [int.from_bytes(hashlib.blake2b(name, digest_size=7).digest()) for name in names]
    if len(seed) != records:
        raise UsageError(
            f"{len(seed)} seeds for {records} conditions; give one seed, or one per condition"
        )
    return [int(one) for one in seed]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a batch is drawn.

    Attributes:
        tokens: Tokens of a latent, L.
        token_dim: Numbers of a token, D.
        iterations: Passes in which all are drawn.
        guidance: Strength of the guidance, 1 for none.
        guidance_schedule: ``constant``, or ``linear`` from 1.
    """

    tokens: int
    token_dim: int
    iterations: int
    guidance: float
    guidance_schedule: str = "constant"

    def guidance_after(self, hidden_after: int) -> float:
        """Guidance of the iteration after which so many tokens are hidden."""
        if self.guidance_schedule == "linear":
            return linear_guidance(self.guidance, self.tokens, hidden_after)
        return self.guidance


def sample_tokens(
    plan: Plan,
    transformer: Transformer,
    sampler: TokenSampler,
    condition: Tensor,
    noise: TokenNoise,
) -> Tensor:
    """Draw all tokens of a batch.

    Args:
        plan: How.
        transformer: ``MaskedTransformer.forward``.
        sampler: What draws single tokens.
        condition: Embedded conditions, (B, W); under guidance (2B, W), the second half without.
        noise: All that is random.

    Returns:
        Tokens, (B, L, D).
    """
    orders = noise.orders()
    batch = len(orders)
    halves = len(condition) // batch
    tokens = condition.new_zeros(batch, plan.tokens, plan.token_dim, dtype=_state_dtype(condition))
    hidden = iteration_schedule(plan.tokens, plan.iterations)
    for before, after in pairwise(hidden):
        if before == after:  # more iterations than tokens
            continue
        places = orders[:, before:].sort(dim=1).values.repeat(halves, 1)
        wanted = orders[:, after:before]
        known = take(tokens.repeat(halves, 1, 1), places)
        z = transformer(known, places, condition, wanted.repeat(halves, 1)).flatten(0, 1)
        start, added = noise.draw(wanted, sampler.noise_steps)
        drawn = sampler.draw(
            z,
            start=start.flatten(0, 1).to(tokens.dtype),
            noise=added.flatten(1, 2).to(tokens.dtype),
            guidance=plan.guidance_after(after),
        )
        index = wanted.unsqueeze(-1).expand(-1, -1, plan.token_dim)
        tokens = tokens.scatter(1, index, drawn.view(batch, -1, plan.token_dim))
    return tokens


def _state_dtype(condition: Tensor) -> torch.dtype:
    return torch.float64 if condition.dtype == torch.float64 else torch.float32


def sampling_dtype(precision: SamplingPrecision, weight: Tensor) -> torch.dtype:
    """What the matrix products of sampling compute in.

    Args:
        precision: What is asked for.
        weight: A weight of usual size; of another type than float32 it decides by itself.
    """
    if weight.dtype != torch.float32 or precision == "32":
        return weight.dtype
    if precision == "bf16" or _bf16_is_faster(weight):
        return torch.bfloat16
    return torch.float32


def _bf16_is_faster(weight: Tensor) -> bool:
    if weight.device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if weight.device.type != "cpu" or min(weight.shape) < CPU_BF16_WIDTH:
        return False
    has_bf16 = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return has_bf16 is not None and bool(has_bf16())
