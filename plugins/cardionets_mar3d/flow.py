"""The flow head: draws a token by following a learned velocity from noise.

Source: Liu et al. 2023 (rectified flow); Esser et al. 2024 (logit-normal times).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from cardionets_core.errors import UsageError
from cardionets_mar3d.denoiser import Denoiser
from cardionets_mar3d.mar_config import MarConfig
from cardionets_mar3d.step_denoiser import StepDenoiser

# The denoiser's time embedding is made for times up to 1,000.
TIME_SCALE = 1000.0


class FlowHead(nn.Module):
    """Rectified flow of single tokens: straight paths from noise (time 0) to tokens (time 1).

    Arguments as of ``DiffusionHead``.
    """

    def __init__(self, token_dim: int, condition_dim: int, config: MarConfig) -> None:
        super().__init__()
        self.net = Denoiser(
            token_dim, token_dim, condition_dim, config.denoiser_width, config.denoiser_depth
        )
        self.config, self.default_steps = config, config.flow_steps

    def draw_time(self, *shape: int, device: torch.device) -> Tensor:
        """Random times in (0, 1) from torch's global generator."""
        if self.config.flow_time == "uniform":
            return torch.rand(shape, device=device)
        return torch.randn(shape, device=device).sigmoid()

    def loss(
        self, token: Tensor, z: Tensor, time: Tensor, noise: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Squared error of the velocity per token, (N,); arguments as of ``DiffusionHead.loss``."""
        place = torch.lerp(noise, token, time.to(token.dtype)[:, None])
        velocity = self.net(place, time * TIME_SCALE, z).to(token.dtype)
        error = mse_loss(velocity, token - noise, reduction="none").mean(dim=-1)
        return error, {"mse": error}

    def sampler(self, steps: int, temperature: float, dtype: torch.dtype) -> FlowSampler:
        """What draws tokens in so many steps.

        Raises:
            UsageError: If they are none.
        """
        if steps < 1:
            raise UsageError(
                f"steps={steps}: a flow takes 1 or more; the default is {self.default_steps}"
            )
        return FlowSampler(self, steps, temperature, dtype)


class FlowSampler:
    """Draws tokens by steps of equal length; see ``FlowHead.sampler``.

    Attributes:
        noise_steps: None: a flow adds no noise on its way.
    """

    noise_steps = 0

    def __init__(self, head: FlowHead, steps: int, temperature: float, dtype: torch.dtype) -> None:
        self.steps, self.temperature = steps, temperature
        self.integrator = head.config.flow_integrator
        times = [TIME_SCALE * step / steps for step in range(steps + 1)]
        self._denoiser = StepDenoiser(head.net, times, dtype)

    def draw(self, z: Tensor, *, start: Tensor, noise: Tensor, guidance: float = 1.0) -> Tensor:
        """Draw tokens (n, D); arguments as of ``DiffusionSampler.draw``."""
        condition, x = self._denoiser.condition(z), start * self.temperature
        for step in range(self.steps):
            velocity = self._denoiser(x, step, condition, guidance)
            if self.integrator == "heun":
                ahead = self._denoiser(x + velocity / self.steps, step + 1, condition, guidance)
                velocity = (velocity + ahead) / 2
            x = x + velocity / self.steps
        return x
