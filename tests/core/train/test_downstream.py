"""What a downstream task trains, what it leaves alone, and which tasks and heads it takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from cardionets_core.errors import ConfigError
from cardionets_core.interfaces import Features
from cardionets_core.plugins import Discovery, Plugin
from cardionets_core.registry import Registry, default_registry
from cardionets_core.train.config import TrainConfig
from cardionets_core.train.downstream import DownstreamModel, DownstreamStage
from cardionets_core.train.protocol import ProtocolConfig
from cardionets_core.train.schedule import make_optimizer
from cardionets_core.train.subsets import Subsets
from cardionets_core.weights.header import read_header

ACME = Path(__file__).parents[2] / "acme_plugin"
LINEAR = default_registry().find("head", "linear").load()


def part_of(run, role):
    tensors = load_file(run.path / "weights.safetensors")
    return {n.partition(".")[2]: t for n, t in tensors.items() if n.startswith(f"{role}.")}


def from_ssl(ssl):
    return {"variant": "ssl", "weights": {"encoder": str(ssl.path)}}


def same(before, after):
    assert before.keys() == after.keys()
    return all(before[name].tobytes() == after[name].tobytes() for name in before)


def results(run):
    return json.loads((run.path / "results.json").read_text())


class Blocks(nn.Module):
    """An encoder with running statistics, dropout and layers in ``blocks``."""

    embed_dim = pooled_dim = 4

    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.norm = nn.LayerNorm(4)

    def forward(self, x, lead_mask=None):
        x = self.embed(x)
        for block in self.blocks:
            x = x + block(x)
        pooled = self.norm(x)
        return Features(pooled[:, None], pooled)


def made_up_stage(*, probe=False, **protocol):
    """A stage of a made-up encoder and a linear head."""
    torch.manual_seed(0)
    config = default_registry().find("head", "linear").load_config()()
    head = LINEAR(config, embed_dim=4, pooled_dim=4, outputs=1, target="binary")
    targets = SimpleNamespace(values=np.tile(np.float32([[0], [1]]), (8, 1)))
    subsets = Subsets(np.arange(8), np.arange(8, 12), np.arange(12, 16), 8)
    options = ProtocolConfig(probe=probe, **protocol)
    model = DownstreamModel(Blocks(), head, probe=probe)
    return DownstreamStage(model, None, None, targets, subsets, options, seed=0)


def trained_by_hand(stage, steps=3):
    """The encoder's state after some steps in training mode."""
    model = stage.module.train()
    optimizer = make_optimizer(model, TrainConfig(lr=0.1), stage.lr_scales())
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        x = torch.randn(8, 3, generator=generator)
        loss = model(x, torch.from_numpy(stage.targets.values[:8])).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: tensor.numpy() for name, tensor in model.encoder.state_dict().items()}


def test_probing_leaves_parameters_buffers_and_dropout_of_the_encoder_alone():
    stage = made_up_stage(probe=True)
    before = {n: t.clone().numpy() for n, t in stage.module.encoder.state_dict().items()}
    head = stage.module.head.linear.weight.clone()
    assert same(before, trained_by_hand(stage))
    assert not any(module.training for module in stage.module.encoder.modules())
    assert stage.module.head.training
    assert not torch.equal(head, stage.module.head.linear.weight)


def test_fine_tuning_moves_parameters_and_running_statistics():
    stage = made_up_stage()
    before = {n: t.clone().numpy() for n, t in stage.module.encoder.state_dict().items()}
    after = trained_by_hand(stage)
    assert all(before[name].tobytes() != after[name].tobytes() for name in before)


def test_a_probed_encoder_is_kept_as_it_came_and_a_tuned_one_is_not(tasks, ssl):
    probed = tasks.train(tasks.head("probe", "protocol.probe=true", **from_ssl(ssl)))
    tuned = tasks.train(tasks.head("tune", **from_ssl(ssl)))
    came = part_of(ssl, "encoder")
    assert same(came, part_of(probed, "encoder"))
    assert not same(came, part_of(tuned, "encoder"))
    assert not same(part_of(probed, "head"), part_of(tuned, "head"))


def test_layers_far_from_the_head_learn_more_slowly():
    stage = made_up_stage(layer_decay=0.5)
    scales = stage.lr_scales()
    found = {name: scales.get(name, 1.0) for name, _ in stage.module.named_parameters()}
    assert found["head.linear.weight"] == found["encoder.norm.bias"] == 1.0
    blocks = [found[f"encoder.blocks.{i}.weight"] for i in range(3)]
    assert blocks == [0.125, 0.25, 0.5]
    assert found["encoder.embed.0.weight"] == found["encoder.embed.1.bias"] == 0.0625
    optimizer = make_optimizer(stage.module, TrainConfig(), scales)
    of = {id(p): group["lr_scale"] for group in optimizer.param_groups for p in group["params"]}
    assert of == {id(p): found[name] for name, p in stage.module.named_parameters()}


def test_a_layer_that_learns_more_slowly_moves_less(tasks, ssl):
    moved = {}
    for decay in (1.0, 0.01):
        name = f"decay-{decay}"
        request = tasks.head(name, f"protocol.layer_decay={decay}", **from_ssl(ssl))
        after = part_of(tasks.train(request), "encoder")
        moved[decay] = {n: np.abs(t - after[n]).max() for n, t in part_of(ssl, "encoder").items()}
    block = next(name for name in moved[1.0] if name.startswith("blocks.0.") and "weight" in name)
    assert moved[0.01][block] == pytest.approx(moved[1.0][block] * 0.01, rel=0.2)
    assert moved[0.01]["norm.weight"] > moved[1.0]["norm.weight"] * 0.2


def test_layer_decay_needs_layers_in_order():
    stage = made_up_stage(layer_decay=0.5)
    stage.module.encoder = nn.Linear(2, 2)
    with pytest.raises(ConfigError, match=r"protocol\.layer_decay.*set it to 1"):
        stage.lr_scales()


@pytest.mark.parametrize(
    ("sets", "head", "with_weights"),
    [
        ((), "linear", True),
        ((), "linear", False),
        (("protocol.head_start=random",), "linear", True),
        (("head.widths=[4]",), "mlp", True),
    ],
)
def test_the_head_starts_in_closed_form_on_an_encoder_with_weights(
    tasks, ssl, monkeypatch, sets, head, with_weights
):
    calls, start = [], LINEAR.start

    def spied(self, pooled, target, *, seed):
        calls.append((pooled.shape, target.shape))
        start(self, pooled, target, seed=seed)

    monkeypatch.setattr(LINEAR, "start", spied)
    changes = from_ssl(ssl) if with_weights else {}
    tasks.train(tasks.head("run", *sets, head=head, **changes))
    as_asked = with_weights and not sets
    # 48 subjects train, less one who is diagnosed only later.
    assert calls == [((47, 8), (47, 1))] * as_asked


def test_stopping_on_the_reported_subjects_is_done_and_said_only_if_asked_for(tasks, task_cohort):
    honest = made_up_stage()
    assert honest.val_rows.tolist() == [8, 9, 10, 11]
    assert made_up_stage(select_on="reported").val_rows.tolist() == [12, 13, 14, 15]
    run = tasks.train(tasks.head("run", "protocol.select_on='reported'"))
    said = "training was stopped on the subjects that are reported"
    assert said in results(run)["remarks"][0]
    assert said in read_header(run.path / "weights.safetensors").notes[0]
    assert said in tasks.said.getvalue()


@pytest.mark.parametrize(
    ("task", "sets", "metrics"),
    [
        ("cm", (), {"auc", "sensitivity", "ppv", "brier"}),
        ("cm-subtype", ("protocol.fold=1",), {"accuracy", "auc[dcm]"}),
        ("phenotypes", (), {"r2", "pearson"}),
        ("cad,hf", (), {"auc", "map", "auc[cad]", "auc[hf]"}),
    ],
)
def test_every_kind_of_task_is_trained_and_tested(tasks, task, sets, metrics):
    run = tasks.train(tasks.head("run", *sets, task=task))
    found = {row["name"] for row in results(run)["metrics"]}
    assert metrics <= found
    header = read_header(run.path / "weights.safetensors").tasks["head"]
    assert header.name == task
    if task == "phenotypes":
        assert len(header.outputs) == len(header.units) == 82
        assert header.threshold == ()
        assert part_of(run, "head")["target_sd"].min() > 0


def test_a_third_partys_head_is_trained(tasks, ssl, monkeypatch):
    monkeypatch.syspath_prepend(str(ACME))
    from cardionets_acme.plugin import cardionets_heads

    acme = Plugin("acme", "cardionets-acme", "1.0", {"cardionets_heads": (*cardionets_heads(),)})
    # It may be installed as well.
    others = [plugin for plugin in default_registry().discovery.loaded if plugin.name != "acme"]
    registry = Registry(Discovery((*others, acme), ()))
    request = tasks.head("run", head="acme-linear", **from_ssl(ssl))
    # Its one preset holds no numbers of training: those of the default head serve.
    recommended = replace(request, given=replace(request.given, preset="recommended"))
    run = tasks.train(recommended, registry=registry)
    header = read_header(run.path / "weights.safetensors")
    assert header.part("head").component == "acme:acme-linear"
    assert header.part("head").config["dropout"] == 0.1
    assert run.manifest["plan"]["train"]["patience"] == 10
    assert {row["name"] for row in results(run)["metrics"]} >= {"auc"}
    numbers = replace(recommended, task="phenotypes", out=run.path.with_name("numbers"))
    with pytest.raises(ConfigError, match="acme-linear answers yes or no"):
        tasks.train(numbers, registry=registry)


def subjects_of_test(run):
    """Target of each subject that a run is tested on."""
    rows = pq.read_table(run.path / "scores.parquet").to_pylist()
    return {row["subject_id"]: row["target"] for row in rows if row["split"] == "test"}


def test_a_cmr_encoder_is_tested_on_the_same_subjects_as_an_ecg_encoder(tasks, ssl):
    ecg = tasks.train(tasks.head("ecg"))
    cmr = tasks.train(tasks.head("cmr", variant="cmr-ref", weights={"encoder": "train"}))
    assert subjects_of_test(ecg) == subjects_of_test(cmr)
    assert len(subjects_of_test(ecg)) == 16
    # What was trained on the way is as narrow as what the user asked for.
    assert cmr.manifest["plan"]["parts"]["encoder"]["options"]["width"] == 8
    assert (cmr.path / "needs" / "cmr-ssl" / "weights.safetensors").exists()
