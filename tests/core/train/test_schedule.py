"""Optimiser and learning rate."""

from __future__ import annotations

import pytest
from torch import nn

from cardionets_core.train.config import TrainConfig
from cardionets_core.train.schedule import learning_rate, make_optimizer


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.1), (4, 0.5), (9, 1.0), (10, 1.0), (55, 0.55), (100, 0.1), (500, 0.1)],
)
def test_learning_rate_rises_in_a_line_and_falls_in_half_a_cosine(step, expected):
    config = TrainConfig(epochs=10, warmup_epochs=1, lr=1.0, min_lr=0.1)
    assert learning_rate(config, step, steps_per_epoch=10) == pytest.approx(expected)


def test_constant_schedule_stays_at_the_peak_after_the_warm_up():
    config = TrainConfig(epochs=10, warmup_epochs=0.5, lr=2.0, schedule="constant")
    rates = [learning_rate(config, step, steps_per_epoch=4) for step in range(40)]
    assert rates[:3] == [1.0, 2.0, 2.0]
    assert rates[-1] == 2.0


def test_learning_rate_scales_with_the_batch_where_asked():
    assert TrainConfig(lr=1e-3, batch_size=1024, lr_per_256=True).peak_lr == pytest.approx(4e-3)
    assert TrainConfig(lr=1e-3, batch_size=1024).peak_lr == 1e-3


def decay_of(config):
    module = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    module[0].weight.requires_grad_(True)
    groups = make_optimizer(module, config).param_groups
    return {id(p): g["weight_decay"] for g in groups for p in g["params"]}, module


def test_biases_and_norms_are_not_decayed():
    decay, module = decay_of(TrainConfig(weight_decay=0.05))
    linear, norm = module
    assert decay[id(linear.weight)] == 0.05
    assert {decay[id(p)] for p in (linear.bias, norm.weight, norm.bias)} == {0.0}


def test_everything_is_decayed_where_nothing_is_exempt():
    decay, _ = decay_of(TrainConfig(weight_decay=0.05, weight_decay_exempt="none"))
    assert len(decay) == 4
    assert set(decay.values()) == {0.05}


def test_frozen_parameters_are_not_in_the_optimiser():
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    module[0].requires_grad_(False)
    optimised = [p for g in make_optimizer(module, TrainConfig()).param_groups for p in g["params"]]
    assert {id(p) for p in optimised} == {id(p) for p in module[1].parameters()}
