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
    "keeps_the_contract": (NoPhi, "lacks phi"),
    "phi_is_finite": (PhiOfNan, "not finite"),
    "embeddings_have_unit_norm": (NotNormed, "divide by the norm"),
    "loss_is_a_scalar_with_numbers_to_log": (TensorLog, "for loss"),
    "gradients_reach_all_parameters": (FrozenByAccident, "cmr.weight, cmr.bias"),
    "matched_pairs_cost_less": (WrongSign, "needed less for matched"),
    "fit_is_deterministic": (RandomFit, "seed what is random"),
    "state_round_trip": (MeanOutsideTheState, "has loaded the stored state"),
}


class SoundHead(nn.Module):
    """One linear layer, with a scaler and a start."""

    def __init__(self, *, embed_dim, pooled_dim, outputs, target):
        super().__init__()
        self.linear = nn.Linear(pooled_dim, outputs)
        self.register_buffer("mean", torch.zeros(outputs))

    def fit(self, target):
        self.mean.copy_(target.mean(0))

    @torch.no_grad()
    def start(self, pooled, target, *, seed):
        self.linear.bias.zero_()
        self.linear.weight.copy_(torch.linalg.lstsq(pooled, target - self.mean).solution.T)

    def forward(self, features):
        return self.linear(features.pooled)

    def loss(self, outputs, target):
        known = ~target.isnan()
        error = outputs - (torch.where(known, target, 0.0) - self.mean)
        return (error.square() * known).sum() / known.sum().clamp_min(1)

    def predict(self, outputs):
        return (outputs + self.mean).clamp(0, 1)


class NoPredict(SoundHead):
    predict = None


class OneOutput(SoundHead):
    def forward(self, features):
        return super().forward(features)[:, :1]


class LossPerSample(SoundHead):
    def loss(self, outputs, target):
        return functional.mse_loss(outputs, target, reduction="none")


class UnknownCountsAsNo(SoundHead):
    def loss(self, outputs, target):
        return functional.mse_loss(outputs, target.nan_to_num(0.0))


class OnePrediction(SoundHead):
    def predict(self, outputs):
        return super().predict(outputs).mean(0)


class UnusedLayer(SoundHead):
    def __init__(self, **about):
        super().__init__(**about)
        self.forgotten = nn.Linear(2, 2)


class LearnsNothing(SoundHead):
    def forward(self, features):
        return super().forward(features) * 1e-6


class StartsBadly(SoundHead):
    @torch.no_grad()
    def start(self, pooled, target, *, seed):
        self.linear.bias.fill_(100.0)


class HeadStateOutside(SoundHead):
    def fit(self, target):
        self.offset = 0.1

    def predict(self, outputs):
        return super().predict(outputs) * getattr(self, "offset", 1.0)


BROKEN_HEADS = {
    "keeps_the_contract": (NoPredict, "lacks predict"),
    "outputs_have_their_shape": (OneOutput, "needed \\(8, 3\\)"),
    "loss_is_a_scalar": (LossPerSample, "needed a scalar"),
    "unknown_targets_are_left_out": (UnknownCountsAsNo, "with some targets unknown"),
    "predictions_are_one_row_per_sample": (OnePrediction, "one row for each of 8"),
    "gradients_reach_all_parameters": (UnusedLayer, "forgotten.weight"),
    "learns_a_batch": (LearnsNothing, "a tenth less"),
    "start_lowers_the_loss": (StartsBadly, "start\\(\\) brings the loss"),
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


class LogitsAsPredictions(SoundHead):
    def predict(self, outputs):
        return outputs * 10


class LossOfNan(SoundHead):
    def loss(self, outputs, target):
        known = ~target.isnan()
        return (outputs - target)[known].square().mean()


@pytest.mark.parametrize(
    ("name", "broken", "words"),
    [
        ("predictions_are_one_row_per_sample", LogitsAsPredictions, "needed probabilities"),
        ("unknown_targets_are_left_out", LossOfNan, "all targets unknown"),
    ],
)
def test_another_mistake_is_caught_too(name, broken, words):
    (check,) = (check for check in checks_of("head") if check.name == name)
    with pytest.raises(ConformanceError, match=words):
        check(broken)


def test_a_start_that_ignores_its_seed_is_caught():
    class StartsAnywhere(SoundHead):
        turn = 0

        @torch.no_grad()
        def start(self, pooled, target, *, seed):
            super().start(pooled, target, seed=seed)
            StartsAnywhere.turn += 1
            self.linear.bias.fill_(1e-3 * StartsAnywhere.turn)

    (check,) = (check for check in checks_of("head") if check.name == "start_lowers_the_loss")
    with pytest.raises(ConformanceError, match="use the seed"):
        check(StartsAnywhere)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_a_head_is_tried_on_targets_of_the_kind_it_is_for(kind):
    from cardionets_core.testing.head_checks import Trial

    asked = []

    def build(**about):
        asked.append(about)
        return nn.Identity()

    trial = Trial(build, kind)
    trial.unfitted()
    assert asked[0]["target"] == kind
    assert tuple(trial.target.shape) == (8, {"binary": 1, "multiclass": 1}.get(kind, 3))
    assert asked[0]["outputs"] == (1 if kind == "binary" else 3)
