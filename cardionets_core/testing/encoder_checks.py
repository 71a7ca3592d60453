"""The promises of an encoder: ``cardionets_core.interfaces.Encoder``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from cardionets_core.cohort.layout import CINE_SHAPE
from cardionets_core.errors import CardionetsError
from cardionets_core.interfaces import Encoder, Features, PretextModel
from cardionets_core.testing.modules import (
    random_tensor,
    require_finite,
    require_gradients,
    require_module,
    require_scalar_with_graph,
    require_state_round_trip,
)
from cardionets_core.testing.requirement import ConformanceError, require

Build = Callable[[], Any]
_BATCH = 2
_TOLERANCE = 1e-4


def check_keeps_the_contract(build: Build) -> None:
    """It is a module with forward, widths and modality."""
    encoder = build()
    require_module(encoder, Encoder)
    require(
        encoder.modality in ("ecg", "cmr"),
        f"modality is {encoder.modality!r}; needed 'ecg' or 'cmr'",
    )


def check_says_what_it_takes(build: Build) -> None:
    """An ECG encoder names its leads, rate and length; a CMR encoder has ``view``."""
    encoder = build()
    needed = (
        ("leads", "sampling_rate_hz", "num_samples") if encoder.modality == "ecg" else ("view",)
    )
    missing = [name for name in needed if not hasattr(encoder, name)]
    require(not missing, f"a {encoder.modality} encoder also needs {', '.join(missing)}")


def check_features_have_their_shapes(build: Build) -> None:
    """Tokens are (B, N, embed_dim), the pooled vector (B, pooled_dim), all finite."""
    encoder = build()
    features = _run(encoder, _input(encoder))
    require(
        isinstance(features, Features),
        f"forward gives a {type(features).__name__}; needed cardionets_core.interfaces.Features",
    )
    tokens, pooled = tuple(features.tokens.shape), tuple(features.pooled.shape)
    require(
        len(tokens) == 3 and tokens[::2] == (_BATCH, encoder.embed_dim),
        f"tokens are {tokens}; needed ({_BATCH}, N, embed_dim={encoder.embed_dim})",
    )
    require(
        pooled == (_BATCH, encoder.pooled_dim),
        f"pooled is {pooled}; needed ({_BATCH}, pooled_dim={encoder.pooled_dim})",
    )
    require_finite("tokens", features.tokens)
    require_finite("pooled", features.pooled)


def check_is_deterministic_in_eval(build: Build) -> None:
    """The same input gives the same features in evaluation."""
    encoder = build()
    x = _input(encoder)
    first, second = _run(encoder, x), _run(encoder, x)
    require(
        torch.equal(first.pooled, second.pooled) and torch.equal(first.tokens, second.tokens),
        "two calls in eval() differ; dropout and masking belong to training only",
    )


def check_samples_do_not_mix(build: Build) -> None:
    """What is pooled of one sample does not depend on its batch."""
    encoder = build()
    x = _input(encoder)
    together, alone = _run(encoder, x).pooled[:1], _run(encoder, x[:1]).pooled
    require(
        torch.allclose(together, alone, rtol=_TOLERANCE, atol=_TOLERANCE),
        "a sample is encoded otherwise in a batch than alone, in eval(); nothing may be computed "
        "across the batch",
    )


def check_does_not_change_its_input(build: Build) -> None:
    """The input is left as it is."""
    encoder = build()
    x = _input(encoder)
    before = x.clone()
    _run(encoder, x)
    require(torch.equal(x, before), "forward changed its input in place; work on a copy")


def check_gradients_reach_all_parameters(build: Build) -> None:
    """Every parameter that is to be trained takes part."""
    encoder = build()
    encoder.eval()
    features = encoder(_input(encoder))
    # Random weights, because a plain sum over normalised tokens has no gradient.
    parts = [(part * random_tensor(*part.shape, seed=1)).sum() for part in features]
    require_gradients(encoder, parts[0] + parts[1])


def check_state_round_trip(build: Build) -> None:
    """What ``state_dict`` holds is all there is to it."""
    encoder = build()
    x = _input(encoder)
    require_state_round_trip(encoder, build(), lambda module: list(_run(module, x)))


def check_absent_leads_have_no_influence(build: Build) -> None:
    """What a lead holds that ``lead_mask`` says is absent does not matter, and absence does."""
    encoder = build()
    if not _has_leads(encoder):
        return
    x = _input(encoder)
    changed = x.clone()
    changed[:, 0] = 3 * random_tensor(*changed[:, 0].shape, seed=2)
    mask = torch.arange(x.shape[1]) > 0
    pooled = _run(encoder, x, mask).pooled
    require(
        torch.allclose(
            pooled, _run(encoder, changed, mask).pooled, rtol=_TOLERANCE, atol=_TOLERANCE
        ),
        f"lead {encoder.leads[0]} is absent by lead_mask (True where present), but what its row "
        "holds changes the features",
    )
    require(
        not torch.allclose(pooled, _run(encoder, x).pooled, rtol=_TOLERANCE, atol=_TOLERANCE),
        "features with a lead absent are those with all present; lead_mask is not read",
    )


def check_lead_mask_may_be_of_one_or_all(build: Build) -> None:
    """A mask (L,) is that mask for each sample, and a mask of True is none at all."""
    encoder = build()
    if not _has_leads(encoder):
        return
    x = _input(encoder)
    mask = torch.arange(x.shape[1]) > 0
    for told, left, right in (
        ("lead_mask (L,) and (B, L)", mask, mask.expand(_BATCH, -1)),
        ("lead_mask of all True and None", torch.ones_like(mask), None),
    ):
        require(
            torch.allclose(
                _run(encoder, x, left).pooled,
                _run(encoder, x, right).pooled,
                rtol=_TOLERANCE,
                atol=_TOLERANCE,
            ),
            f"{told} give different features; needed the same",
        )


def check_refuses_another_shape(build: Build) -> None:
    """A batch of another shape is refused with an error of ours, which says what is needed."""
    encoder = build()
    x = _input(encoder)
    try:
        _run(encoder, x[:, :-1] if x.shape[1] > 1 else x[..., :-1])
    except CardionetsError:
        return
    except Exception as error:
        raise ConformanceError(
            f"a batch with a row too few raises {type(error).__name__}: {error}; needed a "
            "CardionetsError that says what was found and what is needed"
        ) from error
    raise ConformanceError("a batch with a row too few is taken; needed an error")


def check_pretext_can_be_trained(build: Build) -> None:
    """Where there is a self-supervised objective, its loss is a scalar that noise settles."""
    encoder = build()
    if not hasattr(encoder, "pretext"):
        return
    model, x = encoder.pretext(), _input(encoder)
    require_module(model, PretextModel)
    require(model.encoder is encoder, "pretext().encoder is not the encoder itself")
    noise = torch.rand(model.noise_shape(x), generator=torch.Generator().manual_seed(0))
    first, second = model(x, noise=noise), model(x, noise=noise)
    require_scalar_with_graph("the pretext loss", first.loss)
    require(
        torch.equal(first.loss, second.loss),
        "two losses of the same batch and noise differ; everything random has to come from noise",
    )


def _has_leads(encoder: Any) -> bool:
    return encoder.modality == "ecg" and len(encoder.leads) > 1


def _input(encoder: Any) -> Tensor:
    """A batch as the encoder takes it: (B, L, S), or what ``view`` makes of (B, T, H, W)."""
    if encoder.modality == "ecg":
        return random_tensor(_BATCH, len(encoder.leads), encoder.num_samples)
    cine = torch.rand(_BATCH, *CINE_SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    view: Tensor = encoder.view(cine)
    return view


@torch.no_grad()
def _run(encoder: nn.Module, x: Tensor, lead_mask: Tensor | None = None) -> Features:
    encoder.eval()
    features: Features = encoder(x, lead_mask=lead_mask)
    return features
