"""The masked autoregressive generator as training and sampling use it."""

import math

import pytest
import torch
from pydantic import ValidationError

from cardionets_core.errors import TrainingError, UsageError, WeightsError
from cardionets_mar3d.mar import Mar
from cardionets_mar3d.mar_config import CpggConfig, MarConfig
from cardionets_mar3d.sampling import record_seeds

HEADS = pytest.mark.parametrize("sampler", ["diffusion", "flow"])


@pytest.fixture
def batch(small_mar):
    """Targets and conditions of a batch."""
    torch.manual_seed(5)
    model = small_mar()
    cine = torch.rand(6, 1, *model.cine_shape) * 2 - 1
    return model.target(cine), torch.randn(6, 6)


def seeded_loss(model, batch, seed=0):
    torch.manual_seed(seed)
    return float(model.loss(*batch).loss.detach())


def test_a_target_holds_mean_and_log_variance_of_the_latents(small_mar):
    model = small_mar()
    cine = torch.rand(2, 1, *model.cine_shape)
    moments = model._borrowed.autoencoder.encode(cine)
    mean, log_variance = model.target(cine).chunk(2, dim=1)
    assert torch.equal(mean, moments.mean)
    assert torch.equal(log_variance, moments.log_variance)


@HEADS
def test_the_loss_follows_from_the_global_generator_and_the_noise_alone(small_mar, batch, sampler):
    model = small_mar(sampler=sampler)
    assert seeded_loss(model, batch) == seeded_loss(model, batch) != seeded_loss(model, batch, 1)
    noise = model.draw_noise(6, torch.device("cpu"))
    first, second = (model.loss(*batch, noise=noise).loss for _ in range(2))
    assert torch.equal(first, second)


@HEADS
def test_the_loss_trains_every_parameter(small_mar, batch, sampler):
    model = small_mar(sampler=sampler, label_drop=0.5, mask_ratio_min=0.2).train()
    total = sum(model.loss(*batch).loss for _ in range(8))
    total.backward()
    silent = [
        name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()
    ]
    assert not silent


@HEADS
def test_one_batch_can_be_learnt(small_mar, batch, sampler):
    model = small_mar(sampler=sampler, dropout=0.0, label_drop=0.0)
    before = sum(seeded_loss(model, batch, seed) for seed in range(8))
    optimizer = torch.optim.Adam(model.train().parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        model.loss(*batch).loss.backward()
        optimizer.step()
    after = sum(seeded_loss(model.eval(), batch, seed) for seed in range(8))
    assert after < 0.75 * before


def test_conditions_are_dropped_in_training_alone(small_mar, batch):
    model = small_mar(label_drop=0.999, dropout=0.0)
    other = (batch[0], batch[1].flip(0))
    assert seeded_loss(model, batch) != seeded_loss(model, other)
    model.train()
    assert seeded_loss(model, batch) == seeded_loss(model, other)


@pytest.mark.parametrize("law", ["truncated-normal", "uniform"])
def test_one_hidden_part_is_drawn_for_the_whole_batch(small_mar, law):
    model = small_mar(mask_ratio=law, mask_ratio_min=0.5)
    hidden = [model.draw_noise(2, torch.device("cpu")).hidden for _ in range(40)]
    assert set(hidden) <= set(range(math.ceil(0.5 * model.grid.tokens), model.grid.tokens + 1))
    assert len(set(hidden)) > 1


@HEADS
def test_the_loss_under_bf16_is_near_that_in_float32(small_mar, batch, sampler):
    model = small_mar(sampler=sampler)
    exact = seeded_loss(model, batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert seeded_loss(model, batch) == pytest.approx(exact, rel=0.05)


@HEADS
def test_a_seed_gives_the_same_cines_and_another_seed_others(small_mar, sampler):
    model, condition = small_mar(sampler=sampler), torch.randn(3, 6)
    first, again = model.sample(condition, seed=1), model.sample(condition, seed=1)
    assert torch.equal(first, again)
    assert first.shape == (3, 1, *model.cine_shape)
    assert float(first.abs().max()) <= 1.0
    other = model.sample_latents(condition, seed=2)
    assert not torch.allclose(model.sample_latents(condition, seed=1), other)


@HEADS
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_a_record_does_not_depend_on_its_batch(small_mar, sampler, guidance):
    model = small_mar(sampler=sampler, sampling_precision="32").double()
    condition, seeds = torch.randn(7, 6), record_seeds(4, 7)
    together = model.sample_latents(condition, seed=4, guidance=guidance)
    alone = model.sample_latents(condition[5:6], seed=seeds[5:6], guidance=guidance)
    torch.testing.assert_close(together[5:6], alone, atol=1e-9, rtol=1e-9)


def test_guidance_of_one_is_none(small_mar):
    model, condition = small_mar(sampling_precision="32"), torch.randn(2, 6)
    model.double()
    plain = model.sample_latents(condition, seed=1, guidance=1.0)
    nearly = model.sample_latents(condition, seed=1, guidance=1.0 + 1e-12)
    strong = model.sample_latents(condition, seed=1, guidance=4.0)
    torch.testing.assert_close(plain, nearly, atol=1e-6, rtol=1e-6)
    assert not torch.allclose(plain, strong)


def test_guidance_of_zero_ignores_the_condition(small_mar):
    model = small_mar(sampler="flow", sampling_precision="32").double()
    first, second = (model.sample_latents(torch.randn(2, 6), seed=1, guidance=0.0) for _ in "ab")
    torch.testing.assert_close(first, second)


@HEADS
def test_sampling_in_bf16_stays_near_float32(small_mar, sampler):
    torch.manual_seed(2)
    condition = torch.randn(4, 6)
    drawn = {}
    for precision in ("32", "bf16"):
        model = small_mar(sampler=sampler, sampling_precision=precision, sample_steps=50)
        drawn[precision] = model.sample_latents(condition, seed=3, guidance=1.0)
    error = (drawn["bf16"] - drawn["32"]).std() / drawn["32"].std()
    assert float(error) < 0.1


def test_more_iterations_than_tokens_draw_one_token_each(small_mar):
    tokens = small_mar().grid.tokens
    condition = torch.randn(1, 6)
    drawn = [
        small_mar(iterations=number, sampling_precision="32").sample_latents(condition, seed=1)
        for number in (10 * tokens, 20 * tokens)
    ]
    torch.testing.assert_close(*drawn)


def test_sampling_leaves_mode_and_weights_as_they_were(small_mar):
    model = small_mar().train()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    first = model.sample(torch.zeros(1, 6), seed=1)
    assert model.training
    assert torch.equal(first, model.eval().sample(torch.zeros(1, 6), seed=1))
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())


def test_trained_weights_load_and_draw_the_same(small_mar, pooled_cine):
    model = small_mar()
    other = Mar(model.config, condition_dim=6)
    other.load_state_dict(model.state_dict())
    other.use(autoencoder=pooled_cine(model.config.latent_shape))
    condition = torch.randn(2, 6)
    assert torch.equal(model.sample(condition, seed=1), other.eval().sample(condition, seed=1))


def test_the_autoencoder_is_not_its_own(small_mar):
    assert not any("autoencoder" in name for name, _ in small_mar().named_modules())


def test_an_autoencoder_of_another_shape_is_refused(pooled_cine, small_mar):
    config = small_mar().config
    with pytest.raises(WeightsError, match=r"latents are \(4, 4, 4, 4\), but .* \(2, 4, 4, 4\)"):
        Mar(config, condition_dim=6).use(autoencoder=pooled_cine((4, 4, 4, 4)))


def test_an_autoencoder_of_another_scale_is_refused_once_trained(pooled_cine, small_mar):
    model = small_mar()
    other = pooled_cine(model.config.latent_shape, scale=2.0)
    with pytest.raises(WeightsError, match="wrong latent scale: the autoencoder has 2"):
        model.use(autoencoder=other)
    Mar(model.config, condition_dim=6).use(autoencoder=other)


def test_sampling_needs_an_autoencoder_and_a_fit(pooled_cine, small_mar):
    model = Mar(small_mar().config, condition_dim=6)
    with pytest.raises(UsageError, match="has no autoencoder"):
        model.sample(torch.zeros(1, 6), seed=1)
    model.use(autoencoder=pooled_cine(model.config.latent_shape))
    with pytest.raises(TrainingError, match="not fitted"):
        model.sample(torch.zeros(1, 6), seed=1)


@pytest.mark.parametrize("shape", [(2, 5), (2, 7), (6,), (2, 6, 1)])
def test_conditions_of_another_width_are_refused(small_mar, batch, shape):
    with pytest.raises(WeightsError, match=r"\(batch, 6\) is needed"):
        small_mar().sample(torch.zeros(shape), seed=1)


@HEADS
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 0}, "steps=0"),
        ({"steps": -3}, "steps=-3"),
        ({"guidance": -0.1}, "guidance=-0.1: needed 0 or more"),
        ({"guidance": math.nan}, "guidance=nan"),
        ({"guidance": math.inf}, "guidance=inf"),
        ({"seed": [1]}, "1 seeds for 2 conditions"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_in_one_line(small_mar, sampler, given, message):
    with pytest.raises(UsageError, match=message) as caught:
        small_mar(sampler=sampler).sample(torch.zeros(2, 6), **{"seed": 1, **given})
    assert "\n" not in str(caught.value)


def test_more_steps_than_in_training_are_refused(small_mar):
    with pytest.raises(UsageError, match="a diffusion takes 1 to 1000"):
        small_mar().sample(torch.zeros(2, 6), seed=1, steps=1001)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"latent_frames": 24}, "24 is not a multiple of 5"),
        ({"latent_size": 13}, "13 is not a multiple of 2"),
        ({"width": 100, "heads": 3}, "100 is not a multiple of 3"),
        ({"decoder_width": 100, "decoder_heads": 3}, "100 is not a multiple of 3"),
        ({"sample_steps": 1001}, "more than train_steps=1000"),
        ({"sample_steps": 0}, "sample_steps"),
        ({"flow_steps": 0}, "flow_steps"),
        ({"iterations": 0}, "iterations"),
        ({"guidance": -1.0}, "guidance"),
        ({"guidance": math.nan}, "guidance"),
        ({"temperature": -1.0}, "temperature"),
    ],
)
def test_options_that_make_no_sense_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        MarConfig(**given)


def test_a_size_fills_what_is_not_given():
    tiny = MarConfig(size="tiny", depth=1)
    assert (tiny.width, tiny.depth, tiny.decoder_depth, tiny.denoiser_width) == (96, 1, 3, 128)
    base = MarConfig()
    assert (base.width, base.depth, base.denoiser_width, base.denoiser_depth) == (768, 12, 1024, 3)
    assert MarConfig(sampling_precision=32).sampling_precision == "32"
    assert CpggConfig().condition == "phenotypes"
