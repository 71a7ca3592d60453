"""The adversarial term and the discriminator, in one step."""

import pytest
import torch
from torch import nn

from cardionets_mar3d.adversary import Adversary, adaptive_weight, hinge_loss
from cardionets_mar3d.vae import Vae3d
from cardionets_mar3d.vae_config import Vae3dConfig

CINE = (2, 1, 4, 24, 24)


@pytest.fixture
def small_vae():
    def build(**options):
        torch.manual_seed(0)
        given = {
            "frame_step": 10, "spatial_pool": 4, "frame_start": 10, "channels": 4,
            "multipliers": (1, 2), "groups": 2, "encoder_blocks": 1, "decoder_blocks": 1,
            "attention": False, "latent_channels": 2, "perceptual": "none",
            "adversarial_weight": 0.5, "adversarial_start_step": 0,
        }  # fmt: skip
        return Vae3d(Vae3dConfig(**{**given, **options})).train()

    return build


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def one_conv_decoder():
    torch.manual_seed(1)
    return nn.Conv3d(3, 1, 3, padding=1), draw(2, 3, *CINE[2:], seed=2).requires_grad_()


def test_the_hinge_asks_for_a_margin_of_one():
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])
    assert hinge_loss(real, fake).item() == pytest.approx(0.5 * (0.25 + 0.5))


def test_the_balance_is_the_ratio_of_gradients_within_its_bounds():
    assert adaptive_weight(torch.tensor([3.0, 4.0]), torch.tensor([0.5])).item() == pytest.approx(
        5 / (0.5 + 1e-4)
    )
    assert adaptive_weight(torch.tensor([1e9]), torch.tensor([0.0])).item() == 1e4


def test_gradients_are_those_of_the_published_formula():
    """Autograd at the last convolution, with the graph kept, as the formula is usually coded."""
    decoder, features = one_conv_decoder()
    adversary = Adversary(0.3, 0)
    cine = draw(*CINE, seed=3)

    def loss(found):
        return (found - cine).abs().mean()

    def last_layer(grad):
        return torch.autograd.grad(decoder(features), decoder.weight, grad)[0]

    terms = adversary(cine, decoder(features), loss, last_layer)
    found = torch.autograd.grad(terms.reconstruction, (features, decoder.weight))

    reconstruction = decoder(features)
    plain, adversarial = loss(reconstruction), -adversary.discriminator(reconstruction).mean()
    first, second = (
        torch.autograd.grad(part, decoder.weight, retain_graph=True)[0]
        for part in (plain, adversarial)
    )
    total = plain + 0.3 * adaptive_weight(first, second).detach() * adversarial
    expected = torch.autograd.grad(total, (features, decoder.weight))
    torch.testing.assert_close(terms.reconstruction.detach(), total.detach())
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-7)


def test_each_loss_leaves_the_others_parameters_alone(small_vae):
    model, cine = small_vae(), draw(*CINE)
    own = [p for n, p in model.named_parameters() if not n.startswith("adversary.")]
    theirs = list(model.adversary.parameters())
    reconstruction = model.decode(model.encode(cine).mean)
    terms = model.adversary(
        cine, reconstruction, lambda found: (found - cine).abs().mean(), lambda grad: grad
    )
    from_first = torch.autograd.grad(terms.reconstruction, theirs, allow_unused=True)
    assert all(grad is None for grad in from_first)
    from_second = torch.autograd.grad(terms.discriminator, own, allow_unused=True)
    assert all(grad is None for grad in from_second)
    assert any(grad.abs().sum() > 0 for grad in torch.autograd.grad(terms.discriminator, theirs))


def test_the_discriminator_sleeps_until_its_step(small_vae):
    model, cine = small_vae(adversarial_start_step=2), draw(*CINE)
    logs = []
    for _ in range(3):
        model.zero_grad()
        step = model.loss(cine)
        step.loss.backward()
        logs.append(step.log)
        grads = [p.grad for p in model.adversary.parameters()]
        assert all(grad is not None for grad in grads)  # or training on several devices stops
        assert any(grad.abs().sum() > 0 for grad in grads) == ("discriminator" in step.log)
    assert ["discriminator" in log for log in logs] == [False, False, True]


def test_steps_are_counted_across_a_resume(small_vae):
    first = small_vae(adversarial_start_step=2)
    for _ in range(2):
        first.loss(draw(*CINE))
    second = small_vae(adversarial_start_step=2)
    second.load_state_dict(first.state_dict())
    assert "discriminator" in second.loss(draw(*CINE)).log


def test_validation_neither_asks_the_discriminator_nor_counts(small_vae):
    model = small_vae().eval()
    with torch.no_grad():
        log = model.loss(draw(*CINE)).log
    assert not {"adversarial", "discriminator"} & set(log)
    assert model.adversary.steps == 0


def test_only_the_discriminator_learns_at_its_own_rate(small_vae):
    model = small_vae(discriminator_lr_scale=0.2)
    assert model.lr_scales() == {
        f"adversary.{name}": 0.2 for name, _ in model.adversary.named_parameters()
    }


def test_without_weight_there_is_no_discriminator(small_vae):
    model = small_vae(adversarial_weight=0.0)
    assert model.lr_scales() == {}
    assert not [name for name in model.state_dict() if "adversary" in name]


def test_views_too_small_for_the_discriminator_are_refused():
    with pytest.raises(ValueError, match=r"at least \(4, 24, 24\).*frame_step or spatial_pool"):
        Vae3dConfig(frame_step=25, adversarial_weight=0.1)
