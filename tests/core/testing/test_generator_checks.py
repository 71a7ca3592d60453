"""Every check of generators passes a sound one and catches its mistake."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool3d, interpolate, pad

from cardionets_core.cmr.views import CineView
from cardionets_core.errors import UsageError, WeightsError
from cardionets_core.interfaces import LossAndLog, Moments
from cardionets_core.testing import ConformanceError, checks_of

SEEN = CineView(frame_start=5, frame_step=10, spatial_pool=8)
SIDE = SEEN.shape[1]


class Pooled(nn.Module):
    """An autoencoder that averages pixels over squares."""

    cine_shape, latent_shape = SEEN.shape, (1, 5, SIDE // 2, SIDE // 2)
    view, restore = staticmethod(SEEN.view), staticmethod(SEEN.restore)

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))
        self.register_buffer("latent_scale", torch.ones(()))

    def encode(self, cine):
        mean = avg_pool3d(cine, (1, 2, 2)) / self.latent_scale
        return Moments(mean, torch.zeros_like(mean))

    def decode(self, z):
        return interpolate(z * self.latent_scale + self.bias, scale_factor=(1, 2, 2)).clamp(-1, 1)

    def fit_scale(self, latent_sd):
        self.latent_scale.fill_(latent_sd)


class Holder:
    """Keeps a module from being registered."""

    def __init__(self, module):
        self.module = module


class SoundGenerator(nn.Module):
    """A latent that is linear in the condition, with noise of one learned size."""

    condition, trained_by_steps, cine_shape = "ecg", True, (0, 0, 0)

    def __init__(self, *, condition_dim):
        super().__init__()
        self.linear = nn.Linear(condition_dim, Pooled.latent_shape[-1])
        self.spread = nn.Parameter(torch.tensor([0.1]))
        self.register_buffer("mean", torch.full((condition_dim,), torch.nan))
        self.register_buffer("latent_scale", torch.zeros(()))

    def use(self, *, autoencoder):
        scale = autoencoder.latent_scale
        if self.latent_scale > 0 and self.latent_scale != scale:
            raise WeightsError("wrong latent scale")
        self.held = Holder(autoencoder.eval().requires_grad_(False))
        self.cine_shape = autoencoder.cine_shape

    def view(self, cine):
        return self.held.module.view(cine)

    def restore(self, view):
        return self.held.module.restore(view)

    def fit(self, condition, views):
        self.mean.copy_(condition.mean(0))
        self.latent_scale.copy_(self.held.module.latent_scale)

    @torch.no_grad()
    def target(self, cine):
        return self.held.module.encode(cine).mean

    def latent(self, condition, noise):
        centred = condition - self.mean.nan_to_num()
        return self.linear(centred)[:, None, None, None] + self.spread * noise

    def loss(self, target, condition, *, noise=None):
        drawn = self.latent(condition, torch.randn_like(target))
        loss = (drawn - target).square().mean()
        return LossAndLog(loss, {"error": loss.detach()})

    @torch.no_grad()
    def sample(self, condition, *, seed, steps=None, guidance=None):
        if condition.shape[1] != self.linear.in_features:
            raise WeightsError("another width")
        if self.mean.isnan().any():
            raise UsageError("not fitted")
        if steps == 0 or (guidance is not None and not guidance >= 0):
            raise UsageError("makes no sense")
        seeds = [seed + 7 * i for i in range(len(condition))] if isinstance(seed, int) else seed
        if len(seeds) != len(condition):
            raise UsageError("another number of seeds")
        noise = [self.numbers(one) for one in seeds]
        return self.held.module.decode(self.latent(condition, torch.stack(noise)))

    def numbers(self, seed):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(Pooled.latent_shape, generator=generator)

    def sample_condition(self, n, *, seed):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(n, self.linear.in_features, generator=generator)


class OfAnotherKind(SoundGenerator):
    condition = "weather"


class ViewsOfItsOwn(SoundGenerator):
    def view(self, cine):
        return super().view(cine)[:, :-1]


class Registers(SoundGenerator):
    def use(self, *, autoencoder):
        super().use(autoencoder=autoencoder)
        self.autoencoder = autoencoder


class TargetDraws(SoundGenerator):
    def target(self, cine):
        return super().target(cine) + torch.rand(1)


class NoLog(SoundGenerator):
    def loss(self, target, condition, *, noise=None):
        outcome = super().loss(target, condition)
        return LossAndLog(outcome.loss, {"error": outcome.loss})


class DrawsElsewhere(SoundGenerator):
    def loss(self, target, condition, *, noise=None):
        generator = torch.Generator()
        generator.seed()
        shift = torch.randn(1, generator=generator)
        return super().loss(target + shift, condition)


class SpreadForgotten(SoundGenerator):
    def latent(self, condition, noise):
        return super().latent(condition, noise) - (self.spread - self.spread.detach()) * noise


class GoesUphill(SoundGenerator):
    def loss(self, target, condition, *, noise=None):
        loss = super().loss(target, condition).loss
        return LossAndLog(2 * loss.detach() - loss, {})


class Unclamped(SoundGenerator):
    def sample(self, condition, **about):
        return super().sample(condition, **about) * 3


class GlobalNoise(SoundGenerator):
    def numbers(self, seed):
        return torch.randn(Pooled.latent_shape)


class IgnoresTheSeed(SoundGenerator):
    def numbers(self, seed):
        return super().numbers(0)


class NoiseOfTheBatch(SoundGenerator):
    def sample(self, condition, **about):
        return super().sample(condition - condition.mean(0), **about)


class TakesNoSteps(SoundGenerator):
    def sample(self, condition, *, seed, steps=None, guidance=None):
        return super().sample(condition, seed=seed)


class TakesAnyWidth(SoundGenerator):
    def sample(self, condition, **about):
        width = self.linear.in_features
        padded = pad(condition, (0, width - condition.shape[1]))
        return super().sample(padded, **about)


class DrawsUnfitted(SoundGenerator):
    def sample(self, condition, **about):
        self.mean.nan_to_num_()
        return super().sample(condition, **about)


class FitsAnotherWay(SoundGenerator):
    turn = 0

    def fit(self, condition, views):
        super().fit(condition, views)
        FitsAnotherWay.turn += 1
        self.mean += 0.3 * FitsAnotherWay.turn


class StateOutside(SoundGenerator):
    offset = 0.0

    def fit(self, condition, views):
        super().fit(condition, views)
        self.offset = 0.5

    def latent(self, condition, noise):
        return super().latent(condition, noise) + self.offset


class TakesAnyScale(SoundGenerator):
    def use(self, *, autoencoder):
        self.latent_scale.zero_()
        super().use(autoencoder=autoencoder)


class OneCondition(SoundGenerator):
    def sample_condition(self, n, *, seed):
        return super().sample_condition(n, seed=0)


BROKEN_GENERATORS = {
    "keeps_the_contract": (OfAnotherKind, "condition is 'weather'"),
    "views_have_their_shapes": (ViewsOfItsOwn, "view\\(\\) gives"),
    "what_it_uses_is_not_its_own": (Registers, "so that it is not registered"),
    "target_can_be_cached": (TargetDraws, "draw in loss"),
    "loss_is_a_scalar_with_numbers_to_log": (NoLog, "for error"),
    "loss_draws_from_the_global_generator": (DrawsElsewhere, "global generator"),
    "gradients_reach_all_parameters": (SpreadForgotten, "no gradient reaches spread"),
    "learns_a_batch": (GoesUphill, "needed less"),
    "cines_have_their_shape_and_range": (Unclamped, "clamp it"),
    "equal_seeds_give_equal_cines": (GlobalNoise, "generator of your own"),
    "other_seeds_give_other_cines": (IgnoresTheSeed, "set deterministic = True"),
    "records_do_not_mix": (NoiseOfTheBatch, "compute nothing across the batch"),
    "refuses_what_makes_no_sense": (TakesNoSteps, "sample\\(steps=0\\) of 3 conditions is taken"),
    "refuses_another_width": (TakesAnyWidth, "too narrow is taken"),
    "refuses_to_draw_before_fit": (DrawsUnfitted, "before fit\\(\\) is taken"),
    "fit_is_deterministic": (FitsAnotherWay, "draws other cines"),
    "state_round_trip": (StateOutside, "has loaded the stored state"),
    "refuses_another_latent_scale": (TakesAnyScale, "another latent_scale is taken"),
    "draws_its_own_conditions_by_seed": (OneCondition, "another seed gives the same"),
}


CHECKS = [pytest.param(check, id=check.name) for check in checks_of("generator")]


@pytest.mark.parametrize("check", CHECKS)
def test_a_sound_generator_passes(check):
    check(SoundGenerator, uses={"autoencoder": Pooled})


@pytest.mark.parametrize("check", CHECKS)
def test_the_mistake_of_a_generator_is_caught_and_explained(check):
    broken, words = BROKEN_GENERATORS[check.name]
    with pytest.raises(ConformanceError, match=words):
        check(broken, uses={"autoencoder": Pooled})


def find(name):
    (check,) = (check for check in checks_of("generator") if check.name == name)
    return check


class Fixed(SoundGenerator):
    """Without noise, and says so."""

    deterministic = True

    def numbers(self, seed):
        return torch.zeros(Pooled.latent_shape)


class FixedInWord(SoundGenerator):
    deterministic = True


class PlainError(SoundGenerator):
    def sample(self, condition, **about):
        return super().sample(condition, **about) if about["seed"] else self.linear(condition)


@pytest.mark.parametrize(
    ("name", "broken", "words"),
    [
        ("other_seeds_give_other_cines", FixedInWord, "deterministic is True"),
        ("refuses_another_width", PlainError, "raises RuntimeError"),
    ],
)
def test_another_mistake_is_caught_too(name, broken, words):
    with pytest.raises(ConformanceError, match=words):
        find(name)(broken, uses={"autoencoder": Pooled})


def test_a_generator_may_say_that_nothing_is_random():
    check = find("other_seeds_give_other_cines")
    check(Fixed, uses={"autoencoder": Pooled})


class Mean(nn.Module):
    """A baseline that uses nothing and that no step trains."""

    condition, trained_by_steps, deterministic, cine_shape = "ecg", False, True, SEEN.shape

    def __init__(self, *, condition_dim):
        super().__init__()
        self.width = condition_dim
        self.register_buffer("mean", torch.full(SEEN.shape, torch.nan))

    view, restore = staticmethod(SEEN.view), staticmethod(SEEN.restore)
    target = loss = None

    def fit(self, condition, views):
        self.mean.copy_(torch.cat(list(views)).mean(0))

    def sample(self, condition, *, seed, steps=None, guidance=None):
        if condition.shape[1] != self.width or self.mean.isnan().any() or steps == 0:
            raise UsageError("cannot be")
        if guidance is not None or (not isinstance(seed, int) and len(seed) != len(condition)):
            raise UsageError("cannot be")
        return self.mean.expand(len(condition), 1, *SEEN.shape)


@pytest.mark.parametrize("check", CHECKS)
def test_a_baseline_that_only_fits_need_not_have_a_loss(check):
    if check.name != "keeps_the_contract":
        check(Mean)
