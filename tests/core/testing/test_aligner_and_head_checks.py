"""Every check of aligners and heads passes a sound one and catches its mistake."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from cardionets_core.interfaces import LossAndLog
from cardionets_core.testing import ConformanceError, checks_of

WIDTH = 6


class SoundAligner(nn.Module):
    """InfoNCE on two projections; phi is the centred CMR feature."""

    def __init__(self, *, ecg_dim, cmr_dim):
        super().__init__()
        self.ecg, self.cmr = nn.Linear(ecg_dim, WIDTH), nn.Linear(cmr_dim, WIDTH)
        self.register_buffer("mean", torch.zeros(cmr_dim))

    def fit(self, cmr_train):
        self.mean.copy_(cmr_train.mean(0))

    def phi(self, cmr):
        return cmr - self.mean

    def embed_ecg(self, features):
        return functional.normalize(self.ecg(features.pooled), dim=1)

    def embed_cmr(self, pooled):
        return functional.normalize(self.cmr(pooled), dim=1)

    def loss(self, ecg, cmr, phi):
        loss = functional.cross_entropy(ecg @ cmr.T / 0.1, torch.arange(len(ecg)))
        return LossAndLog(loss, {"pairs": len(ecg)})


class NoPhi(SoundAligner):
    phi = None


class PhiOfNan(SoundAligner):
    def phi(self, cmr):
        return super().phi(cmr) / 0


class NotNormed(SoundAligner):
    def embed_ecg(self, features):
        return self.ecg(features.pooled)


class TensorLog(SoundAligner):
    def loss(self, ecg, cmr, phi):
        loss = super().loss(ecg, cmr, phi).loss
        return LossAndLog(loss, {"loss": loss})


class FrozenByAccident(SoundAligner):
    def embed_cmr(self, pooled):
        return super().embed_cmr(pooled).detach()


class WrongSign(SoundAligner):
    def loss(self, ecg, cmr, phi):
        return LossAndLog(-super().loss(ecg, cmr, phi).loss, {})


class RandomFit(SoundAligner):
    turn = 0

    def fit(self, cmr_train):
        RandomFit.turn += 1
        self.mean.fill_(RandomFit.turn)


class MeanOutsideTheState(SoundAligner):
    def __init__(self, **dims):
        super().__init__(**dims)
        self.offset = 0.0

    def fit(self, cmr_train):
        self.offset = cmr_train.mean(0)

    def phi(self, cmr):
        return cmr - self.offset


BROKEN_ALIGNERS = {
    "keeps_the_contract": (NoPhi, "lacks something"),
    "phi_is_finite": (PhiOfNan, "not finite"),
    "embeddings_have_unit_norm": (NotNormed, "divide by the norm"),
    "loss_is_a_scalar_with_numbers_to_log": (TensorLog, "for loss"),
    "gradients_reach_all_parameters": (FrozenByAccident, "cmr.weight, cmr.bias"),
    "matched_pairs_cost_less": (WrongSign, "needed less for matched"),
    "fit_is_deterministic": (RandomFit, "seed what is random"),
    "state_round_trip": (MeanOutsideTheState, "has loaded the stored state"),
}


class SoundHead(nn.Module):
    """One linear layer."""

    def __init__(self, *, embed_dim, pooled_dim, outputs):
        super().__init__()
        self.linear = nn.Linear(pooled_dim, outputs)

    def forward(self, features):
        return self.linear(features.pooled)

    def loss(self, outputs, target):
        return functional.mse_loss(outputs, target)

    def predict(self, outputs):
        return outputs


class NoPredict(SoundHead):
    predict = None


class OneOutput(SoundHead):
    def forward(self, features):
        return super().forward(features)[:, :1]


class LossPerSample(SoundHead):
    def loss(self, outputs, target):
        return functional.mse_loss(outputs, target, reduction="none")


class OnePrediction(SoundHead):
    def predict(self, outputs):
        return outputs.mean(0)


class UnusedLayer(SoundHead):
    def __init__(self, **dims):
        super().__init__(**dims)
        self.forgotten = nn.Linear(2, 2)


class LearnsNothing(SoundHead):
    def forward(self, features):
        return super().forward(features) * 1e-6


class HeadStateOutside(SoundHead):
    def __init__(self, **dims):
        super().__init__(**dims)
        self.offset = torch.rand(1)

    def predict(self, outputs):
        return outputs + self.offset


BROKEN_HEADS = {
    "keeps_the_contract": (NoPredict, "lacks something"),
    "outputs_have_their_shape": (OneOutput, "needed \\(8, 3\\)"),
    "loss_is_a_scalar": (LossPerSample, "needed a scalar"),
    "predictions_are_one_row_per_sample": (OnePrediction, "one row for each of 8"),
    "gradients_reach_all_parameters": (UnusedLayer, "forgotten.weight"),
    "learns_a_batch": (LearnsNothing, "a tenth less"),
    "state_round_trip": (HeadStateOutside, "has loaded the stored state"),
}

SOUND = {"aligner": SoundAligner, "head": SoundHead}
BROKEN = {"aligner": BROKEN_ALIGNERS, "head": BROKEN_HEADS}
CHECKS = [
    pytest.param(kind, check, id=f"{kind}-{check.name}")
    for kind in SOUND
    for check in checks_of(kind)
]


@pytest.mark.parametrize(("kind", "check"), CHECKS)
def test_a_sound_component_passes(kind, check):
    torch.manual_seed(0)
    check(SOUND[kind])


@pytest.mark.parametrize(("kind", "check"), CHECKS)
def test_the_mistake_is_caught_and_explained(kind, check):
    torch.manual_seed(0)
    broken, words = BROKEN[kind][check.name]
    with pytest.raises(ConformanceError, match=words):
        check(broken)
