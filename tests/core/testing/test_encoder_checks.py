"""Every check of an encoder passes a sound one, and catches the mistake that it is for."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from cardionets_core.errors import LeadError
from cardionets_core.interfaces import Features, LossAndLog
from cardionets_core.testing import ConformanceError, checks_of

LEADS, SAMPLES, PATCH, WIDTH = ("I", "II", "V1"), 40, 10, 6
CHECKS = {check.name: check for check in checks_of("encoder")}


class SoundPretext(nn.Module):
    """Predict the input's mean from what noise leaves of it."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def noise_shape(self, x):
        return tuple(x.shape[:2])

    def forward(self, x, *, noise=None, lead_mask=None):
        kept = x * (noise > 0.5)[:, :, None]
        return LossAndLog(self.encoder(kept).pooled.square().mean(), {})


class SoundEncoder(nn.Module):
    """Patches of present leads, embedded one by one and averaged."""

    embed_dim, pooled_dim, modality = WIDTH, WIDTH, "ecg"
    leads, num_samples, sampling_rate_hz = LEADS, SAMPLES, 100

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(PATCH, WIDTH)

    def forward(self, x, lead_mask=None):
        if x.shape[1] != len(LEADS):
            raise LeadError(f"{x.shape[1]} leads; needed {len(LEADS)}")
        present = torch.ones(x.shape[:2], dtype=torch.bool) if lead_mask is None else lead_mask
        weight = present.expand(x.shape[:2]).float()[:, :, None, None]
        tokens = self.project(x.unflatten(2, (-1, PATCH))).tanh() * weight
        pooled = tokens.mean(2).sum(1) / weight.sum(1)[:, :, 0]
        return Features(tokens.flatten(1, 2), pooled)

    def pretext(self):
        return SoundPretext(self)


class Modality(SoundEncoder):
    modality = "mri"


class NoLeads(SoundEncoder):
    leads = property()


class WrongWidth(SoundEncoder):
    embed_dim = WIDTH + 1


class Dropping(SoundEncoder):
    def forward(self, x, lead_mask=None):
        tokens, pooled = super().forward(x, lead_mask)
        return Features(tokens, functional.dropout(pooled, 0.5, training=True))


class AcrossTheBatch(SoundEncoder):
    def forward(self, x, lead_mask=None):
        tokens, pooled = super().forward(x, lead_mask)
        return Features(tokens, pooled - pooled.mean(0))


class InPlace(SoundEncoder):
    def forward(self, x, lead_mask=None):
        return super().forward(x.mul_(2), lead_mask)


class Unused(SoundEncoder):
    def __init__(self):
        super().__init__()
        self.forgotten = nn.Linear(2, 2)


class StateOutside(SoundEncoder):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(WIDTH, WIDTH)]

    def forward(self, x, lead_mask=None):
        tokens, pooled = super().forward(x, lead_mask)
        return Features(tokens, self.layers[0](pooled))


class MaskIgnored(SoundEncoder):
    def forward(self, x, lead_mask=None):
        return super().forward(x)


class MaskOfAllOnly(SoundEncoder):
    def forward(self, x, lead_mask=None):
        features = super().forward(x, lead_mask)
        return features if lead_mask is None or lead_mask.ndim == 2 else Features(*[
            part + 1 for part in features
        ])  # fmt: skip


class ShapeError(SoundEncoder):
    def forward(self, x, lead_mask=None):
        return super().forward(x + torch.zeros(len(LEADS), 1), lead_mask)


class NoisyPretext(SoundEncoder):
    def pretext(self):
        class Noisy(SoundPretext):
            def forward(self, x, *, noise=None, lead_mask=None):
                return super().forward(x, noise=torch.rand_like(noise))

        return Noisy(self)


BROKEN = {
    "keeps_the_contract": (Modality, "modality is 'mri'"),
    "says_what_it_takes": (NoLeads, "also needs leads"),
    "features_have_their_shapes": (WrongWidth, "embed_dim=7"),
    "is_deterministic_in_eval": (Dropping, "differ"),
    "samples_do_not_mix": (AcrossTheBatch, "across the batch"),
    "does_not_change_its_input": (InPlace, "in place"),
    "gradients_reach_all_parameters": (Unused, "forgotten.weight, forgotten.bias"),
    "state_round_trip": (StateOutside, "has loaded the stored state"),
    "absent_leads_have_no_influence": (MaskIgnored, "lead I is absent"),
    "lead_mask_may_be_of_one_or_all": (MaskOfAllOnly, "give different features"),
    "refuses_another_shape": (ShapeError, "raises RuntimeError"),
    "pretext_can_be_trained": (NoisyPretext, "has to come from noise"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_sound_encoder_passes(name):
    torch.manual_seed(0)
    CHECKS[name](SoundEncoder)


@pytest.mark.parametrize("name", CHECKS)
def test_the_mistake_is_caught_and_explained(name):
    torch.manual_seed(0)
    broken, words = BROKEN[name]
    with pytest.raises(ConformanceError, match=words):
        CHECKS[name](broken)
