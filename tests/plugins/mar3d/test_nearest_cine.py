"""The cine of the training subject whose condition is the most similar."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cardionets_core.errors import TrainingError, WeightsError
from cardionets_core.weights.load import fill
from cardionets_mar3d.baseline_config import NearestCineConfig
from cardionets_mar3d.nearest_cine import NearestCine

SMALL = {"frame_step": 25, "spatial_pool": 12}
SUBJECTS, WIDTH = 30, 4


@pytest.fixture
def conditions():
    return 5 * torch.randn(SUBJECTS, WIDTH, generator=torch.Generator().manual_seed(1)) + 2


@pytest.fixture
def views():
    generator = torch.Generator().manual_seed(2)
    return torch.rand(SUBJECTS, 2, 8, 8, generator=generator) * 2 - 1


def build(**options):
    return NearestCine(NearestCineConfig(**{**SMALL, **options}), condition_dim=WIDTH)


def fitted(conditions, views, seed=0, **options):
    model = build(**options)
    torch.manual_seed(seed)
    model.fit(conditions, views.split(7))
    return model


def test_a_training_subject_gets_its_own_cine_within_a_grey_level(conditions, views):
    drawn = fitted(conditions, views).sample(conditions, seed=0)
    assert drawn.shape == (SUBJECTS, 1, 2, 8, 8)
    assert (drawn[:, 0] - views).abs().max() <= 0.5 / 127.5 + 1e-6


def test_the_neighbour_has_the_highest_cosine_similarity(conditions, views):
    model = fitted(conditions, views)
    asked = torch.randn(9, WIDTH) * 4
    mean, sd = conditions.numpy().mean(0), conditions.numpy().std(0, ddof=1)
    bank, new = (conditions.numpy() - mean) / sd, (asked.numpy() - mean) / sd
    for row, found in zip(new, model.nearest(asked), strict=True):
        similarity = [row @ one / np.linalg.norm(row) / np.linalg.norm(one) for one in bank]
        assert found == int(np.argmax(similarity))


def test_the_scale_of_a_dimension_does_not_matter(conditions, views):
    asked = torch.randn(9, WIDTH)
    scale = torch.tensor([1000.0, 1.0, 0.01, 1.0])
    plain, scaled = fitted(conditions, views), fitted(conditions * scale, views)
    assert torch.equal(plain.nearest(asked), scaled.nearest(asked * scale))


def test_of_more_subjects_than_fit_the_seed_keeps_some_with_their_own_cines(conditions, views):
    model = fitted(conditions, views, bank_size=8)
    assert len(model.bank_cines) == len(model.bank_conditions) == 8
    nearest = model.sample(conditions, seed=0)[:, 0]
    own = (nearest - views).abs().amax(dim=(1, 2, 3)) < 0.01
    assert own.sum() == 8
    again = fitted(conditions, views, bank_size=8)
    other = fitted(conditions, views, seed=1, bank_size=8)
    assert torch.equal(model.bank_cines, again.bank_cines)
    assert not torch.equal(model.bank_cines, other.bank_cines)


def test_a_state_loads_back_whatever_the_number_of_subjects(conditions, views):
    trained = fitted(conditions, views)
    fresh = build()
    fill(fresh, trained.state_dict(), "the test")
    asked = torch.randn(5, WIDTH)
    assert torch.equal(fresh.sample(asked, seed=0), trained.sample(asked, seed=0))
    smaller = fitted(conditions[:10], views[:10])
    fill(fresh, smaller.state_dict(), "the test")
    assert torch.equal(fresh.sample(asked, seed=0), smaller.sample(asked, seed=0))


def test_a_state_of_other_pixels_is_refused(conditions, views):
    trained = fitted(conditions, views)
    with pytest.raises(WeightsError, match="does not fit NearestCine"):
        fill(build(spatial_pool=8), trained.state_dict(), "the test")


def test_as_many_cines_as_conditions_are_needed(conditions, views):
    with pytest.raises(TrainingError, match="29 training cines for 30 conditions"):
        fitted(conditions, views[:-1])


def test_conditions_that_are_not_finite_are_refused(conditions, views):
    conditions[3, 1] = torch.nan
    with pytest.raises(TrainingError, match="1 of 30 training subjects"):
        fitted(conditions, views)


def test_it_refuses_to_draw_before_it_was_fitted():
    with pytest.raises(TrainingError, match="not fitted"):
        build().sample(torch.zeros(1, WIDTH), seed=0)
