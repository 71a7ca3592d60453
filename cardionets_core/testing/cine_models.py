"""What the checks of autoencoders and generators share: cines, use, views and training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from cardionets_core.cmr.views import CANONICAL_SHAPE
from cardionets_core.errors import CardionetsError
from cardionets_core.interfaces import LossAndLog
from cardionets_core.testing.made_up import made_up_cine
from cardionets_core.testing.modules import require_finite, require_scalar_with_graph
from cardionets_core.testing.requirement import ConformanceError, require

# Role to what builds a component that is used: ``{"autoencoder": build}``.
Uses = Mapping[str, Callable[[], Any]]

SUBJECTS = 12
BATCH = 3
_STEPS = 12
_LEARNING_RATE = 3e-3
_JITTER = 0.02
_LOSSES = 24


@cache
def made_up_cines() -> Tensor:
    """Canonical cines of different place and brightness, (SUBJECTS, 50, 96, 96) in [-1, 1]."""
    cine = torch.from_numpy(made_up_cine()).float() / 255
    each = [
        cine.roll(2 * subject, dims=2) * (0.5 + 0.5 * subject / SUBJECTS)
        for subject in range(SUBJECTS)
    ]
    return torch.stack(each) * 2 - 1


def seeded(seed: int, make: Callable[[], Any]) -> Any:
    """What ``make`` gives with torch's global generator at a seed; left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def with_uses(module: Any, uses: Uses) -> Any:
    """The module, given components of its own to use; the same ones every time."""
    if uses:
        made = {role: seeded(0, build).eval() for role, build in uses.items()}
        module.use(**made)
    return module


def require_views(module: Any) -> None:
    """``view`` gives (B, T, H, W) of ``cine_shape``, ``restore`` a canonical cine in [-1, 1]."""
    view = module.view(made_up_cines()[:BATCH])
    needed = (BATCH, *module.cine_shape)
    require(tuple(view.shape) == needed, f"view() gives {tuple(view.shape)}; needed {needed}")
    require_finite("the view", view)
    require(
        torch.equal(module.view(view), view),
        "view() of a view is another one; needed the same, so that stored views can be given",
    )
    restored, canonical = module.restore(view), (BATCH, *CANONICAL_SHAPE)
    require(
        tuple(restored.shape) == canonical,
        f"restore() gives {tuple(restored.shape)}; needed {canonical}",
    )
    require_range("what restore() gives", restored)


def require_range(what: str, cine: Tensor) -> None:
    """Finite numbers in [-1, 1]."""
    require_finite(what, cine)
    low, high = cine.min(), cine.max()
    require(
        bool(low >= -1 and high <= 1),
        f"{what} has numbers from {low:.3g} to {high:.3g}; needed [-1, 1]: clamp it",
    )


def require_loss(outcome: Any) -> None:
    """A loss with its graph, and numbers to log or detached scalars."""
    require(isinstance(outcome, LossAndLog), f"loss gives a {type(outcome).__name__}")
    require_scalar_with_graph("the loss", outcome.loss)
    odd = [
        name
        for name, value in outcome.log.items()
        if not isinstance(value, int | float)
        and not (isinstance(value, Tensor) and value.ndim == 0 and not value.requires_grad)
    ]
    require(not odd, f"the log holds no number, or one with its graph, for {', '.join(odd)}")


def require_reached(module: nn.Module, loss: Callable[[], Tensor]) -> None:
    """Over some draws, every parameter that is to be trained takes part in the loss.

    Weights are moved a little before: layers that start at zero hide what is behind them.
    """
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    require(bool(trained), "no parameter requires a gradient; there is nothing to train")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in trained.values():
            parameter.add_(_JITTER * torch.randn(parameter.shape, generator=generator))
    unreached = dict(trained)
    for draw in range(_LOSSES):
        gradients = torch.autograd.grad(
            seeded(draw, loss), list(unreached.values()), allow_unused=True
        )
        told = dict(zip(unreached, gradients, strict=True))
        broken = [n for n, g in told.items() if g is not None and not g.isfinite().all()]
        require(not broken, f"the gradient is not finite for {', '.join(broken)}")
        unreached = {n: trained[n] for n, g in told.items() if g is None or not g.any()}
        if not unreached:
            return
    raise ConformanceError(
        f"no gradient reaches {', '.join(unreached)}; use them, freeze them with "
        "requires_grad_(False), or take them out"
    )


def require_falling(module: nn.Module, loss: Callable[[], Tensor]) -> None:
    """Some steps on one batch, with the same draws, bring its loss down."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=_LEARNING_RATE)
    losses = []
    for _ in range(_STEPS):
        value = seeded(0, loss)
        losses.append(value.item())
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    require(
        losses[-1] < losses[0],
        f"{_STEPS} steps on one batch bring the loss from {losses[0]:.4g} to {losses[-1]:.4g}; "
        "needed less",
    )


def require_refusal(what: str, call: Callable[[], object]) -> None:
    """It is refused with an error of ours, which says what was found and what is needed."""
    try:
        call()
    except CardionetsError:
        return
    except Exception as error:
        raise ConformanceError(
            f"{what} raises {type(error).__name__}: {error}; needed a CardionetsError that says "
            "what was found and what is needed"
        ) from error
    raise ConformanceError(f"{what} is taken; needed an error")
