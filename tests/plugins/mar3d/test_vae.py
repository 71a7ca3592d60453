"""The autoencoder: latents, scale, normalisation, precision and options."""

import pytest
import torch
from torch import nn

from cardionets_core.errors import CineError, TrainingError
from cardionets_core.options import Given, component_options
from cardionets_core.registry import default_registry
from cardionets_mar3d.vae import Vae3d
from cardionets_mar3d.vae_blocks import fold, unfold
from cardionets_mar3d.vae_config import Vae3dConfig

SMALL = {
    "frame_start": 2, "frame_step": 5, "spatial_pool": 4, "channels": 4, "groups": 2,
    "multipliers": (1, 2), "encoder_blocks": 1, "decoder_blocks": 1, "attention_heads": 2,
    "latent_channels": 3, "perceptual": "none",
}  # fmt: skip
LINEAR = {
    "multipliers": (1,),
    "time_halvings": 0,
    "patch": 4,
    "patch_frames": 2,
    "linear_path": True,
}


@pytest.fixture
def small_vae():
    def build(**options):
        torch.manual_seed(0)
        return Vae3d(Vae3dConfig(**{**SMALL, **options})).eval()

    return build


@pytest.fixture
def cine():
    return torch.rand(2, 1, 10, 24, 24, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("options", [{}, LINEAR, {"attention": False, "patch": 2}])
def test_latents_and_cines_have_the_shapes_that_are_told(small_vae, cine, options):
    model = small_vae(**options)
    moments = model.encode(cine)
    assert moments.mean.shape == moments.log_variance.shape == (2, *model.latent_shape)
    assert model.decode(moments.mean).shape == (2, 1, *model.cine_shape) == cine.shape


def test_the_published_size_and_the_tiny_one_have_the_latents_of_the_method():
    assert Vae3dConfig().latent_shape == (16, 25, 12, 12)
    tiny = component_options(
        default_registry().find("autoencoder", "vae3d"), "autoencoder", Given("tiny")
    )
    assert tiny.cine_shape == (10, 48, 48)
    assert tiny.latent_shape == (16, 5, 6, 6)


def test_latents_are_divided_by_the_scale_and_multiplied_back(small_vae, cine):
    model = small_vae()
    before, decoded = model.encode(cine), model.decode(model.encode(cine).mean)
    model.fit_scale(0.25)
    after = model.encode(cine)
    torch.testing.assert_close(after.mean, before.mean / 0.25)
    torch.testing.assert_close(after.log_variance.exp(), before.log_variance.exp() / 0.25**2)
    torch.testing.assert_close(model.decode(after.mean), decoded)


def test_the_loss_does_not_depend_on_the_scale(small_vae, cine):
    model, losses = small_vae(), []
    for scale in (1.0, 0.1):
        model.fit_scale(scale)
        torch.manual_seed(2)
        losses.append(model.loss(cine).loss)
    assert losses[0] == losses[1]


def test_without_scaling_the_scale_stays_one(small_vae):
    model = small_vae(latent_scaling="none")
    model.fit_scale(0.25)
    assert model.latent_scale == 1


@pytest.mark.parametrize("latent_sd", [0.0, float("nan"), float("inf")])
def test_latents_without_a_spread_are_refused(small_vae, latent_sd):
    with pytest.raises(TrainingError, match=r"have SD .* lower autoencoder\.kl_weight"):
        small_vae().fit_scale(latent_sd)


def test_a_normalised_latent_decodes_alike_however_it_is_scaled(small_vae, cine):
    model = small_vae(normalise_sampled=True)
    latent = model.encode(cine).mean
    expected = model.decode(latent)
    torch.testing.assert_close(model.decode(3.0 * latent + 1.0), expected, rtol=1e-3, atol=1e-3)
    raw = small_vae()
    assert not torch.allclose(raw.decode(3.0 * latent + 1.0), raw.decode(latent), atol=1e-3)


def test_the_kl_divergence_is_of_the_raw_posterior(small_vae, cine):
    torch.manual_seed(0)
    raw = small_vae().loss(cine).log["kl"]
    torch.manual_seed(0)
    assert small_vae(normalise_sampled=True).loss(cine).log["kl"] == raw


def test_cines_are_clamped_in_evaluation_only(small_vae, cine):
    model = small_vae()
    nn.init.constant_(model.decoder.conv_out.bias, 3.0)
    latent = model.encode(cine).mean
    assert model.decode(latent).max() == 1.0
    assert model.train().decode(latent).max() > 2.0


@pytest.mark.parametrize(("bias", "bound"), [(1e3, 20.0), (-1e3, -30.0)])
def test_the_log_variance_stays_within_bounds(small_vae, cine, bias, bound):
    model = small_vae()
    nn.init.constant_(model.to_moments.bias, bias)
    assert (model.encode(cine).log_variance == bound).all()


def test_only_the_loss_draws_from_the_global_generator(small_vae, cine):
    model = small_vae()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    model.decode(model.encode(cine).mean)
    assert torch.equal(torch.get_rng_state(), before)
    first = model.loss(cine).loss
    assert first != model.loss(cine).loss
    torch.manual_seed(0)
    assert model.loss(cine).loss == first


@pytest.mark.parametrize("options", [{}, {**LINEAR, "adversarial_weight": 0.1}])
def test_half_precision_trains_and_codes(small_vae, cine, options):
    model = small_vae(**options, adversarial_start_step=0).train()
    torch.manual_seed(0)
    exact = model.loss(cine).log["l1"]
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        step = model.loss(cine)
        moments = model.encode(cine)
        decoded = model.decode(moments.mean)
    step.loss.backward()
    assert step.log["l1"].item() == pytest.approx(exact.item(), rel=0.05)
    assert moments.mean.dtype == decoded.dtype == torch.float32
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_convolutions_are_given_channels_last_in_half_precision():
    """In float32 torch may choose kernels that do not keep it."""
    model = Vae3d(Vae3dConfig(size="tiny", frame_step=5, spatial_pool=2, perceptual="none"))
    layouts = {}

    def note(module, given):
        layouts[module] = given[0].is_contiguous(memory_format=torch.channels_last_3d)

    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            module.register_forward_pre_hook(note)
    with torch.autocast("cpu", torch.bfloat16):
        model.loss(torch.zeros(1, 1, *model.cine_shape))
    assert layouts
    assert all(layouts.values())


def test_a_linear_path_starts_nearly_exact(small_vae, cine):
    moments = small_vae(**LINEAR).encode(cine)
    assert moments.log_variance.exp().sqrt().median() < 0.2


def test_folding_is_undone_exactly():
    cine = torch.arange(2 * 4 * 6 * 6.0).view(2, 1, 4, 6, 6)
    folded = fold(cine, 2, 3)
    assert folded.shape == (2, 18, 2, 2, 2)
    assert torch.equal(folded[0, :, 1, 0, 1], cine[0, 0, 2:4, 0:3, 3:6].flatten())
    assert torch.equal(unfold(folded, 2, 3), cine)


def test_another_cine_is_refused(small_vae):
    with pytest.raises(CineError, match=r"shape \(1, 9, 24, 24\)"):
        small_vae().view(torch.zeros(1, 9, 24, 24))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": 3}, r"channels of level 0 over groups: 128 is not a multiple of 3"),
        ({"frame_step": 2}, r"frames that are seen over the time factor: 25 is not .* 2"),
        ({"spatial_pool": 8}, r"pixels that are seen over the space factor: 12 is not .* 8"),
        ({"spatial_pool": 5}, r"96 pixels over spatial_pool"),
        ({"frame_step": 3}, r"50 frames over frame_step"),
        ({"frame_start": 50}, r"a cine has 50 frames"),
        ({"time_halvings": 4}, r"4 levels have 3 halvings"),
        ({"attention_heads": 7}, r"last level over attention_heads: 512 is not"),
        ({"linear_path": True, "latent_chanels": 3}, "latent_chanels"),
    ],
)
def test_options_that_do_not_fit_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Vae3dConfig(**options)
