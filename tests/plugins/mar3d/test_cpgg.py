"""Generation from phenotypes."""

from __future__ import annotations

import pytest
import torch

from cardionets_core.errors import TrainingError, UsageError
from cardionets_core.weights.load import fill
from cardionets_mar3d.cpgg import Cpgg
from cardionets_mar3d.mar_config import CpggConfig
from cardionets_simulated.subject import SubjectBatch

SMALL = {
    "size": "tiny", "width": 16, "depth": 1, "heads": 2, "decoder_width": 16, "decoder_depth": 1,
    "decoder_heads": 2, "denoiser_width": 16, "denoiser_depth": 1, "latent_channels": 2,
    "latent_frames": 4, "latent_size": 4, "patch_frames": 2, "patch_size": 2, "iterations": 2,
    "sample_steps": 4, "prior_steps": 20, "prior_width": 8, "prior_latent": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def phenotypes():
    return torch.from_numpy(SubjectBatch(3, range(80)).phenotypes).float()


@pytest.fixture
def build(pooled_cine):
    def make(phenotypes=None, seed=0):
        torch.manual_seed(seed)
        model = Cpgg(CpggConfig(**SMALL), condition_dim=82)
        model.use(autoencoder=pooled_cine(model.config.latent_shape))
        if phenotypes is not None:
            model.fit(phenotypes, [])
        return model.eval()

    return make


def test_it_draws_cines_of_phenotypes_that_it_drew(build, phenotypes):
    model = build(phenotypes)
    condition = model.sample_condition(3, seed=1)
    assert condition.shape == (3, 82)
    assert condition.dtype == torch.float32
    # In units and not standardised.
    assert 60 < condition[:, 0].mean() < 250
    cine = model.sample(condition, seed=2)
    assert cine.shape == (3, 1, *model.cine_shape)
    assert torch.isfinite(cine).all()


def test_it_learns_on_standardised_phenotypes(build, phenotypes):
    model = build(phenotypes)
    assert model.condition == "phenotypes"
    standardised = model.scaler(phenotypes)
    torch.testing.assert_close(standardised.mean(0), torch.zeros(82), atol=1e-4, rtol=0)
    torch.testing.assert_close(standardised.std(0), torch.ones(82), atol=1e-4, rtol=0)


def test_the_prior_is_saved_with_it_and_not_trained(build, phenotypes):
    model = build(phenotypes).train()
    target = torch.cat([torch.randn(4, 2, 4, 4, 4), torch.full((4, 2, 4, 4, 4), -6.0)], dim=1)
    model.loss(target, phenotypes[:4]).loss.backward()
    assert all(p.grad is None and not p.requires_grad for p in model.prior.parameters())
    fresh = build(seed=1)
    fill(fresh, model.state_dict(), "the test")
    assert torch.equal(fresh.sample_condition(6, seed=4), model.sample_condition(6, seed=4))


def test_it_draws_nothing_before_it_was_fitted(build):
    with pytest.raises(TrainingError, match="not fitted"):
        build().sample_condition(1, seed=0)


def test_another_condition_than_phenotypes_is_refused():
    with pytest.raises(UsageError, match=r"condition_dim=64.*82 phenotypes"):
        Cpgg(CpggConfig(**SMALL), condition_dim=64)
    with pytest.raises(ValueError, match="phenotypes"):
        CpggConfig(**SMALL, condition="ecg")


def test_phenotypes_in_other_units_or_order_are_noticed(build, phenotypes):
    with pytest.raises(TrainingError, match="check the units"):
        build(phenotypes.flip(1))
