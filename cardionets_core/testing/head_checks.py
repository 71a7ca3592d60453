"""The promises of a head: ``cardionets_core.interfaces.Head``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from cardionets_core.interfaces import Features, Head
from cardionets_core.testing.modules import (
    random_tensor,
    require_finite,
    require_gradients,
    require_module,
    require_scalar_with_graph,
    require_state_round_trip,
)
from cardionets_core.testing.requirement import require

Build = Callable[..., Any]
Target = Callable[[int, int], Tensor]
_EMBED_DIM, _POOLED_DIM, _BATCH = 12, 20, 8
_STEPS, _STEP = 40, 0.02


def zeros_and_ones(batch: int, outputs: int) -> Tensor:
    """A target that most heads can take: 0 and 1 by turns, (batch, outputs)."""
    return (torch.arange(batch * outputs).reshape(batch, outputs) % 2).float()


def check_keeps_the_contract(
    build: Build, *, outputs: int = 3, target: Target = zeros_and_ones
) -> None:
    """It is a module with forward, loss and predict."""
    del target
    require_module(_built(build, outputs), Head)


def check_outputs_have_their_shape(
    build: Build, *, outputs: int = 3, target: Target = zeros_and_ones
) -> None:
    """Raw outputs are (B, outputs) and finite."""
    del target
    raw = _built(build, outputs)(_features())
    require(
        tuple(raw.shape) == (_BATCH, outputs),
        f"outputs are {tuple(raw.shape)}; needed ({_BATCH}, {outputs})",
    )
    require_finite("outputs", raw)


def check_loss_is_a_scalar(
    build: Build, *, outputs: int = 3, target: Target = zeros_and_ones
) -> None:
    """The loss is a finite number with a graph."""
    head = _built(build, outputs)
    require_scalar_with_graph("the loss", head.loss(head(_features()), target(_BATCH, outputs)))


def check_predictions_are_one_row_per_sample(
    build: Build, *, outputs: int = 3, target: Target = zeros_and_ones
) -> None:
    """Predictions have a row per sample, are finite and have no graph of their own making."""
    del target
    head = _built(build, outputs)
    with torch.no_grad():
        predicted = head.predict(head(_features()))
    require(
        len(predicted) == _BATCH,
        f"predictions are {tuple(predicted.shape)}; needed one row for each of {_BATCH} samples",
    )
    require_finite("predictions", predicted.float())


def check_gradients_reach_all_parameters(
    build: Build, *, outputs: int = 3, target: Target = zeros_and_ones
) -> None:
    """Every parameter that is to be trained takes part in the loss."""
    head = _built(build, outputs).eval()
    require_gradients(head, head.loss(head(_features()), target(_BATCH, outputs)))


def check_learns_a_batch(
    build: Build, *, outputs: int = 3, target: Target = zeros_and_ones
) -> None:
    """Training on one batch brings its loss down."""
    head, features, wanted = _built(build, outputs), _features(), target(_BATCH, outputs)
    trained = [parameter for parameter in head.parameters() if parameter.requires_grad]
    losses = []
    for _ in range(_STEPS):
        loss = head.loss(head(features), wanted)
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, trained, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(trained, gradients, strict=True):
                if gradient is not None:
                    # Steps of one size, whatever the scale of the loss.
                    parameter.sub_(_STEP * gradient.sign())
    require(
        losses[-1] < 0.9 * losses[0],
        f"{_STEPS} steps on one batch bring the loss from {losses[0]:.4g} to {losses[-1]:.4g}; "
        "needed a tenth less at least",
    )


def check_state_round_trip(
    build: Build, *, outputs: int = 3, target: Target = zeros_and_ones
) -> None:
    """What ``state_dict`` holds is all there is to it."""
    del target
    head, fresh = _built(build, outputs).eval(), _built(build, outputs, seed=1).eval()

    def result(module: Any) -> list[Tensor]:
        with torch.no_grad():
            raw = module(_features())
            return [raw, module.predict(raw)]

    require_state_round_trip(head, fresh, result)


def _built(build: Build, outputs: int, *, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return build(embed_dim=_EMBED_DIM, pooled_dim=_POOLED_DIM, outputs=outputs)


def _features() -> Features:
    return Features(
        random_tensor(_BATCH, 5, _EMBED_DIM), random_tensor(_BATCH, _POOLED_DIM, seed=1)
    )
