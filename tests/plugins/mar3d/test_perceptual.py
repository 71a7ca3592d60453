"""Cines compared by the tokens of a frozen CMR encoder."""

import pytest
import torch
from torch import nn

from cardionets_core.cmr.views import CineView
from cardionets_core.errors import ConfigError
from cardionets_core.interfaces import Features
from cardionets_mar3d.perceptual import TokenDistance
from cardionets_mar3d.vae import Vae3d
from cardionets_mar3d.vae_config import Vae3dConfig

SEEN = CineView(2, 5, 4)


class PatchEncoder(nn.Module):
    """A CMR encoder of one linear map; sees what it is told to."""

    def __init__(self, seen=SEEN):
        super().__init__()
        torch.manual_seed(0)
        self.seen, self.given = seen, []
        self.embed = nn.Linear(seen.shape[-1], 8)

    def view(self, cine):
        return self.seen.view(cine)

    def forward(self, x, lead_mask=None):
        self.given.append(x)
        tokens = self.embed(x).flatten(1, 2)
        return Features(tokens, tokens.mean(dim=1))


@pytest.fixture
def vae():
    def build(**options):
        torch.manual_seed(0)
        given = {
            "frame_start": 2, "frame_step": 5, "spatial_pool": 4, "channels": 4, "groups": 2,
            "multipliers": (1, 2), "encoder_blocks": 1, "decoder_blocks": 1, "attention": False,
            "latent_channels": 2, "perceptual": "cmr-encoder",
        }  # fmt: skip
        return Vae3d(Vae3dConfig(**{**given, **options}))

    return build


def draw(seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(2, 1, *SEEN.shape, generator=rng) * 2 - 1


def test_equal_cines_have_no_distance_and_others_have_one():
    distance = TokenDistance(PatchEncoder(), SEEN)
    assert distance(draw(0), draw(0)) == 0
    assert distance(draw(0), draw(1)) > 0


def test_tokens_are_compared_at_mean_0_and_sd_1():
    encoder = PatchEncoder()
    with torch.no_grad():
        one, other = (encoder(draw(seed)[:, 0]).tokens for seed in (0, 1))
        one, other = (
            (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True, correction=0)
            for x in (one, other)
        )
    found = TokenDistance(encoder, SEEN)(draw(0), draw(1))
    torch.testing.assert_close(found, (one - other).square().mean(), rtol=1e-3, atol=1e-5)


def test_an_encoder_that_sees_the_same_is_given_the_view_itself():
    encoder = PatchEncoder()
    TokenDistance(encoder, SEEN)(draw(0), draw(1))
    assert torch.equal(encoder.given[0], draw(0)[:, 0])


@pytest.mark.parametrize("other", [CineView(0, 5, 4), CineView(2, 5, 8), CineView()])
def test_an_encoder_that_sees_something_else_is_given_that(other):
    encoder = PatchEncoder(other)
    TokenDistance(encoder, SEEN)(draw(0), draw(1))
    assert torch.equal(encoder.given[0], other.view(SEEN.restore(draw(0)[:, 0])))


def test_the_encoder_is_neither_trained_nor_saved(vae):
    encoder, model = PatchEncoder().train(), vae()
    names = set(model.state_dict())
    model.use(cmr_encoder=encoder)
    step = model.train().loss(draw())
    step.loss.backward()
    assert step.log["perceptual"] > 0
    assert set(model.state_dict()) == names
    assert not encoder.training
    assert all(p.grad is None and not p.requires_grad for p in encoder.parameters())


def test_the_distance_is_part_of_the_loss_by_its_weight(vae):
    losses = {}
    for weight in (0.0, 0.5):
        model = vae(perceptual_weight=weight).eval()
        model.use(cmr_encoder=PatchEncoder())
        torch.manual_seed(1)
        losses[weight] = model.loss(draw())
    expected = losses[0.0].loss + 0.5 * losses[0.5].log["perceptual"]
    torch.testing.assert_close(losses[0.5].loss, expected)


def test_without_the_encoder_it_codes_but_cannot_be_trained(vae):
    model = vae().eval()
    model.decode(model.encode(draw()).mean)
    with pytest.raises(ConfigError, match=r"none was given; name one with --weights cmr_encoder="):
        model.loss(draw())
