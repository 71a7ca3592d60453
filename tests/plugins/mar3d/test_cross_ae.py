"""The cross-modal autoencoder, and the presets of all baselines."""

from __future__ import annotations

import math
import tomllib
from importlib import resources

import pytest
import torch

from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.errors import TrainingError, UsageError, WeightsError
from cardionets_core.train.config import TrainConfig
from cardionets_mar3d.baseline_config import CrossAeConfig, MeanCineConfig, NearestCineConfig
from cardionets_mar3d.cross_ae import CrossAe, contrastive
from cardionets_mar3d.cross_ae_parts import LatentDecoder, LatentEncoder

WIDTH = 5
SMALL = {
    "latent_channels": 2, "latent_frames": 5, "latent_size": 6, "channels": 8, "levels": 1,
    "hidden": 32, "shared_dim": 12, "dropout": 0.0,
}  # fmt: skip


@pytest.fixture
def build(pooled_cine):
    def make(*, fit=True, **options):
        torch.manual_seed(0)
        model = CrossAe(CrossAeConfig(**{**SMALL, **options}), condition_dim=WIDTH)
        model.use(autoencoder=pooled_cine(model.config.latent_shape, 2.0))
        if fit:
            model.fit(torch.randn(40, WIDTH), [])
        return model.eval()

    return make


def subjects(model, count, seed=0):
    """Conditions (n, C), and latents that follow from them with a little noise."""
    generator = torch.Generator().manual_seed(seed)
    condition = torch.randn(count, WIDTH, generator=generator)
    mixing = torch.randn(
        WIDTH, *model.config.latent_shape, generator=torch.Generator().manual_seed(9)
    )
    clean = torch.einsum("nc,cdthw->ndthw", condition, mixing) / math.sqrt(WIDTH)
    return condition, clean + 0.1 * torch.randn(clean.shape, generator=generator)


def test_the_contrastive_term_matches_a_loop_over_pairs():
    one, other = torch.randn(6, 4).double(), torch.randn(6, 4).double()

    def cosine(a, b):
        return float(a @ b / a.norm() / b.norm()) / 0.2

    total = 0.0
    for i in range(6):
        rows = sum(math.exp(cosine(one[i], other[k])) for k in range(6))
        columns = sum(math.exp(cosine(one[k], other[i])) for k in range(6))
        total += math.log(rows) + math.log(columns) - 2 * cosine(one[i], other[i])
    assert contrastive(one, other, 0.2).item() == pytest.approx(total / 12, rel=1e-5)


def test_it_learns_to_translate_conditions_it_has_not_seen(build):
    model = build().train()
    condition, latent = subjects(model, 256)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for step in range(80):
        rows = torch.arange(64) + 64 * (step % 4)
        optimizer.zero_grad()
        model.loss(latent[rows], condition[rows]).loss.backward()
        optimizer.step()
    condition, latent = subjects(model, 64, seed=1)
    log = model.eval().loss(latent, condition).log
    variance = latent.var(dim=0).mean()
    assert log["cross"] < 0.6 * variance
    assert log["cine"] < 0.6 * variance
    assert log["contrastive"] < 0.5 * math.log(64)


def test_the_loss_is_the_weighted_sum_of_its_parts(build):
    weights = {"cine": 0.5, "cross": 2.0, "contrastive": 0.3, "condition": 0.7}
    model = build(**{f"{name}_weight": weight for name, weight in weights.items()})
    condition, latent = subjects(model, 8)
    loss, log = model.loss(latent, condition)
    assert set(log) == set(weights)
    torch.testing.assert_close(loss, sum(weights[name] * part for name, part in log.items()))


def test_without_its_weight_there_is_no_decoder_of_conditions(build):
    model = build(condition_weight=0.0)
    assert not [name for name in model.state_dict() if "condition_decoder" in name]
    assert "condition" not in model.loss(*reversed(subjects(model, 4))).log


@pytest.mark.parametrize("levels", [0, 1, 2, 5])
def test_latents_of_odd_sizes_come_back_in_their_shape(levels):
    config = CrossAeConfig(latent_frames=25, channels=8, levels=levels, shared_dim=4)
    latent = torch.randn(2, *config.latent_shape)
    embedded = LatentEncoder(config)(latent)
    assert embedded.shape == (2, 4)
    assert LatentDecoder(config)(embedded).shape == latent.shape


def test_a_cine_is_what_the_autoencoder_makes_of_the_translated_condition(build):
    model = build()
    condition, _ = subjects(model, 3)
    latent = model.latent_decoder(model.condition_encoder(model.scaler(condition)))
    drawn = model.sample(condition, seed=4)
    torch.testing.assert_close(drawn, model.borrowed.autoencoder.decode(latent))
    assert torch.equal(drawn, model.sample(condition, seed=[7, 8, 9], steps=3, guidance=2.0))


def test_dropout_is_off_when_it_samples_in_training_mode(build):
    model = build(dropout=0.5)
    condition, _ = subjects(model, 3)
    expected = model.sample(condition, seed=0)
    assert torch.equal(model.train().sample(condition, seed=0), expected)
    assert model.training


def test_it_trains_in_bfloat16(build):
    model = build().train()
    condition, latent = subjects(model, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model.loss(latent, condition).loss
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_a_dimension_that_never_differs_does_no_harm(build):
    model = build(fit=False)
    condition, latent = subjects(model, 8)
    condition[:, 2] = 0.1
    model.fit(condition, [])
    assert torch.isfinite(model.loss(latent, condition).loss)
    assert model.scaler(condition)[:, 2].abs().max() < 1e-5


def test_an_autoencoder_that_does_not_fit_is_refused(build, pooled_cine):
    model = build()
    with pytest.raises(WeightsError, match=r"latents are \(2, 5, 3, 3\).*draws \(2, 5, 6, 6\)"):
        model.use(autoencoder=pooled_cine((2, 5, 3, 3), 2.0))
    with pytest.raises(WeightsError, match="wrong latent scale: the autoencoder has 1,"):
        model.use(autoencoder=pooled_cine((2, 5, 6, 6), 1.0))
    model.use(autoencoder=pooled_cine((2, 5, 6, 6), 2.0))


def test_it_says_what_is_missing():
    model = CrossAe(CrossAeConfig(**SMALL), condition_dim=WIDTH)
    with pytest.raises(UsageError, match="call use"):
        model.fit(torch.randn(4, WIDTH), [])
    with pytest.raises(TrainingError, match="not fitted"):
        model.sample(torch.randn(2, WIDTH), seed=0)


OPTIONS = {
    "cross-ae": CrossAeConfig, "mean-cine": MeanCineConfig, "nearest-cine": NearestCineConfig
}  # fmt: skip


@pytest.mark.parametrize("preset", ["paper", "released-code", "recommended", "tiny"])
@pytest.mark.parametrize("name", OPTIONS)
def test_every_number_of_a_preset_is_an_option_and_has_a_source(name, preset):
    file = resources.files("cardionets_mar3d") / "presets" / f"{preset}.toml"
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    table, source = tables[name], tables["source"]
    OPTIONS[name](**{key: value for key, value in table.items() if not isinstance(value, dict)})
    EcgTransformConfig(**table["data"])
    TrainConfig(**table.get("train", {}))
    assert ("train" in table) == (name == "cross-ae")
    assert name in source


@pytest.mark.parametrize("preset", ["paper", "released-code", "recommended", "tiny"])
def test_the_baseline_draws_the_latents_that_mar_draws(preset):
    file = resources.files("cardionets_mar3d") / "presets" / f"{preset}.toml"
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    for option in ("condition", "latent_channels", "latent_frames", "latent_size"):
        assert tables["cross-ae"][option] == tables["mar"][option]
