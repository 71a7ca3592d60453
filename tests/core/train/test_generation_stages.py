"""The stages that end in cines: what they train, keep, refuse and leave behind."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import cardionets_core as cn
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.errors import ConfigError, UsageError, WeightsError
from cardionets_core.generate.loading import load_generator
from cardionets_core.weights.header import read_header


def results(run):
    return json.loads((run.path / "results.json").read_text())


def test_an_autoencoder_run_holds_the_autoencoder_alone_and_its_metrics(made):
    header = read_header(made.vae.path / "weights.safetensors")
    assert set(header.parts) == {"autoencoder"}
    assert header.transform is None
    assert {row["name"] for row in results(made.vae)["metrics"]} == {"ssim", "psnr", "mae", "rmse"}


def test_latents_of_a_trained_autoencoder_have_unit_sd_over_the_training_cines(made, cohort_path):
    vae = cn.load(made.vae.path)
    assert float(vae.latent_scale) not in (0.0, 1.0)
    with open_cohort(cohort_path) as cohort:
        rows = cohort.select(role="pretrain", split="train", with_cine=True)
        cines = torch.from_numpy(cohort.cines(rows)).float() / 127.5 - 1
    with torch.no_grad():
        mean, log_variance = vae.encode(vae.view(cines)[:, None])
    variance = mean.var(correction=0) + log_variance.exp().mean()
    assert float(variance.sqrt()) == pytest.approx(1.0, abs=0.02)


def test_one_file_holds_everything_that_drawing_from_an_ecg_needs(made, cohort_path):
    header = read_header(made.mar.path / "weights.safetensors")
    assert set(header.parts) == {"encoder", "autoencoder", "generator"}
    assert header.leading_role == "generator"
    loaded = load_generator(made.mar.path)
    with open_cohort(cohort_path) as cohort:
        rows = cohort.select(role="downstream", with_ecg=True)[:3]
        prepared = loaded.transform.prepare(cohort.ecg_mv(rows))
        condition = loaded.conditions(prepared, cohort.lead_mask[rows])
    drawn = loaded.sample(condition, seeds=[1, 2, 3])
    assert drawn.shape == (3, *loaded.generator.cine_shape)
    assert float(drawn.abs().max()) <= 1.0
    assert torch.equal(drawn, loaded.sample(condition, seeds=[1, 2, 3]))
    assert not torch.equal(drawn[0], loaded.sample(condition, seeds=[4, 5, 6])[0])
    assert loaded.generator.restore(drawn).shape == (3, 50, 96, 96)


def test_what_is_frozen_comes_out_as_it_went_in(made):
    before = cn.load(made.vae.path).state_dict()
    after = cn.load(made.mar.path, "autoencoder").state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_generator_that_is_only_fitted_needs_no_step(made, cohort_path):
    assert not (made.mean.path / "metrics.jsonl").exists()
    assert not (made.mean.path / "loss.png").exists()
    mean = load_generator(made.mean.path)
    drawn = mean.sample(torch.zeros(1, mean.encoder.pooled_dim), seeds=[0])[0].numpy()
    with open_cohort(cohort_path) as cohort:
        rows = cohort.select(role="pretrain", split="train", with_ecg=True, with_cine=True)
        cines = torch.from_numpy(cohort.cines(rows)).float() / 127.5 - 1
        expected = mean.generator.view(cines).mean(dim=0).numpy()
    np.testing.assert_allclose(drawn, expected, atol=2e-3)


def test_a_generator_refuses_an_autoencoder_with_another_latent_scale(made, tmp_path):
    other = made.trainer.train(made.trainer.autoencode("other-vae", seed=3, out=tmp_path / "other"))
    request = made.trainer.generate(
        "wrong",
        weights={"autoencoder": str(other.path), "generator": str(made.mar.path)},
        out=tmp_path / "wrong",
    )
    with pytest.raises(WeightsError, match="latent scale"):
        made.trainer.train(request)


def test_a_generator_and_an_autoencoder_of_other_latents_do_not_fit(made, tmp_path):
    request = made.trainer.generate(
        "misfit",
        "generator.latent_channels=8",
        weights={"autoencoder": str(made.vae.path)},
        out=tmp_path / "misfit",
    )
    with pytest.raises((ConfigError, WeightsError), match="latent"):
        made.trainer.train(request)


def test_a_need_that_no_option_switches_on_is_refused_where_it_is_named(made, tmp_path):
    request = made.trainer.generate("aligned", weights={"aligner": "random"}, out=tmp_path / "a")
    with pytest.raises(UsageError, match="--weights aligner"):
        made.trainer.train(request)


def test_a_random_encoder_has_no_aligner_beside_it(made, tmp_path):
    request = made.trainer.generate(
        "beside", "generator.condition=ecg-projected", out=tmp_path / "beside"
    )
    with pytest.raises(UsageError, match="the same run"):
        made.trainer.train(request)


def test_a_phenotype_conditioned_generator_reads_no_ecg(made, tmp_path):
    run = made.trainer.train(
        made.trainer.generate(
            "cpgg",
            "generator.prior_steps=20",
            generator="cpgg",
            weights={"autoencoder": str(made.vae.path)},
            out=tmp_path / "cpgg",
        )
    )
    loaded = load_generator(run.path)
    assert loaded.encoder is None
    assert set(loaded.header.parts) == {"autoencoder", "generator"}
    with pytest.raises(UsageError, match="draws from phenotypes"):
        loaded.conditions(np.zeros((1, 12, 500), np.float32), np.ones((1, 12), bool))


def test_weights_without_a_generator_are_refused(made):
    with pytest.raises(WeightsError, match="no generator"):
        load_generator(made.vae.path)
