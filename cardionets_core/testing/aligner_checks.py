"""The promises of an aligner: ``cardionets_core.interfaces.Aligner``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from cardionets_core.interfaces import Aligner, Features, LossAndLog
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
_ECG_DIM, _CMR_DIM, _SUBJECTS, _BATCH = 12, 20, 40, 8


def check_keeps_the_contract(build: Build) -> None:
    """It is a module with everything the contract names."""
    require_module(build(ecg_dim=_ECG_DIM, cmr_dim=_CMR_DIM), Aligner)


def check_phi_is_finite(build: Build) -> None:
    """After ``fit``, phi is (B, K) and finite."""
    phi = _fitted(build).phi(_cmr())
    require(
        phi.ndim == 2 and len(phi) == _BATCH,
        f"phi is of shape {tuple(phi.shape)}; needed ({_BATCH}, K)",
    )
    require_finite("phi", phi)


def check_embeddings_have_unit_norm(build: Build) -> None:
    """Both sides are embedded in one space, at length 1."""
    aligner = _fitted(build)
    ecg, cmr = aligner.embed_ecg(_ecg()), aligner.embed_cmr(_cmr())
    require(
        ecg.shape == cmr.shape and ecg.ndim == 2 and len(ecg) == _BATCH,
        f"ECG embeddings are {tuple(ecg.shape)} and CMR embeddings {tuple(cmr.shape)}; "
        f"needed ({_BATCH}, E) both",
    )
    for side, embedding in (("ECG", ecg), ("CMR", cmr)):
        require_finite(f"the {side} embedding", embedding)
        length = embedding.norm(dim=1)
        require(
            torch.allclose(length, torch.ones_like(length), atol=1e-4),
            f"{side} embeddings have lengths from {length.min():.3g} to {length.max():.3g}; "
            "needed 1: divide by the norm",
        )


def check_loss_is_a_scalar_with_numbers_to_log(build: Build) -> None:
    """The loss is finite and has a graph; its log holds numbers, or scalars without one."""
    outcome = _loss(_fitted(build))
    require(isinstance(outcome, LossAndLog), f"loss gives a {type(outcome).__name__}")
    require_scalar_with_graph("the loss", outcome.loss)
    odd = [name for name, value in outcome.log.items() if not _can_be_logged(value)]
    require(not odd, f"the log holds no number, or one with its graph, for {', '.join(odd)}")


def check_gradients_reach_all_parameters(build: Build) -> None:
    """Every parameter that is to be trained takes part in the loss."""
    aligner = _fitted(build)
    require_gradients(aligner, _loss(aligner).loss)


def check_matched_pairs_cost_less(build: Build) -> None:
    """Subjects whose ECG and CMR lie together cost less than those whose pairs are mixed up."""
    aligner = _fitted(build)
    cmr, phi = aligner.embed_cmr(_cmr()).detach(), aligner.phi(_cmr())
    matched, mixed = (aligner.loss(ecg, cmr, phi).loss for ecg in (cmr, cmr.roll(1, dims=0)))
    require(
        bool(matched < mixed),
        f"matched pairs cost {matched:.4g}, mixed-up pairs {mixed:.4g}; needed less for matched",
    )


def check_fit_is_deterministic(build: Build) -> None:
    """Fitting on the same features gives the same phi and embeddings."""
    torch.manual_seed(0)
    first = _fitted(build)
    torch.manual_seed(0)
    second = _fitted(build)
    require(
        torch.equal(first.phi(_cmr()), second.phi(_cmr())),
        "fit() on the same features gives another phi; seed what is random",
    )


def check_state_round_trip(build: Build) -> None:
    """What ``fit`` found lies in the state: a fresh aligner that loads it gives the same."""
    aligner = _fitted(build)

    def outputs(module: Any) -> list[Tensor]:
        with torch.no_grad():
            embedded = [module.embed_ecg(_ecg()), module.embed_cmr(_cmr())]
            return [module.phi(_cmr()), *embedded, _loss(module).loss]

    require_state_round_trip(aligner, build(ecg_dim=_ECG_DIM, cmr_dim=_CMR_DIM), outputs)


def _fitted(build: Build) -> Any:
    aligner = build(ecg_dim=_ECG_DIM, cmr_dim=_CMR_DIM)
    aligner.fit(random_tensor(_SUBJECTS, _CMR_DIM, seed=3))
    return aligner


def _ecg() -> Features:
    return Features(random_tensor(_BATCH, 5, _ECG_DIM, seed=4), random_tensor(_BATCH, _ECG_DIM))


def _cmr() -> Tensor:
    return random_tensor(_BATCH, _CMR_DIM, seed=5)


def _can_be_logged(value: object) -> bool:
    if isinstance(value, Tensor):
        return value.ndim == 0 and not value.requires_grad
    return isinstance(value, int | float)


def _loss(aligner: Any) -> LossAndLog:
    ecg, cmr = aligner.embed_ecg(_ecg()), aligner.embed_cmr(_cmr())
    outcome: LossAndLog = aligner.loss(ecg, cmr, aligner.phi(_cmr()))
    return outcome
