"""The distribution of 82 phenotypes that cpgg draws from."""

from __future__ import annotations

import pytest
import torch

from cardionets_core.errors import TrainingError, UsageError
from cardionets_mar3d import phenotype_prior
from cardionets_mar3d.mar_config import CpggConfig
from cardionets_mar3d.phenotype_axes import AXES, from_axes, plausible, to_axes
from cardionets_mar3d.phenotype_prior import PhenotypePrior
from cardionets_simulated.subject import SubjectBatch

CHAMBERS, VESSELS = (0, 6, 10, 14), (18, 21)
DRAWS = 8000


def simulated(seed, subjects, prevalence="ukb"):
    return torch.from_numpy(SubjectBatch(seed, range(subjects), prevalence).phenotypes)


def fitted(phenotypes, seed=0, **options):
    prior = PhenotypePrior(CpggConfig(**options))
    torch.manual_seed(seed)
    prior.fit(phenotypes.float())
    return prior


@pytest.fixture(scope="module", params=["ukb", "enriched"])
def cohort(request):
    """Training phenotypes, others of the same kind, and draws."""
    train = simulated(1, 2000, request.param)
    prior = fitted(train, prior_steps=1000)
    return train, simulated(2, 2000, request.param), prior.sample(DRAWS, seed=3).double()


@pytest.fixture(scope="module")
def quick():
    """A prior that was fitted in passing."""
    train = simulated(4, 300)
    return train, fitted(train, prior_steps=30, prior_width=16, prior_latent=8)


def correlations(phenotypes):
    return torch.corrcoef(phenotypes.T)


def test_spread_is_that_of_the_training_subjects(cohort):
    train, _, drawn = cohort
    ratio = drawn.std(dim=0) / train.std(dim=0)
    assert ratio.min() > 0.85
    assert ratio.max() < 1.15


def test_means_are_those_of_the_training_subjects(cohort):
    train, _, drawn = cohort
    assert ((drawn.mean(0) - train.mean(0)) / train.std(0)).abs().max() < 0.1


def test_correlations_are_as_near_as_those_of_other_subjects(cohort):
    train, others, drawn = cohort
    difference = (correlations(drawn) - correlations(train)).abs()
    among_subjects = (correlations(others) - correlations(train)).abs()
    assert difference.mean() < 0.025
    assert difference.mean() < 1.2 * among_subjects.mean()
    assert difference.max() < 0.2


def test_extremes_are_reached_and_not_exceeded_by_far(cohort):
    train, _, drawn = cohort
    for level in (0.01, 0.99):
        distance = drawn.quantile(level, dim=0) - train.quantile(level, dim=0)
        assert (distance / train.std(dim=0)).abs().mean() < 0.25


def test_draws_are_no_copies_of_training_subjects(cohort):
    train, others, drawn = cohort
    mean, sd = train.mean(0), train.std(0)

    def nearest(phenotypes):
        distance = torch.cdist((phenotypes[:500] - mean) / sd, (train - mean) / sd)
        return distance.min(dim=1).values

    assert nearest(drawn).median() > 0.9 * nearest(others).median()
    assert nearest(drawn).min() > 0.5 * nearest(others).min()


def test_every_draw_is_plausible_and_its_identities_hold(cohort):
    _, _, drawn = cohort
    assert plausible(drawn).all()
    for first in CHAMBERS:
        largest, smallest, stroke_volume, ef = drawn[:, first : first + 4].T
        torch.testing.assert_close(stroke_volume, largest - smallest, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(ef, 100 * stroke_volume / largest, atol=1e-3, rtol=1e-4)
        assert ((ef > 0) & (ef < 100)).all()


def test_what_no_identity_fixes_stays_as_physiology_has_it(cohort):
    train, _, drawn = cohort
    # Heart rate from cardiac output, pulse pressure from distensibility, both ventricles' output.
    for derived in (
        lambda p: 1000 * p[:, 4] / p[:, 2],
        lambda p: 1000 * (p[:, 18] / p[:, 19] - 1) / p[:, 20],
        lambda p: p[:, 8] / p[:, 2],
        lambda p: p[:, 40] / p[:, 24:40].mean(dim=1),
    ):
        real, made = derived(train), derived(drawn)
        assert abs(made.mean() - real.mean()) < 0.1 * real.std() + 1e-4
        assert abs(made.std() - real.std()) < 0.15 * real.std() + 1e-4


def test_equal_seeds_give_equal_phenotypes_and_others_others(quick):
    _, prior = quick
    assert torch.equal(prior.sample(50, seed=1), prior.sample(50, seed=1))
    assert not torch.equal(prior.sample(50, seed=1), prior.sample(50, seed=2))


def test_fitting_follows_from_the_seed_and_leaves_nothing_to_train(quick):
    train, prior = quick
    again = fitted(train, prior_steps=30, prior_width=16, prior_latent=8)
    other = fitted(train, seed=1, prior_steps=30, prior_width=16, prior_latent=8)
    assert torch.equal(prior.sample(5, seed=1), again.sample(5, seed=1))
    assert not torch.equal(prior.sample(5, seed=1), other.sample(5, seed=1))
    assert not any(parameter.requires_grad for parameter in prior.parameters())


def test_a_phenotype_that_never_differs_is_drawn_as_it_is():
    train = simulated(6, 100)
    train[:, 5] = 100.0
    drawn = fitted(train, prior_steps=5, prior_width=4, prior_latent=2).sample(20, seed=0)
    torch.testing.assert_close(drawn[:, 5], torch.full((20,), 100.0))


def test_few_subjects_are_told_by_one_normal():
    prior = fitted(simulated(7, 30), prior_steps=5, prior_width=4, prior_latent=8)
    assert (prior.weights > 0).sum() == 1
    assert plausible(prior.sample(100, seed=0)).all()


def test_implausible_training_rows_are_left_out(quick):
    train, prior = quick
    broken = train[:2].clone()
    broken[0, 1] = broken[0, 0] + 1
    broken[1, 30] = torch.nan
    with_broken = torch.cat([train, broken])
    again = fitted(with_broken, prior_steps=30, prior_width=16, prior_latent=8)
    assert torch.equal(prior.sample(5, seed=1), again.sample(5, seed=1))


def test_draws_too_far_out_are_drawn_again(quick, monkeypatch):
    _, prior = quick
    monkeypatch.setattr(phenotype_prior, "_FARTHEST_SD", 2.8)
    drawn = prior.sample(40, seed=0)
    axes = (to_axes(drawn.double()) - prior.mean) / prior.sd.clamp_min(1e-9)
    assert len(drawn) == 40
    assert axes[:, prior.sd > 0].abs().max() < 2.81
    monkeypatch.setattr(phenotype_prior, "_FARTHEST_SD", 0.01)
    with pytest.raises(TrainingError, match="of 100 phenotype vectors drawn, 0 were plausible"):
        prior.sample(2, seed=0)


def test_what_cannot_be_is_refused(quick):
    _, prior = quick
    with pytest.raises(UsageError, match="0 phenotype vectors"):
        prior.sample(0, seed=0)
    with pytest.raises(TrainingError, match="not fitted"):
        PhenotypePrior(CpggConfig()).sample(1, seed=0)
    with pytest.raises(TrainingError, match="0 of 8 training subjects have plausible"):
        fitted(torch.randn(8, 82))


def test_axes_lose_nothing_that_volumes_do_not_tell():
    phenotypes = simulated(8, 200, "enriched")
    assert plausible(phenotypes).all()
    axes = to_axes(phenotypes)
    assert axes.shape == (200, AXES)
    torch.testing.assert_close(from_axes(axes), phenotypes, rtol=1e-9, atol=1e-9)


def test_any_axes_give_positive_volumes_in_order():
    phenotypes = from_axes(3 * torch.randn(500, AXES, dtype=torch.float64))
    sound = phenotypes[:, 41:].abs().amax(dim=1) < 100
    assert plausible(phenotypes)[sound].all()


@pytest.mark.parametrize(
    ("column", "value"),
    [(0, -1.0), (1, 500.0), (3, 0.0), (5, -3.0), (19, 5000.0), (30, 0.0), (45, 140.0),
     (60, float("nan"))],
)  # fmt: skip
def test_hearts_that_cannot_live_are_told_apart(column, value):
    phenotypes = simulated(9, 3)
    phenotypes[1, column] = value
    assert plausible(phenotypes).tolist() == [True, False, True]
