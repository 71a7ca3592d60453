"""A small variational autoencoder of tabular data, and how it is trained."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR

from cardionets_mar3d.mlp import mlp

_BATCH = 128
_WEIGHT_DECAY = 0.01
_CLIP_NORM = 5.0
_LEAST_VARIANCE = 1e-6
# Logarithm of a variance in units of the training subjects' own.
_NOISE_LIMITS = (-9.0, 2.0)
_LATENT_LIMITS = (-10.0, 4.0)


class Posterior(NamedTuple):
    """Mean and log-variance of latents, (n, k) each."""

    mean: Tensor
    log_variance: Tensor

    def draw(self) -> Tensor:
        """Latents (n, k), from torch's global generator."""
        return self.mean + torch.randn_like(self.mean) * (0.5 * self.log_variance).exp()


class TwoPaths(nn.Module):
    """A linear layer and a small network, added; the network's last layer starts at 0."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.hidden = nn.Sequential(mlp((inputs, width, width)), nn.SiLU())
        self.end = nn.Linear(width, outputs, bias=False)
        nn.init.zeros_(self.end.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (n, inputs) to outputs (n, outputs)."""
        return self.linear(x) + self.end(self.hidden(x))


class PhenotypeVae(nn.Module):
    """Variational autoencoder with one learned noise per dimension.

    The noise is part of what is drawn: without it, samples have the spread of the reconstructions,
    which is too small.

    Args:
        dims: Dimensions D, standardised.
        latent: Dimensions k of the latent.
        width: Hidden width.
    """

    def __init__(self, dims: int, latent: int, width: int) -> None:
        super().__init__()
        self.encoder = TwoPaths(dims, 2 * latent, width)
        self.decoder = TwoPaths(latent, dims, width)
        self.noise = nn.Parameter(torch.zeros(dims))

    @property
    def noise_log_variance(self) -> Tensor:
        """Log-variance of what the latent does not tell, (D,)."""
        return self.noise.clamp(*_NOISE_LIMITS)

    def encode(self, x: Tensor) -> Posterior:
        """Rows (n, D) to the posterior of their latents."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return Posterior(mean, log_variance.clamp(*_LATENT_LIMITS))

    def decode(self, z: Tensor) -> Tensor:
        """Latents (n, k) to the mean of rows (n, D)."""
        return self.decoder(z)

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Begin at the principal components of rows (n, D), the best that a linear VAE can do.

        The latent is in use from the first step, so that the KL term cannot empty it.

        Source: Tipping and Bishop 1999.
        """
        latent = self.decoder.linear.in_features
        variance, directions = torch.linalg.eigh(torch.cov(x.T).double())
        rest, signal = variance[:-latent].mean(), variance[-latent:].clamp_min(_LEAST_VARIANCE)
        directions = directions[:, -latent:] * (signal - rest).clamp_min(0.0).sqrt()
        for path in (self.encoder.linear, self.decoder.linear):
            nn.init.zeros_(path.weight)
            nn.init.zeros_(path.bias)
        self.decoder.linear.weight.copy_(directions)
        self.encoder.linear.weight[:latent] = (directions / signal).T
        self.encoder.linear.bias[latent:] = (rest / signal).clamp_min(_LEAST_VARIANCE).log()
        left = x - self.decode(self.encode(x).mean)
        self.noise.copy_(left.var(dim=0).clamp_min(_LEAST_VARIANCE).log())

    def loss(self, x: Tensor) -> Tensor:
        """Negative evidence bound of rows (n, D), mean over rows, up to a constant."""
        posterior = self.encode(x)
        error, log_variance = x - self.decode(posterior.draw()), self.noise_log_variance
        misfit = (error.square() * (-log_variance).exp() + log_variance).sum(dim=1)
        surplus = posterior.mean.square() + posterior.log_variance.exp() - posterior.log_variance
        kl = (surplus - 1.0).sum(dim=1)
        return 0.5 * (misfit + kl).mean()


@torch.enable_grad()
def trained_vae(x: Tensor, *, latent: int, width: int, steps: int, lr: float) -> PhenotypeVae:
    """A VAE trained on rows (n, D), drawing from torch's global generator.

    Args:
        x: Standardised rows, float32 on the CPU.
        latent: Dimensions of the latent.
        width: Hidden width.
        steps: Training steps.
        lr: Highest learning rate.
    """
    vae = PhenotypeVae(x.shape[1], latent, width)
    vae.start(x)
    optimizer = AdamW(vae.parameters(), lr=lr, weight_decay=_WEIGHT_DECAY)
    schedule = CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (min(_BATCH, len(x)),))
        loss = vae.loss(x[rows])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(vae.parameters(), _CLIP_NORM)
        optimizer.step()
        schedule.step()
    return vae.requires_grad_(False).eval()
