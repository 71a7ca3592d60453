"""A moving average of weights: what it is, what is validated, and that it survives a stop."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cardionets_core.errors import ConfigError
from cardionets_core.options import make_options
from cardionets_core.train.average import WeightAverage
from cardionets_core.train.config import TrainConfig


def test_the_average_is_the_exponential_one_once_it_is_grown():
    module = nn.Linear(1, 1, bias=False)
    average = WeightAverage(module, 0.5)
    followed = expected = module.weight.detach().clone()
    for step in range(100, 105):
        followed = followed + 1.0
        module.weight.data.copy_(followed)
        expected = 0.5 * expected + 0.5 * followed
        average.update(step)
    torch.testing.assert_close(average.state_dict()["weight"], expected)


def test_a_young_average_forgets_what_it_began_with():
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(1000.0)
    average = WeightAverage(module, 0.9999)
    module.weight.data.fill_(1.0)
    for step in range(200):
        average.update(step)
    assert abs(float(average.state_dict()["weight"]) - 1.0) < 0.01


def test_the_module_computes_with_the_average_only_for_a_while():
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(2.0)
    average = WeightAverage(module, 0.5)
    module.weight.data.fill_(4.0)
    with average.in_place():
        assert module.weight.item() == 2.0
    assert module.weight.item() == 4.0


def test_frozen_weights_are_not_followed():
    module = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1).requires_grad_(False))
    assert set(WeightAverage(module, 0.5).state_dict()) == {"0.weight", "0.bias"}


def test_a_half_life_of_a_twentieth_of_the_run_halves_in_that_many_steps():
    decay = TrainConfig(ema_half_life=0.05).ema_decay_of(2000)
    assert decay is not None
    assert decay**100 == pytest.approx(0.5)


def test_two_ways_to_say_the_decay_are_refused():
    with pytest.raises(ConfigError, match="ema_decay and ema_half_life are both given; keep one"):
        make_options(TrainConfig, {"ema_decay": 0.99, "ema_half_life": 0.1}, "train")
