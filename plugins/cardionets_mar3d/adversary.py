"""The adversarial term of the autoencoder, and the discriminator that it needs, in one optimiser.

Source: Esser et al. 2021, section 3; numbers and start of the published autoencoder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from cardionets_mar3d.discriminator import PatchDiscriminator

Loss = Callable[[Tensor], Tensor]


class AdversarialTerms(NamedTuple):
    """What the discriminator adds to a training step.

    Attributes:
        reconstruction: Loss of the reconstruction, adversarial term included.
        discriminator: Loss of the discriminator itself.
        log: Scalars worth logging.
    """

    reconstruction: Tensor
    discriminator: Tensor
    log: dict[str, Tensor]


class Adversary(nn.Module):
    """A discriminator that takes part from a certain step on.

    Args:
        weight: Weight of the adversarial term, before it is balanced.
        start_step: Training step (call of ``forward``) from which it takes part, counted from 0.
    """

    steps: Tensor

    def __init__(self, weight: float, start_step: int) -> None:
        super().__init__()
        self.weight, self.start_step = weight, start_step
        self.discriminator = PatchDiscriminator()
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    # The balance needs gradients inside of a step, which a compiled graph cannot give.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(
        self, cine: Tensor, reconstruction: Tensor, loss: Loss, last_layer: Loss
    ) -> AdversarialTerms:
        """Terms of a training step; counts it.

        Args:
            cine: Real cines (B, 1, T, H, W).
            reconstruction: Reconstructions, with their graph.
            loss: Loss of a reconstruction without the adversarial term.
            last_layer: Gradient of a reconstruction to that of the weights of the decoder's last
                convolution, at which the two losses are balanced.
        """
        started = int(self.steps) >= self.start_step
        self.steps += 1
        if not started:
            # Parameters without any gradient would stop training on several devices.
            idle = sum(p.sum() for p in self.discriminator.parameters()) * 0.0
            return AdversarialTerms(loss(reconstruction), torch.as_tensor(idle), {})
        total, log = self._balanced(reconstruction, loss, last_layer)
        own = hinge_loss(self.discriminator(cine), self.discriminator(reconstruction.detach()))
        return AdversarialTerms(total, own, {**log, "discriminator": own.detach()})

    def _balanced(
        self, reconstruction: Tensor, loss: Loss, last_layer: Loss
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss plus adversarial term, balanced by their gradients at the last convolution.

        Both gradients are taken at the reconstruction, each once, and handed on from there.
        """
        leaf = reconstruction.detach().requires_grad_()
        frozen = {n: p.detach() for n, p in self.discriminator.named_parameters()}
        said = torch.func.functional_call(self.discriminator, frozen, (leaf,))
        value, adversarial = loss(leaf), -said.float().mean()
        grad, adversarial_grad = _grad(value, leaf), _grad(adversarial, leaf)
        balance = adaptive_weight(last_layer(grad), last_layer(adversarial_grad))
        total = value + self.weight * balance * adversarial
        handed_on = (reconstruction * (grad + self.weight * balance * adversarial_grad)).sum()
        log = {"adversarial": adversarial.detach(), "adversarial_balance": balance}
        return total.detach() + (handed_on - handed_on.detach()), log


def _grad(loss: Tensor, leaf: Tensor) -> Tensor:
    """Gradient of a mean over pixels, taken as that of their sum lest half precision lose it."""
    pixels = leaf.numel()
    (grad,) = torch.autograd.grad(loss * pixels, leaf)
    return grad.float() / pixels


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Loss of the discriminator, given what it says of real and of reconstructed patches."""
    return 0.5 * (relu(1.0 - real.float()).mean() + relu(1.0 + fake.float()).mean())


def adaptive_weight(grad: Tensor, adversarial_grad: Tensor) -> Tensor:
    """Factor that makes the adversarial gradient as long as the other; bounds as published."""
    return (grad.norm() / (adversarial_grad.norm() + 1e-4)).clamp(0.0, 1e4)
