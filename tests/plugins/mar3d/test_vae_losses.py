"""The formulas of the autoencoder's loss."""

import pytest
import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as divergence_of

from cardionets_core.interfaces import Moments
from cardionets_mar3d.vae_losses import kl_divergence, outlier_penalty


def test_kl_is_a_sum_over_a_latent_and_a_mean_over_the_batch():
    rng = torch.Generator().manual_seed(0)
    mean, log_variance = (torch.randn(3, 4, 2, 3, 3, generator=rng) for _ in range(2))
    each = divergence_of(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    expected = each.flatten(1).sum(dim=1).mean()
    torch.testing.assert_close(kl_divergence(Moments(mean, log_variance)), expected)


def test_pixels_above_three_sd_of_their_own_frame_are_penalised():
    cine = torch.zeros(1, 1, 2, 10, 10)
    cine[0, 0, 1, 4, 4] = 1.0
    sd = torch.tensor([1.0] + [0.0] * 99).std()
    expected = (1.0 - 0.01 - 3 * sd) / cine.numel()
    assert outlier_penalty(cine).item() == pytest.approx(expected.item(), rel=1e-5)


def test_dark_outliers_and_smooth_frames_cost_nothing():
    cine = torch.zeros(1, 1, 1, 10, 10)
    cine[0, 0, 0, 0, 0] = -1.0
    assert outlier_penalty(cine) == 0
    assert outlier_penalty(torch.linspace(-1, 1, 100).view(1, 1, 1, 10, 10)) == 0


def test_a_frame_of_one_grey_level_has_a_finite_gradient():
    cine = torch.full((1, 1, 2, 4, 4), 0.3, requires_grad=True)
    outlier_penalty(cine).backward()
    assert torch.isfinite(cine.grad).all()
