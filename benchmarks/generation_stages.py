"""Where the time of generation goes: encoder, decoder, denoiser and noise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from cardionets_mar3d.mar import Mar
from cardionets_mar3d.sampling import RecordNoise, TokenNoise, TokenSampler

STAGES = ("encoder", "decoder", "denoiser", "noise")


@dataclass(slots=True)
class Stages:
    """Adds up seconds by stage.

    Attributes:
        device: Where the work runs; a CUDA device is waited for.
        cpu_time: Count this process's CPU seconds instead of the wall's.
        seconds: By stage.
    """

    device: torch.device
    cpu_time: bool = False
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Time what happens within."""
        clock = time.process_time if self.cpu_time else time.perf_counter
        self._wait()
        started = clock()
        yield
        self._wait()
        self.seconds[stage] += clock() - started

    def timed(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same work, timed."""

        def run(*given: Any, **named: Any) -> Any:
            with self.of(stage):
                return work(*given, **named)

        return run

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@dataclass(slots=True)
class _TimedSampler:
    sampler: TokenSampler
    stages: Stages

    @property
    def noise_steps(self) -> int:
        return self.sampler.noise_steps

    def draw(self, *given: Any, **named: Any) -> Tensor:
        with self.stages.of("denoiser"):
            return self.sampler.draw(*given, **named)


@dataclass(slots=True)
class _TimedNoise:
    noise: TokenNoise
    stages: Stages

    def orders(self) -> Tensor:
        return self.noise.orders()

    def draw(self, places: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        with self.stages.of("noise"):
            return self.noise.draw(places, steps)


@contextmanager
def staged(model: Mar, stages: Stages) -> Iterator[None]:
    """Time the parts of a generator within."""
    transformer, head = model.transformer, model.head
    sampler = head.sampler
    for name, stage in (("encode", "encoder"), ("decode", "decoder")):
        # On the instance, so that removing it brings the method back.
        object.__setattr__(transformer, name, stages.timed(stage, getattr(transformer, name)))
    object.__setattr__(head, "sampler", lambda *given: _TimedSampler(sampler(*given), stages))
    try:
        yield
    finally:
        for owner, name in ((transformer, "encode"), (transformer, "decode"), (head, "sampler")):
            object.__delattr__(owner, name)


def staged_latents(
    model: Mar, condition: Tensor, guidance: float, stages: Stages, *, steps: int | None = None
) -> Tensor:
    """Latents of embedded conditions (B, W), with the time of every stage."""
    device = condition.device
    noise = RecordNoise(range(len(condition)), model.grid.tokens, model.grid.token_dim, device)
    with staged(model, stages):
        timed = _TimedNoise(noise, stages)
        return model.generate(condition, timed, steps=steps, guidance=guidance)
