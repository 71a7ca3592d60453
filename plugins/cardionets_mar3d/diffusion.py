"""Gaussian diffusion of single tokens: schedule, training loss with learned variance, sampling.

Sources: Ho et al. 2020; Nichol and Dhariwal 2021 (cosine schedule, learned variance, respacing);
Li et al. 2024 (of single tokens).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

BETA_MAX = 0.999
COSINE_OFFSET = 0.008
# Half a bin of an 8-bit pixel on [-1, 1]: the variational term at the last step is that of pixels,
# as in the published code, though what is denoised are latents.
HALF_PIXEL = 1.0 / 255.0
LEAST_PROBABILITY = 1e-12
LAST_PIXEL = 0.999


def cosine_betas(steps: int) -> Tensor:
    """Variances of the noise that each step adds, (steps,) float64."""

    def kept(progress: float) -> float:
        return math.cos((progress + COSINE_OFFSET) / (1 + COSINE_OFFSET) * math.pi / 2) ** 2

    betas = [min(1 - kept((i + 1) / steps) / kept(i / steps), BETA_MAX) for i in range(steps)]
    return torch.tensor(betas, dtype=torch.float64)


def respaced_steps(train_steps: int, sample_steps: int) -> list[int]:
    """Training steps that a shorter chain visits: evenly spaced, with both ends."""
    if sample_steps == 1:
        return [train_steps - 1]
    stride, place, steps = (train_steps - 1) / (sample_steps - 1), 0.0, []
    for _ in range(sample_steps):
        steps.append(round(place))
        place += stride
    return steps


@dataclass(frozen=True, slots=True)
class Schedule:
    """Coefficients of a chain of S steps, each (S,) float64 on the CPU.

    Attributes:
        timesteps: Step of the training chain that each step stands for.
        betas: Variance of the noise that a step adds.
        kept: Product of 1 - beta up to a step: the part of the variance that is signal.
        kept_before: The same before the step.
    """

    timesteps: list[int]
    betas: Tensor
    kept: Tensor
    kept_before: Tensor

    @staticmethod
    def cosine(train_steps: int, sample_steps: int | None = None) -> Schedule:
        """The cosine schedule, shortened to ``sample_steps`` if given."""
        betas = cosine_betas(train_steps)
        timesteps = list(range(train_steps))
        if sample_steps is not None and sample_steps != train_steps:
            timesteps = respaced_steps(train_steps, sample_steps)
            kept = torch.cumprod(1.0 - betas, 0)[timesteps]
            betas = 1.0 - kept / torch.cat((kept.new_ones(1), kept[:-1]))
        kept = torch.cumprod(1.0 - betas, 0)
        return Schedule(timesteps, betas, kept, torch.cat((kept.new_ones(1), kept[:-1])))

    @property
    def posterior_variance(self) -> Tensor:
        """Variance of a step back when the clean token is known."""
        return self.betas * (1.0 - self.kept_before) / (1.0 - self.kept)

    @property
    def posterior_log_variance(self) -> Tensor:
        """Its logarithm; the first, which is of 0, is replaced by the second."""
        variance = self.posterior_variance
        # A single step draws no noise, so that its variance is never read.
        first = variance[1:2] if len(variance) > 1 else self.betas
        return torch.cat((first, variance[1:])).log()

    @property
    def posterior_of_clean(self) -> Tensor:
        """Weight of the clean token in the mean of a step back."""
        return self.betas * self.kept_before.sqrt() / (1.0 - self.kept)

    @property
    def posterior_of_noisy(self) -> Tensor:
        """Weight of the noisy token in the mean of a step back."""
        return (1.0 - self.kept_before) * (1.0 - self.betas).sqrt() / (1.0 - self.kept)

    @property
    def clean_of_noisy(self) -> Tensor:
        """Weight of the noisy token in the clean one."""
        return (1.0 / self.kept).sqrt()

    @property
    def clean_of_noise(self) -> Tensor:
        """Weight of the noise, subtracted, in the clean token."""
        return (1.0 / self.kept - 1.0).sqrt()

    def table(self) -> Tensor:
        """What the training loss reads, (8, S), in the order of ``Coefficients``."""
        rows = (
            self.kept.sqrt(), (1.0 - self.kept).sqrt(), self.clean_of_noisy, self.clean_of_noise,
            self.posterior_of_clean, self.posterior_of_noisy, self.posterior_log_variance,
            self.betas.log(),
        )  # fmt: skip
        return torch.stack(rows)


class Coefficients(NamedTuple):
    """Coefficients at one time per token, (N, 1) each; see ``Schedule``."""

    signal: Tensor
    noise: Tensor
    clean_of_noisy: Tensor
    clean_of_noise: Tensor
    posterior_of_clean: Tensor
    posterior_of_noisy: Tensor
    posterior_log_variance: Tensor
    log_beta: Tensor

    @staticmethod
    def at(table: Tensor, time: Tensor) -> Coefficients:
        """Coefficients of steps ``time`` (N,) from a table (8, S)."""
        return Coefficients(*table[:, time].unsqueeze(-1))


class Prediction(NamedTuple):
    """What a step back is drawn from, and what it takes the clean token for; (N, D) each."""

    mean: Tensor
    log_variance: Tensor
    clean: Tensor


def predict(noisy: Tensor, output: Tensor, at: Coefficients) -> Prediction:
    """Read the denoiser's output (N, 2D) as a step back from noisy tokens (N, D).

    The first half predicts the noise, the second where the log-variance lies between the
    posterior's and the step's own.
    """
    noise, share = output.chunk(2, dim=-1)
    clean = at.clean_of_noisy * noisy - at.clean_of_noise * noise
    mean = at.posterior_of_clean * clean + at.posterior_of_noisy * noisy
    share = (share + 1) / 2
    log_variance = share * at.log_beta + (1 - share) * at.posterior_log_variance
    return Prediction(mean, log_variance, clean)


class TokenLoss(NamedTuple):
    """Loss per token, (N,) each."""

    mse: Tensor
    bits: Tensor


def diffusion_loss(
    clean: Tensor, noisy: Tensor, noise: Tensor, output: Tensor, time: Tensor, at: Coefficients
) -> TokenLoss:
    """Loss of a denoiser's output.

    Args:
        clean: Tokens, (N, D).
        noisy: What the denoiser saw, (N, D).
        noise: What was added, (N, D).
        output: What it said, (N, 2D).
        time: Steps, (N,).
        at: Their coefficients.

    Returns:
        Mean squared error of the noise, and the variational term in bits, which trains the
        variance alone.
    """
    predicted_noise, share = output.chunk(2, dim=-1)
    mse = (noise - predicted_noise).square().mean(dim=-1)
    frozen = torch.cat((predicted_noise.detach(), share), dim=-1)
    predicted = predict(noisy, frozen, at)
    mean = at.posterior_of_clean * clean + at.posterior_of_noisy * noisy
    bits = normal_divergence(
        mean, at.posterior_log_variance, predicted.mean, predicted.log_variance
    )
    pixels = pixel_surprise(clean, predicted.mean, 0.5 * predicted.log_variance)
    return TokenLoss(mse, torch.where(time == 0, pixels, bits))


def normal_divergence(
    mean: Tensor, log_variance: Tensor, other_mean: Tensor, other_log_variance: Tensor
) -> Tensor:
    """Kullback-Leibler divergence of normals (N, D) from others, mean over D in bits, (N,)."""
    ratio = log_variance - other_log_variance
    distance = (mean - other_mean).square() * (-other_log_variance).exp()
    return 0.5 * (ratio.exp() - 1.0 - ratio + distance).mean(dim=-1) / math.log(2.0)


def pixel_surprise(value: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
    """Bits of 8-bit pixels (N, D) on [-1, 1] under normals, mean over D, (N,)."""
    centred, per_sd = value - mean, (-log_sd).exp()
    below_upper = normal_cdf(per_sd * (centred + HALF_PIXEL))
    below_lower = normal_cdf(per_sd * (centred - HALF_PIXEL))
    probability = torch.where(
        value < -LAST_PIXEL,
        below_upper,
        torch.where(value > LAST_PIXEL, 1.0 - below_lower, below_upper - below_lower),
    )
    return -probability.clamp(min=LEAST_PROBABILITY).log().mean(dim=-1) / math.log(2.0)


def normal_cdf(x: Tensor) -> Tensor:
    """The standard normal distribution, in the approximation of the published code (Page 1977)."""
    return 0.5 * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x.pow(3))))
