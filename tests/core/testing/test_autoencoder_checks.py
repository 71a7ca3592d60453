"""Every check of autoencoders passes a sound one and catches its mistake."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool3d, interpolate

from cardionets_core.cmr.views import CineView
from cardionets_core.interfaces import LossAndLog, Moments
from cardionets_core.testing import ConformanceError, checks_of

SEEN = CineView(frame_start=5, frame_step=10, spatial_pool=8)
SIDE = SEEN.shape[1]


class SoundAutoencoder(nn.Module):
    """Pixels averaged over squares are the latent; their gain and noise are learned."""

    cine_shape, latent_shape = SEEN.shape, (1, 5, SIDE // 2, SIDE // 2)

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.rand(1) + 1)
        self.noise = nn.Parameter(torch.tensor([-2.0]))
        self.register_buffer("latent_scale", torch.ones(()))

    def view(self, cine):
        return SEEN.view(cine)

    def restore(self, view):
        return SEEN.restore(view)

    def encode(self, cine):
        mean = avg_pool3d(cine, (1, 2, 2)) * self.gain
        log_variance = self.noise.expand_as(mean)
        return Moments(mean / self.latent_scale, log_variance - 2 * self.latent_scale.log())

    def decode(self, z):
        raw = z * self.latent_scale / self.gain.detach()
        return interpolate(raw, scale_factor=(1, 2, 2)).clamp(-1, 1)

    def loss(self, cine):
        mean, log_variance = self.encode(cine)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        loss = (interpolate(z, scale_factor=(1, 2, 2)) - cine).square().mean()
        return LossAndLog(loss, {"error": loss.detach()})

    def fit_scale(self, latent_sd):
        self.latent_scale.fill_(latent_sd)


class NoRestore(SoundAutoencoder):
    restore = None


class RestoresAView(SoundAutoencoder):
    def restore(self, view):
        return view


class TakesAnything(SoundAutoencoder):
    def view(self, cine):
        return cine


class MomentsAsPair(SoundAutoencoder):
    def encode(self, cine):
        return tuple(super().encode(cine))


class DrawsInEncode(SoundAutoencoder):
    def encode(self, cine):
        mean, log_variance = super().encode(cine)
        return Moments(mean + torch.randn_like(mean), log_variance)


class CentresTheBatch(SoundAutoencoder):
    def encode(self, cine):
        return super().encode(cine - cine.mean(0))


class EncodesInPlace(SoundAutoencoder):
    def encode(self, cine):
        return super().encode(cine.mul_(0.5))


class ScalesTheMeanOnly(SoundAutoencoder):
    def encode(self, cine):
        mean, log_variance = super().encode(cine)
        return Moments(mean, log_variance + 2 * self.latent_scale.log())


class LossWithoutGraph(SoundAutoencoder):
    def loss(self, cine):
        outcome = super().loss(cine)
        return LossAndLog(outcome.loss.detach(), outcome.log)


class UnusedGain(SoundAutoencoder):
    def loss(self, cine):
        return LossAndLog(self.noise.exp().sum(), {})


class ClimbsTheLoss(SoundAutoencoder):
    """Its gradient points uphill."""

    def loss(self, cine):
        loss = super().loss(cine).loss
        return LossAndLog(2 * loss.detach() - loss, {})


class ScaleOutsideTheState(SoundAutoencoder):
    def fit_scale(self, latent_sd):
        self.latent_scale = torch.tensor(latent_sd)
        self.gain_outside = 3.0

    def encode(self, cine):
        return super().encode(cine * getattr(self, "gain_outside", 1.0))


BROKEN_AUTOENCODERS = {
    "keeps_the_contract": (NoRestore, "lacks restore"),
    "views_have_their_shapes": (RestoresAView, "restore\\(\\) gives"),
    "refuses_another_shape": (TakesAnything, "a row too few is taken"),
    "latents_have_their_shape": (MomentsAsPair, "encode gives a tuple"),
    "is_deterministic_in_eval": (DrawsInEncode, "draw latents in loss"),
    "samples_do_not_mix": (CentresTheBatch, "across the batch"),
    "does_not_change_its_input": (EncodesInPlace, "work on a copy"),
    "scale_brings_latents_to_unit_sd": (ScalesTheMeanOnly, "needed 1: divide"),
    "loss_is_a_scalar_with_numbers_to_log": (LossWithoutGraph, "has no graph"),
    "gradients_reach_all_parameters": (UnusedGain, "no gradient reaches gain"),
    "learns_a_batch": (ClimbsTheLoss, "needed less"),
    "state_round_trip": (ScaleOutsideTheState, "has loaded the stored state"),
}


CHECKS = [pytest.param(check, id=check.name) for check in checks_of("autoencoder")]


@pytest.mark.parametrize("check", CHECKS)
def test_a_sound_autoencoder_passes(check):
    check(SoundAutoencoder)


@pytest.mark.parametrize("check", CHECKS)
def test_the_mistake_of_an_autoencoder_is_caught_and_explained(check):
    broken, words = BROKEN_AUTOENCODERS[check.name]
    with pytest.raises(ConformanceError, match=words):
        check(broken)


class WorksOnRawLatents(SoundAutoencoder):
    def fit_scale(self, latent_sd):
        """It has no scale."""


class MultipliesTwice(SoundAutoencoder):
    def decode(self, z):
        return super().decode(z * self.latent_scale)


def find(name):
    (check,) = (check for check in checks_of("autoencoder") if check.name == name)
    return check


def test_an_autoencoder_may_work_on_raw_latents():
    find("scale_brings_latents_to_unit_sd")(WorksOnRawLatents)


def test_a_scale_that_decode_does_not_take_back_is_caught():
    with pytest.raises(ConformanceError, match="decodes to another cine"):
        find("scale_brings_latents_to_unit_sd")(MultipliesTwice)
