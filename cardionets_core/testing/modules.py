"""Promises that every ``nn.Module`` component shares."""

from __future__ import annotations

from collections.abc import Callable

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from cardionets_core.interfaces import missing_members
from cardionets_core.testing.requirement import ConformanceError, require


def random_tensor(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers from a generator of their own."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def require_module(component: object, contract: type) -> None:
    """An ``nn.Module`` that has what the contract names."""
    require(isinstance(component, nn.Module), f"{type(component).__name__} is no nn.Module")
    lacking = missing_members(component, contract)
    require(
        not lacking,
        f"{type(component).__name__} lacks {', '.join(lacking)}, which cardionets_core.interfaces."
        f"{contract.__name__} names",
    )


def require_finite(what: str, value: Tensor) -> None:
    """Floating-point numbers without NaN or infinity."""
    require(value.is_floating_point(), f"{what} is of {value.dtype}; needed floating point")
    bad = int((~torch.isfinite(value)).sum())
    require(bad == 0, f"{what} holds {bad} numbers that are not finite")


def require_scalar_with_graph(what: str, value: Tensor) -> None:
    """A single finite number that can be differentiated."""
    require(value.ndim == 0, f"{what} is of shape {tuple(value.shape)}; needed a scalar")
    require_finite(what, value)
    require(value.requires_grad, f"{what} has no graph; needed one, to be differentiated")


def require_gradients(module: nn.Module, loss: Tensor) -> None:
    """Differentiating ``loss`` reaches every parameter that is to be trained."""
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    untouched = [
        name
        for name, gradient in zip(trained, gradients, strict=True)
        if gradient is None or not gradient.any()
    ]
    require(
        not untouched,
        f"no gradient reaches {', '.join(untouched)}; use them, freeze them with "
        "requires_grad_(False), or take them out",
    )


def require_state_round_trip(
    module: nn.Module, fresh: nn.Module, outputs: Callable[[nn.Module], list[Tensor]]
) -> None:
    """A fresh one gives the same as another once it has loaded the other's stored state.

    Args:
        module: The component.
        fresh: Another one, built alike with other random numbers.
        outputs: What it gives for some input.
    """
    state = {name: value.contiguous() for name, value in module.state_dict().items()}
    try:
        stored = save(state)
    except RuntimeError as error:
        raise ConformanceError(
            f"its state cannot be stored as safetensors: {' '.join(str(error).split())}"
        ) from error
    fresh.load_state_dict(load(stored), strict=True)
    for before, after in zip(outputs(module), outputs(fresh), strict=True):
        require(
            torch.equal(before, after),
            "a fresh one gives something else after it has loaded the stored state; keep what "
            "training or fit() changes in parameters, registered modules and registered buffers",
        )
