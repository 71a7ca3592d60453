"""The promises of an autoencoder: ``cardionets_core.interfaces.Autoencoder``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from cardionets_core.interfaces import Autoencoder, Moments
from cardionets_core.testing.cine_models import (
    BATCH,
    Uses,
    made_up_cines,
    require_falling,
    require_loss,
    require_range,
    require_reached,
    require_refusal,
    require_views,
    seeded,
    with_uses,
)
from cardionets_core.testing.modules import (
    require_finite,
    require_module,
    require_state_round_trip,
)
from cardionets_core.testing.requirement import require

Build = Callable[[], Any]
_NONE: Uses = {}
_TOLERANCE = 1e-4


def check_keeps_the_contract(build: Build, uses: Uses = _NONE) -> None:
    """It is a module with everything the contract names."""
    autoencoder = _made(build, uses)
    require_module(autoencoder, Autoencoder)
    for name, numbers in (("cine_shape", 3), ("latent_shape", 4)):
        shape = getattr(autoencoder, name)
        require(
            isinstance(shape, tuple) and len(shape) == numbers,
            f"{name} is {shape!r}; needed a tuple of {numbers} sizes",
        )


def check_views_have_their_shapes(build: Build, uses: Uses = _NONE) -> None:
    """``view`` gives what it works on, and ``restore`` a canonical cine of that."""
    require_views(_made(build, uses))


def check_refuses_another_shape(build: Build, uses: Uses = _NONE) -> None:
    """Cines of another shape, or of integers, are refused with an error of ours."""
    autoencoder, cines = _made(build, uses), made_up_cines()[:1]
    require_refusal("view() of a cine with a row too few", lambda: autoencoder.view(cines[..., 1:]))
    require_refusal("view() of a cine of integers", lambda: autoencoder.view(cines.long()))


def check_latents_have_their_shape(build: Build, uses: Uses = _NONE) -> None:
    """``encode`` gives the moments of latents, ``decode`` cines in [-1, 1]."""
    autoencoder = _made(build, uses)
    moments = _encode(autoencoder)
    require(isinstance(moments, Moments), f"encode gives a {type(moments).__name__}")
    for name, found in moments._asdict().items():
        needed = (BATCH, *autoencoder.latent_shape)
        require(tuple(found.shape) == needed, f"{name} is {tuple(found.shape)}; needed {needed}")
        require_finite(name, found)
    cine = _decode(autoencoder, moments.mean)
    needed = (BATCH, 1, *autoencoder.cine_shape)
    require(tuple(cine.shape) == needed, f"decode gives {tuple(cine.shape)}; needed {needed}")
    require_range("what decode() gives", cine)


def check_is_deterministic_in_eval(build: Build, uses: Uses = _NONE) -> None:
    """In evaluation, equal cines give equal moments, and equal latents equal cines."""
    autoencoder = _made(build, uses)
    first, second = _encode(autoencoder), _encode(autoencoder)
    require(
        torch.equal(first.mean, second.mean)
        and torch.equal(first.log_variance, second.log_variance)
        and torch.equal(_decode(autoencoder, first.mean), _decode(autoencoder, first.mean)),
        "two calls in eval() differ; draw latents in loss() only",
    )


def check_samples_do_not_mix(build: Build, uses: Uses = _NONE) -> None:
    """A cine's latent, and a latent's cine, do not depend on their batch."""
    autoencoder = _made(build, uses)
    cines = _cines(autoencoder)
    together, alone = _encode(autoencoder, cines).mean[:1], _encode(autoencoder, cines[:1]).mean
    latents = _encode(autoencoder, cines).mean
    require(
        _near(together, alone)
        and _near(_decode(autoencoder, latents)[:1], _decode(autoencoder, latents[:1])),
        "a sample is coded otherwise in a batch than alone, in eval(); nothing may be computed "
        "across the batch",
    )


def check_does_not_change_its_input(build: Build, uses: Uses = _NONE) -> None:
    """Cines and latents are left as they are."""
    autoencoder = _made(build, uses)
    cines = _cines(autoencoder)
    latents = _encode(autoencoder, cines).mean.clone()
    before = cines.clone(), latents.clone()
    _encode(autoencoder, cines)
    _decode(autoencoder, latents)
    require(
        torch.equal(cines, before[0]) and torch.equal(latents, before[1]),
        "encode() or decode() changed its input in place; work on a copy",
    )


def check_scale_brings_latents_to_unit_sd(build: Build, uses: Uses = _NONE) -> None:
    """After ``fit_scale`` latents have unit SD outside, and decode to the same cines as before."""
    autoencoder = _made(build, uses)
    scale = autoencoder.latent_scale
    require(
        isinstance(scale, Tensor) and scale.ndim == 0 and "latent_scale" in _state(autoencoder),
        "latent_scale is no scalar of its state; register it as a buffer",
    )
    require(scale.item() == 1.0, f"latent_scale is {scale.item():.4g} at first; needed 1")
    before = _encode(autoencoder)
    cine, sd = _decode(autoencoder, before.mean), _total_sd(before)
    autoencoder.fit_scale(sd)
    fitted = autoencoder.latent_scale.item()
    if fitted == 1.0:
        # It works on raw latents, and says so by leaving the scale alone.
        return
    after = _encode(autoencoder)
    require(
        abs(_total_sd(after) - 1.0) < 1e-3,
        f"after fit_scale({sd:.4g}) latents have an SD of {_total_sd(after):.4g}; needed 1: divide "
        "the mean by latent_scale, and subtract twice its logarithm from the log-variance",
    )
    require(
        _near(_decode(autoencoder, after.mean), cine),
        "after fit_scale() what is encoded decodes to another cine; multiply by latent_scale",
    )


def check_loss_is_a_scalar_with_numbers_to_log(build: Build, uses: Uses = _NONE) -> None:
    """The loss is finite and has a graph; its log holds numbers, or scalars without one."""
    autoencoder = _made(build, uses).train()
    require_loss(seeded(0, lambda: autoencoder.loss(_cines(autoencoder))))


def check_gradients_reach_all_parameters(build: Build, uses: Uses = _NONE) -> None:
    """Every parameter that is to be trained takes part in the loss."""
    autoencoder = _made(build, uses).train()
    require_reached(autoencoder, lambda: autoencoder.loss(_cines(autoencoder)).loss)


def check_learns_a_batch(build: Build, uses: Uses = _NONE) -> None:
    """A few steps on one batch bring its loss down."""
    autoencoder = _made(build, uses).train()
    require_falling(autoencoder, lambda: autoencoder.loss(_cines(autoencoder)).loss)


def check_state_round_trip(build: Build, uses: Uses = _NONE) -> None:
    """What ``state_dict`` holds, its latent scale too, is all there is to it."""
    autoencoder = _made(build, uses)
    autoencoder.fit_scale(0.25)

    def outputs(module: Any) -> list[Tensor]:
        moments = _encode(module)
        return [*moments, _decode(module, moments.mean)]

    require_state_round_trip(autoencoder, _made(build, uses, seed=1), outputs)


def _made(build: Build, uses: Uses, seed: int = 0) -> Any:
    return with_uses(seeded(seed, build), uses).eval()


def _cines(autoencoder: Any) -> Tensor:
    """A batch as it takes it, (BATCH, 1, T, H, W)."""
    view: Tensor = autoencoder.view(made_up_cines()[:BATCH])
    return view[:, None]


@torch.no_grad()
def _encode(autoencoder: Any, cines: Tensor | None = None) -> Moments:
    moments: Moments = autoencoder.encode(_cines(autoencoder) if cines is None else cines)
    return moments


@torch.no_grad()
def _decode(autoencoder: Any, latents: Tensor) -> Tensor:
    cine: Tensor = autoencoder.decode(latents)
    return cine


def _state(autoencoder: Any) -> Mapping[str, Tensor]:
    state: Mapping[str, Tensor] = autoencoder.state_dict()
    return state


def _total_sd(moments: Moments) -> float:
    """SD of latents drawn from the moments, over everything."""
    mean, variance = moments.mean.double(), moments.log_variance.double().exp()
    return float((mean.square().mean() + variance.mean() - mean.mean().square()).sqrt())


def _near(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE)
