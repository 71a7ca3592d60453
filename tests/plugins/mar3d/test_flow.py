"""The flow head: straight paths from noise to tokens."""

import math

import pytest
import torch

from cardionets_core.errors import UsageError
from cardionets_mar3d.flow import FlowHead
from cardionets_mar3d.mar_config import MarConfig


@pytest.fixture
def head():
    """A head of tokens of 6 numbers; its velocity is 0 until it is set."""

    def build(**options):
        torch.manual_seed(1)
        config = MarConfig(sampler="flow", denoiser_width=12, denoiser_depth=1, **options)
        return FlowHead(6, 5, config).requires_grad_(False)

    return build


VELOCITY = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0, -1.0])


@pytest.mark.parametrize("integrator", ["euler", "heun"])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_constant_velocity_is_followed_exactly(head, integrator, steps):
    flow = head(flow_integrator=integrator)
    flow.net.final_layer.linear.bias.copy_(VELOCITY)
    start, z = torch.randn(4, 6), torch.randn(4, 5)
    sampler = flow.sampler(steps, 1.0, torch.float32)
    found = sampler.draw(z, start=start, noise=start.new_empty(0, 4, 6))
    torch.testing.assert_close(found, start + VELOCITY)


def test_the_loss_is_zero_where_the_velocity_is_right_and_its_square_where_it_is_zero(head):
    flow = head()
    noise, z, time = torch.randn(4, 6), torch.randn(4, 5), torch.rand(4)
    token = noise + VELOCITY
    loss, _ = flow.loss(token, z, time, noise)
    torch.testing.assert_close(loss, VELOCITY.square().mean().expand(4))
    flow.net.final_layer.linear.bias.copy_(VELOCITY)
    loss, _ = flow.loss(token, z, time, noise)
    torch.testing.assert_close(loss, torch.zeros(4), atol=1e-10, rtol=0)


class Decay:
    """A velocity of -x, which leads to exp(-1) of the start."""

    def condition(self, z):
        return z

    def __call__(self, x, step, condition, guidance):
        return -x


def test_heun_follows_a_bent_path_better_than_euler(head):
    error = {}
    for integrator in ("euler", "heun"):
        sampler = head(flow_integrator=integrator).sampler(10, 1.0, torch.float64)
        sampler._denoiser = Decay()
        start = torch.ones(1, 6, dtype=torch.float64)
        found = sampler.draw(torch.zeros(1, 5), start=start, noise=start[None, :0])
        error[integrator] = abs(float(found[0, 0]) - math.exp(-1))
    assert error["heun"] < 0.05 * error["euler"]


def test_guidance_acts_on_the_velocity_and_temperature_on_the_start(head):
    flow = head()
    flow.net.final_layer.linear.bias.copy_(VELOCITY)
    start = torch.randn(4, 6)
    sampler = flow.sampler(3, 0.5, torch.float32)
    # Both halves of the same condition: whatever the guidance, the velocity is theirs.
    found = sampler.draw(torch.zeros(8, 5), start=start, noise=start[None, :0], guidance=4.0)
    torch.testing.assert_close(found, 0.5 * start + VELOCITY)


@pytest.mark.parametrize(("law", "sd"), [("uniform", 12**-0.5), ("logit-normal", 0.208)])
def test_times_follow_their_law(head, law, sd):
    torch.manual_seed(0)
    time = head(flow_time=law).draw_time(20_000, device=torch.device("cpu"))
    assert bool(((time >= 0) & (time <= 1)).all())
    assert float(time.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(time.std()) == pytest.approx(sd, abs=0.01)


def test_no_steps_are_refused(head):
    with pytest.raises(UsageError, match="steps=0: a flow takes 1 or more"):
        head().sampler(0, 1.0, torch.float32)
