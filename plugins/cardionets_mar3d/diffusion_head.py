"""The diffusion head: draws a token by walking a noise chain backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from cardionets_core.errors import UsageError
from cardionets_mar3d.denoiser import Denoiser
from cardionets_mar3d.diffusion import Coefficients, Schedule, diffusion_loss
from cardionets_mar3d.mar_config import MarConfig
from cardionets_mar3d.step_denoiser import StepDenoiser

# A step that stretches what it is given by this or more is computed in float32. Only the first is
# one: it stretches by 316 if there are 100 steps, and in bf16 made 2 to 9 times the error.
PRECISE_FROM = 3.0


class DiffusionHead(nn.Module):
    """Diffusion of single tokens with learned variance.

    Args:
        token_dim: Numbers of a token, D.
        condition_dim: Width of what the transformer knows of it, Z.
        config: Options of the generator.
    """

    coefficients: Tensor

    def __init__(self, token_dim: int, condition_dim: int, config: MarConfig) -> None:
        super().__init__()
        self.net = Denoiser(
            token_dim, 2 * token_dim, condition_dim, config.denoiser_width, config.denoiser_depth
        )
        self.default_steps, self.train_steps = config.sample_steps, config.train_steps
        self._table = Schedule.cosine(config.train_steps).table()
        self.register_buffer("coefficients", self._table.float(), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Keep the coefficients exact when the weights change their type."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        wide = self.net.input_proj.weight.dtype == torch.float64
        self.coefficients = self._table.to(
            self.coefficients.device, torch.float64 if wide else torch.float32
        )
        return self

    def draw_time(self, *shape: int, device: torch.device) -> Tensor:
        """Random steps of the training chain from torch's global generator."""
        return torch.randint(self.train_steps, shape, device=device)

    def loss(
        self, token: Tensor, z: Tensor, time: Tensor, noise: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss per token.

        Args:
            token: Tokens, (N, D).
            z: What the transformer knows of them, (N, Z).
            time: Steps of the training chain, (N,).
            noise: Standard normal, (N, D).

        Returns:
            Loss (N,), and its parts (N,) by name.
        """
        at = Coefficients.at(self.coefficients, time)
        noisy = at.signal * token + at.noise * noise
        output = self.net(noisy, time, z).to(noisy.dtype)
        parts = diffusion_loss(token, noisy, noise, output, time, at)
        return parts.mse + parts.bits, {"mse": parts.mse, "bits": parts.bits}

    def sampler(self, steps: int, temperature: float, dtype: torch.dtype) -> DiffusionSampler:
        """What draws tokens in so many steps.

        Raises:
            UsageError: If they are none, or more than in training.
        """
        if not 1 <= steps <= self.train_steps:
            raise UsageError(
                f"steps={steps}: a diffusion takes 1 to {self.train_steps}, as many as in its "
                f"training; the default is {self.default_steps}"
            )
        return DiffusionSampler(self, Schedule.cosine(self.train_steps, steps), temperature, dtype)


class DiffusionSampler:
    """Draws tokens by a chain of steps; see ``DiffusionHead.sampler``.

    Attributes:
        noise_steps: How many times it adds noise.
    """

    def __init__(
        self, head: DiffusionHead, schedule: Schedule, temperature: float, dtype: torch.dtype
    ) -> None:
        self.temperature = temperature
        self.noise_steps = len(schedule.timesteps) - 1
        times = [float(step) for step in schedule.timesteps]
        kept = head.net.input_proj.weight.dtype
        self._fast = StepDenoiser(head.net, times, dtype)
        self._precise = self._fast if dtype == kept else StepDenoiser(head.net, times, kept)
        self._steps = _step_numbers(schedule)

    def draw(self, z: Tensor, *, start: Tensor, noise: Tensor, guidance: float = 1.0) -> Tensor:
        """Draw tokens.

        Args:
            z: What the transformer knows of them, (n, Z); under guidance (2n, Z), the second half
                without condition.
            start: Standard normal, (n, D).
            noise: Standard normal in the order of use, (noise_steps, n, D).
            guidance: Strength of the guidance.

        Returns:
            (n, D).
        """
        return self.trajectory(z, start=start, noise=noise, guidance=guidance)

    def trajectory(
        self,
        z: Tensor,
        *,
        start: Tensor,
        noise: Tensor,
        guidance: float = 1.0,
        seen: list[Tensor] | None = None,
    ) -> Tensor:
        """As ``draw``; ``seen`` collects the tokens after every step."""
        conditions: dict[StepDenoiser, Tensor] = {}
        x = start
        for count, index in enumerate(range(self.noise_steps, -1, -1)):
            stretched = self._steps[index]["stretch"] >= PRECISE_FROM
            denoiser = self._precise if stretched else self._fast
            if denoiser not in conditions:
                conditions[denoiser] = denoiser.condition(z)
            output = denoiser(x, index, conditions[denoiser], guidance)
            x = self.step_back(x, index, output, noise[count] if index else None)
            if seen is not None:
                seen.append(x)
        return x

    def step_back(self, x: Tensor, index: int, output: Tensor, noise: Tensor | None) -> Tensor:
        """Tokens (n, D) one step earlier, given the denoiser's output (n, 2D)."""
        of, half = self._steps[index], x.shape[-1]
        mean = of["noisy"] * x - of["noise"] * output[:, :half]
        if noise is None:
            return mean
        log_sd = output[:, half:] * of["log_sd_slope"] + of["log_sd_middle"]
        return mean + log_sd.exp_() * noise * self.temperature


def _step_numbers(schedule: Schedule) -> list[dict[str, Any]]:
    """Each step's own numbers: its mean as weights of token and noise, and its SD's logarithm."""
    of_clean, of_noisy = schedule.posterior_of_clean, schedule.posterior_of_noisy
    low, high = schedule.posterior_log_variance, schedule.betas.log()
    columns = {
        "noisy": of_clean * schedule.clean_of_noisy + of_noisy,
        "noise": of_clean * schedule.clean_of_noise,
        "log_sd_slope": (high - low) / 4,
        "log_sd_middle": (high + low) / 4,
        "stretch": (1.0 - schedule.betas).rsqrt(),
    }
    names, rows = list(columns), torch.stack(list(columns.values()), dim=1).tolist()
    return [dict(zip(names, row, strict=True)) for row in rows]
