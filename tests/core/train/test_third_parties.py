"""Components that the toolkit has never seen: made up here and registered in memory."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import normalize

from cardionets_core.config import Options
from cardionets_core.errors import PluginError, UsageError
from cardionets_core.interfaces import Features, LossAndLog
from cardionets_core.plugins import Discovery, Plugin
from cardionets_core.registry import Registry, default_registry
from cardionets_core.spec import ComponentSpec, Need
from cardionets_core.weights.load import load


class PlainConfig(Options):
    width: int = 4


class PlainEcg(nn.Module):
    """An encoder without a self-supervised objective, and with no option but its width."""

    modality = "ecg"
    sampling_rate_hz, num_samples, leads = 100, 500, 12

    def __init__(self, config):
        super().__init__()
        self.embed_dim = self.pooled_dim = config.width
        self.layer = nn.Linear(12, config.width)

    def forward(self, x, lead_mask=None):
        tokens = self.layer(x.transpose(1, 2))
        return Features(tokens, tokens.mean(dim=1))


class PlainCmr(nn.Module):
    """An encoder with running statistics, which a training step would change."""

    modality = "cmr"

    def __init__(self, config):
        super().__init__()
        self.embed_dim = self.pooled_dim = config.width
        self.layer, self.norm = nn.Linear(50, config.width), nn.BatchNorm1d(config.width)

    def view(self, cine):
        return cine

    def forward(self, x, lead_mask=None):
        pooled = self.norm(self.layer(x.mean(dim=(2, 3))))
        return Features(pooled.unsqueeze(1), pooled)


class PlainAligner(nn.Module):
    """Draws pairs together and knows nothing of distances between hearts."""

    def __init__(self, config, *, ecg_dim, cmr_dim):
        super().__init__()
        self.ecg, self.cmr = nn.Linear(ecg_dim, config.width), nn.Linear(cmr_dim, config.width)
        self.register_buffer("fitted_on", torch.zeros((), dtype=torch.int64))

    def fit(self, cmr_train):
        self.fitted_on.fill_(len(cmr_train))

    def phi(self, cmr):
        return cmr

    def embed_ecg(self, features):
        return normalize(self.ecg(features.pooled), dim=1)

    def embed_cmr(self, pooled):
        return normalize(self.cmr(pooled), dim=1)

    def loss(self, ecg, cmr, phi):
        return LossAndLog((ecg - cmr).square().sum(dim=1).mean(), {})


def spec(name, kind, modality=None, needs=()):
    target = f"plain_components:Plain{name.removeprefix('plain-').title()}"
    return ComponentSpec(
        name=name,
        kind=kind,
        summary="made up",
        config="plain_components:PlainConfig",
        target=target,
        modality=modality,
        needs=needs,
    )


@pytest.fixture
def registry(monkeypatch):
    module = types.ModuleType("plain_components")
    for made_up in (PlainConfig, PlainEcg, PlainCmr, PlainAligner):
        setattr(module, made_up.__name__, made_up)
    module.__spec__ = None
    monkeypatch.setitem(sys.modules, "plain_components", module)
    monkeypatch.setattr("cardionets_core.registry._package_presets", lambda package: ())
    needs = (Need("encoder", "encoder", "plain-ecg"), Need("cmr_encoder", "encoder", "plain-cmr"))
    declarations = {
        "cardionets_encoders": (
            spec("plain-ecg", "encoder", "ecg"),
            spec("plain-cmr", "encoder", "cmr"),
            replace(spec("plain-ecg", "encoder"), name="plain-silent"),
        ),
        "cardionets_aligners": (spec("plain-aligner", "aligner", needs=needs),),
    }
    made_up = Plugin("plain", "cardionets-plain", "1.0", declarations)
    return Registry(Discovery((*default_registry().discovery.loaded, made_up), ()))


COMPONENTS = {"encoder": "plain-ecg", "aligner": "plain-aligner"}
RANDOM = {"encoder": "random", "cmr_encoder": "random"}
DATA = {"sampling_rate_hz": 100, "crop_samples": 500}


@pytest.fixture
def plain(trainer):
    """A request that names made-up components."""

    def request(name, components=COMPONENTS, weights=RANDOM):
        base = trainer.ecg(name)
        train = {"epochs": 2, "batch_size": 8, "accelerator": "cpu", "threads": 1, "lr": 0.1}
        given = replace(base.given, explicit={"train": train, "data": DATA})
        return replace(base, components=components, weights=weights, given=given)

    return request


def test_a_made_up_aligner_with_made_up_encoders_is_trained_and_loaded(trainer, plain, registry):
    run = trainer.train(plain("run"), registry=registry)
    rows = [row["loss"] for row in run.metrics() if row["phase"] == "train"]
    assert rows[1] < rows[0]
    header = load(run.path, registry=registry).header
    assert header.part("aligner").component == "plain:plain-aligner"
    assert header.part("aligner").distribution == "cardionets-plain"
    assert json.loads((run.path / "results.json").read_text())["test_subjects"] == 10
    tensors = load_file(run.path / "weights.safetensors")
    assert int(tensors["aligner.fitted_on"]) == run.manifest["train_records"]


def test_running_statistics_of_a_frozen_encoder_do_not_move(trainer, plain, registry):
    run = trainer.train(plain("run"), registry=registry)
    tensors = load_file(run.path / "weights.safetensors")
    assert torch.equal(tensors["cmr_encoder.norm.running_mean"], torch.zeros(4))
    assert torch.equal(tensors["cmr_encoder.norm.running_var"], torch.ones(4))
    assert int(tensors["cmr_encoder.norm.num_batches_tracked"]) == 0


def test_a_run_of_made_up_components_can_be_built_upon(trainer, plain, registry):
    first = trainer.train(plain("first"), registry=registry)
    weights = {"encoder": str(first.path), "cmr_encoder": str(first.path)}
    second = trainer.train(plain("second", weights=weights), registry=registry)
    assert len(second.manifest["lineage"]) == 2
    assert second.manifest["transform_hash"] == first.manifest["transform_hash"]


def test_an_encoder_without_an_objective_cannot_be_pretrained(trainer, plain, registry):
    request = plain("run", {"encoder": "plain-ecg"}, {})
    with pytest.raises(PluginError, match="'plain:plain-ecg' has no self-supervised objective"):
        trainer.train(request, registry=registry)


def test_a_cmr_encoder_without_a_view_is_refused(trainer, plain, registry, monkeypatch):
    monkeypatch.delattr(PlainCmr, "view")
    with pytest.raises(PluginError, match=r"'plain:plain-cmr' has no view\(\)"):
        trainer.train(plain("run"), registry=registry)


def test_an_encoder_that_does_not_say_what_it_reads_is_refused(trainer, plain, registry):
    request = plain("alone", {"encoder": "plain-silent"}, {})
    with pytest.raises(PluginError, match="'plain:plain-silent' does not declare what it reads"):
        trainer.train(request, registry=registry)
    request = plain("role", {**COMPONENTS, "encoder": "plain-silent"})
    with pytest.raises(UsageError, match=r"does not say what it reads.*needs one that reads ecg"):
        trainer.train(request, registry=registry)
