"""The mean training cine."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cardionets_core.errors import TrainingError, UsageError, WeightsError
from cardionets_mar3d.baseline_config import MeanCineConfig
from cardionets_mar3d.mean_cine import MeanCine

SMALL = {"frame_start": 2, "frame_step": 25, "spatial_pool": 12}


def views(subjects, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(subjects, 2, 8, 8, generator=generator) * 2 - 1


def fitted(blocks, **options):
    model = MeanCine(MeanCineConfig(**{**SMALL, **options}), condition_dim=3)
    model.fit(torch.zeros(2, 3), blocks)
    return model


def test_it_is_the_mean_of_all_training_views_whatever_their_blocks():
    seen = views(23)
    drawn = [
        fitted(seen.split(size)).sample(torch.zeros(1, 3), seed=0)[0, 0] for size in (1, 7, 23)
    ]
    expected = seen.numpy().astype(np.float64).mean(axis=0).astype(np.float32)
    for cine in drawn:
        np.testing.assert_allclose(cine, expected, atol=1e-7)


def test_many_cines_lose_no_precision():
    blocks = (torch.full((1000, 2, 8, 8), 0.1) for _ in range(50))
    cine = fitted(blocks).sample(torch.zeros(1, 3), seed=0)
    assert (cine - 0.1).abs().max() < 1e-8


def test_canonical_cines_are_seen_as_views():
    cine = torch.rand(4, 50, 96, 96) * 2 - 1
    model = fitted([cine])
    torch.testing.assert_close(
        model.sample(torch.zeros(1, 3), seed=0)[0, 0], model.view(cine).mean(dim=0)
    )
    assert model.restore(model.view(cine)).shape == cine.shape


def test_the_condition_does_not_matter_and_cines_can_be_written_to():
    drawn = fitted([views(5)]).sample(torch.randn(3, 3), seed=[1, 2, 3])
    assert drawn.shape == (3, 1, 2, 8, 8)
    assert torch.equal(drawn[0], drawn[2])
    drawn[0] += 1
    assert not torch.equal(drawn[0], drawn[2])


def test_what_cannot_be_is_refused():
    model = fitted([views(5)])
    with pytest.raises(WeightsError, match="needed"):
        model.sample(torch.zeros(1, 4), seed=0)
    with pytest.raises(UsageError, match="steps=0"):
        model.sample(torch.zeros(1, 3), seed=0, steps=0)
    with pytest.raises(UsageError, match="guidance=-1"):
        model.sample(torch.zeros(1, 3), seed=0, guidance=-1)
    with pytest.raises(UsageError, match="2 seeds for 1"):
        model.sample(torch.zeros(1, 3), seed=[0, 1])
    with pytest.raises(TrainingError, match="no training cine"):
        fitted([])
    unfitted = MeanCine(MeanCineConfig(**SMALL), condition_dim=3)
    with pytest.raises(TrainingError, match="not fitted"):
        unfitted.sample(torch.zeros(1, 3), seed=0)


def test_no_step_trains_it():
    model = fitted([views(5)])
    assert not model.trained_by_steps
    assert not list(model.parameters())
    for call in (lambda: model.target(None), lambda: model.loss(None, None)):
        with pytest.raises(UsageError, match="call fit"):
            call()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frame_step": 7}, "divides 50"),
        ({"frame_start": 5, "frame_step": 5}, "start below it"),
        ({"spatial_pool": 5}, "does not divide 96"),
    ],
)
def test_views_that_cannot_be_put_back_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        MeanCineConfig(**options)
