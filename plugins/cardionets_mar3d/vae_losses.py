"""The parts of the autoencoder's loss that are formulas, and nothing else."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from cardionets_core.interfaces import Moments


def kl_divergence(moments: Moments) -> Tensor:
    """KL from a standard normal, summed over the entries of a latent, its mean over the batch."""
    mean, log_variance = moments
    each = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)
    return each.flatten(1).sum(dim=1).mean()


def outlier_penalty(cine: Tensor) -> Tensor:
    """How far pixels of (B, 1, T, H, W) lie above 3 SD of their own frame, its mean over all."""
    pixels = cine.flatten(3)
    # A frame of one grey level has no gradient of its SD without the small number.
    sd = (pixels.var(dim=-1, keepdim=True) + 1e-12).sqrt()
    limit = pixels.mean(dim=-1, keepdim=True) + 3.0 * sd
    return relu(pixels - limit).mean()
