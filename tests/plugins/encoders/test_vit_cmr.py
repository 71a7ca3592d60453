"""What the cine encoder and its masked autoencoder promise."""

import pytest
import torch

from cardionets_core.errors import CardionetsError, CineError
from cardionets_core.interfaces import Encoder, PretextModel, missing_members

VIEW = {"frame_start": 1, "frame_step": 3, "spatial_pool": 2}


@pytest.fixture
def cine(draw):
    return draw(2, 6, 16, 16).clamp(-1, 1)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_it_keeps_the_contracts(small_vit):
    encoder = small_vit()
    assert missing_members(encoder, Encoder) == []
    assert missing_members(encoder.pretext(), PretextModel) == []
    assert encoder.modality == "cmr"


@pytest.mark.parametrize("pooling", ["cls", "cls-before-norm", "flatten"])
def test_the_pooled_feature_is_as_wide_as_it_says(small_vit, cine, pooling):
    encoder = small_vit(pooling=pooling)
    features = encoder(cine)
    assert features.tokens.shape == (2, 16, encoder.embed_dim)
    assert features.pooled.shape == (2, encoder.pooled_dim)


def test_the_view_is_some_frames_of_averaged_pixels(small_vit, cine):
    view = small_vit(**VIEW).view(cine)
    assert view.shape == (2, 2, 8, 8)
    torch.testing.assert_close(view[:, 1, 0, 0], cine[:, 4, :2, :2].mean(dim=(1, 2)))


def test_a_cached_view_gives_the_same_features_as_the_cine(small_vit, cine):
    encoder = small_vit(**VIEW)
    assert torch.equal(encoder(encoder.view(cine)).pooled, encoder(cine).pooled)
    model = encoder.pretext()
    assert torch.equal(
        model(encoder.view(cine), rng=seeded(1)).loss, model(cine, rng=seeded(1)).loss
    )


def test_the_same_seed_gives_the_same_weights(small_vit):
    first, second = small_vit().state_dict(), small_vit().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_one_batch_can_be_learnt(small_vit, draw):
    model = small_vit(mask_ratio=0.5).pretext()
    x = draw(4, 1, 1, 1).tanh() * torch.linspace(-1, 1, 16)[:, None] * torch.ones(6, 16, 16)
    noise = draw(*model.noise_shape(x))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    first = model(x, noise=noise).loss.item()
    for _ in range(80):
        optimizer.zero_grad()
        loss = model(x, noise=noise).loss
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * first


def test_the_draw_is_the_generators_alone(small_vit, cine):
    model = small_vit().pretext()
    first = model(cine, rng=seeded(1)).loss
    torch.rand(3)
    assert torch.equal(model(cine, rng=seeded(1)).loss, first)
    assert not torch.equal(model(cine, rng=seeded(2)).loss, first)
    noise = torch.rand(model.noise_shape(cine), generator=seeded(1))
    assert torch.equal(model.pretext_loss(cine, noise=noise).loss, first)


def test_pretraining_trains_all_but_the_position_tables(small_vit, cine):
    model = small_vit().pretext()
    model(cine).loss.backward()
    untrained = {name for name, p in model.named_parameters() if p.grad is None}
    assert untrained == {"encoder.pos_embed"}
    loaded = small_vit()
    loaded.load_state_dict(model.encoder.state_dict())
    assert all(p.requires_grad for p in loaded.parameters())


def test_every_parameter_learns_downstream(small_vit, cine):
    encoder = small_vit()
    encoder(cine).pooled.square().sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_bf16_autocast_comes_close_to_float32(small_vit, cine):
    model = small_vit().pretext()
    with torch.autocast("cpu", torch.bfloat16):
        pooled = model.encoder(cine).pooled
        loss = model(cine, rng=seeded(1)).loss
    loss.backward()
    torch.testing.assert_close(pooled.float(), model.encoder(cine).pooled, atol=0.1, rtol=0.1)
    torch.testing.assert_close(loss, model(cine, rng=seeded(1)).loss, atol=0.05, rtol=0.02)


@pytest.mark.slow
def test_compiled_equals_eager(small_vit, cine):
    model = small_vit(**VIEW).pretext()
    noise = torch.rand(model.noise_shape(cine), generator=seeded(1))
    encoder = torch.compile(model.encoder, fullgraph=True)
    torch.testing.assert_close(encoder(cine), model.encoder(cine))
    compiled = torch.compile(model, fullgraph=True)
    torch.testing.assert_close(compiled(cine, noise=noise).loss, model(cine, noise=noise).loss)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 5, 16, 16), r"shape \(2, 5, 16, 16\).*\(6, 16, 16\) or \(2, 8, 8\)"),
        (torch.zeros(6, 16, 16), r"shape \(6, 16, 16\)"),
        (torch.zeros(2, 6, 16, 16, dtype=torch.uint8), "x / 127.5 - 1"),
    ],
)
def test_a_wrong_cine_is_named(small_vit, x, message):
    with pytest.raises(CineError, match=message):
        small_vit(**VIEW)(x)


def test_a_lead_mask_is_refused(small_vit, cine):
    encoder = small_vit()
    for module in (encoder, encoder.pretext()):
        with pytest.raises(CineError, match="no leads"):
            module(cine, lead_mask=torch.ones(12, dtype=torch.bool))


def test_noise_of_another_shape_is_named(small_vit, cine):
    with pytest.raises(CardionetsError, match=r"noise has shape \(2, 5\).*\(2, 16\)"):
        small_vit().pretext()(cine, noise=torch.zeros(2, 5))
