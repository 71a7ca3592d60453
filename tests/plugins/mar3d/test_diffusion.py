"""The diffusion of single tokens: schedule, loss and steps back."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from cardionets_core.errors import UsageError
from cardionets_mar3d.diffusion import (
    Coefficients,
    Schedule,
    diffusion_loss,
    normal_cdf,
    normal_divergence,
    pixel_surprise,
    predict,
    respaced_steps,
)
from cardionets_mar3d.diffusion_head import DiffusionHead
from cardionets_mar3d.mar_config import MarConfig
from cardionets_mar3d.step_denoiser import StepDenoiser

BITS = math.log(2.0)


@pytest.fixture
def draw():
    rng = torch.Generator().manual_seed(7)
    return lambda *shape: torch.randn(*shape, generator=rng, dtype=torch.float64)


@pytest.fixture
def head():
    """A small head whose denoiser says something."""
    torch.manual_seed(1)
    made = DiffusionHead(6, 5, MarConfig(denoiser_width=12, denoiser_depth=2)).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.requires_grad_(False)


def at(time, steps=1000):
    return Coefficients.at(Schedule.cosine(steps).table(), torch.tensor(time))


@pytest.mark.parametrize("steps", [2, 7, 100, 1000])
def test_a_shorter_chain_keeps_both_ends_and_what_is_left_of_the_signal(steps):
    full, short = Schedule.cosine(1000), Schedule.cosine(1000, steps)
    assert len(short.timesteps) == len(set(short.timesteps)) == steps
    assert (short.timesteps[0], short.timesteps[-1]) == (0, 999)
    torch.testing.assert_close(short.kept, full.kept[short.timesteps])
    assert bool((short.kept[1:] < short.kept[:-1]).all())


def test_a_chain_of_one_step_starts_from_noise():
    assert respaced_steps(1000, 1) == [999]


def test_the_true_noise_gives_the_clean_token_back(draw):
    clean, noise, where = draw(3, 4), draw(3, 4), at([1, 500, 990])
    noisy = where.signal * clean + where.noise * noise
    found = predict(noisy, torch.cat((noise, torch.zeros_like(noise)), dim=1), where)
    torch.testing.assert_close(found.clean, clean, atol=1e-8, rtol=1e-8)


def test_the_learned_variance_lies_between_the_posteriors_and_the_steps_own(draw):
    where, noisy = at([5, 700]), draw(2, 4)
    for share, expected in ((-1.0, where.posterior_log_variance), (1.0, where.log_beta)):
        output = torch.cat((noisy, torch.full_like(noisy, share)), dim=1)
        found = predict(noisy, output, where).log_variance
        torch.testing.assert_close(found, expected.expand(-1, 4))


def test_divergence_is_that_of_normals(draw):
    mean, log_variance, other_mean, other_log_variance = draw(4, 3, 5)
    expected = kl_divergence(
        Normal(mean, (0.5 * log_variance).exp()),
        Normal(other_mean, (0.5 * other_log_variance).exp()),
    )
    found = normal_divergence(mean, log_variance, other_mean, other_log_variance)
    torch.testing.assert_close(found, expected.mean(dim=-1) / BITS)


def test_surprise_is_that_of_a_pixel_under_a_normal(draw):
    value = torch.tensor([[-1.0, -0.5, 0.25, 1.0]], dtype=torch.float64)
    mean, log_sd = value + 0.1 * draw(1, 4), torch.full_like(value, -2.0)
    normal = Normal(mean, log_sd.exp())
    upper, lower = normal.cdf(value + 1 / 255), normal.cdf(value - 1 / 255)
    upper[0, -1], lower[0, 0] = 1.0, 0.0  # all that is brighter or darker
    expected = -(upper - lower).log().mean(dim=-1) / BITS
    torch.testing.assert_close(pixel_surprise(value, mean, log_sd), expected, atol=0.02, rtol=0)


def test_the_distribution_is_approximated_as_the_published_code_does():
    x = torch.linspace(-6, 6, 101, dtype=torch.float64)
    assert float((normal_cdf(x) - torch.special.ndtr(x)).abs().max()) < 3e-4


def test_the_variational_term_trains_the_variance_alone(draw):
    clean, noise, time = draw(3, 4), draw(3, 4), torch.tensor([0, 300, 900])
    where = at(time.tolist())
    noisy = where.signal * clean + where.noise * noise
    output = draw(3, 8).requires_grad_()
    loss = diffusion_loss(clean, noisy, noise, output, time, where)
    (of_bits,) = torch.autograd.grad(loss.bits.sum(), output, retain_graph=True)
    (of_mse,) = torch.autograd.grad(loss.mse.sum(), output)
    assert of_bits.ne(0).any(dim=0).tolist() == [False] * 4 + [True] * 4
    assert of_mse.ne(0).any(dim=0).tolist() == [True] * 4 + [False] * 4


def test_a_step_back_is_drawn_from_what_was_predicted(head, draw):
    sampler, schedule = head.sampler(10, 0.7, torch.float64), Schedule.cosine(1000, 10)
    x, output, noise = draw(3, 6), draw(3, 12), draw(3, 6)
    for index in range(1, 10):
        where = Coefficients.at(schedule.table(), torch.full((3,), index))
        found = predict(x, output, where)
        expected = found.mean + 0.7 * (0.5 * found.log_variance).exp() * noise
        torch.testing.assert_close(sampler.step_back(x, index, output, noise), expected)


def test_sampling_and_training_see_the_same_denoiser(head, draw):
    x, z = draw(4, 6), draw(8, 5)
    denoiser = StepDenoiser(head.net, [3.0, 42.0], torch.float64)
    time = torch.full((4,), 42)
    given, without = head.net(x, time, z[:4]), head.net(x, time, z[4:])
    plain = denoiser(x, 1, denoiser.condition(z[:4]), 1.0)
    torch.testing.assert_close(plain, given)
    guided = denoiser(x, 1, denoiser.condition(z), 2.5)
    noise = without[:, :6] + 2.5 * (given[:, :6] - without[:, :6])
    torch.testing.assert_close(guided, torch.cat((noise, given[:, 6:]), dim=1))


def test_coefficients_stay_exact_whatever_type_the_weights_take(head):
    exact = Schedule.cosine(1000).table()
    assert torch.equal(head.coefficients, exact)
    assert torch.equal(head.bfloat16().coefficients, exact.float())
    assert torch.equal(head.double().coefficients, exact)
    assert not any("coefficients" in name for name in head.state_dict())


@pytest.mark.parametrize("steps", [-1, 0, 1001])
def test_numbers_of_steps_that_make_no_sense_are_refused(head, steps):
    with pytest.raises(UsageError, match=rf"steps={steps}: a diffusion takes 1 to 1000"):
        head.sampler(steps, 1.0, torch.float32)
