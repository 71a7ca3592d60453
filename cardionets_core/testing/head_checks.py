"""The promises of a head: ``cardionets_core.interfaces.Head``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from cardionets_core.interfaces import Features, Head
from cardionets_core.spec import TargetKind
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
MakeTarget = Callable[[int, int], Tensor]
_EMBED_DIM, _POOLED_DIM, _BATCH = 12, 20, 8
_STEPS, _STEP = 40, 0.02


class Trial:
    """A head for one kind of target, with features and targets to try it on.

    Args:
        build: ``build(embed_dim=, pooled_dim=, outputs=, target=)`` makes the head.
        kind: Kind of target to build it for.
        outputs: Number of outputs; 1 for ``binary`` and 3 for others when not given.
        target: Makes a target from batch and outputs, where the head has its own idea of one.
    """

    def __init__(
        self,
        build: Build,
        kind: TargetKind = "multilabel",
        outputs: int | None = None,
        target: MakeTarget | None = None,
    ) -> None:
        self.build, self.kind = build, kind
        self.outputs = outputs or (1 if kind == "binary" else 3)
        self.target = (target or _MAKERS[kind])(_BATCH, self.outputs)
        self.features = Features(
            random_tensor(_BATCH, 5, _EMBED_DIM), random_tensor(_BATCH, _POOLED_DIM, seed=1)
        )

    def unfitted(self, *, seed: int = 0) -> Any:
        """The head with random weights."""
        torch.manual_seed(seed)
        return self.build(
            embed_dim=_EMBED_DIM, pooled_dim=_POOLED_DIM, outputs=self.outputs, target=self.kind
        )

    def head(self) -> Any:
        """The head as training begins: fitted to its targets, if it can be."""
        head = self.unfitted()
        if hasattr(head, "fit"):
            head.fit(self.target)
        return head

    def make_features_telling(self) -> None:
        """Let the pooled feature tell the target, for what cannot learn from noise."""
        told = (self.target - self.target.mean(dim=0)) / self.target.std(dim=0)
        self.features.pooled[:, : told.shape[1]] += 5 * told

    def loss(self, head: Any) -> Tensor:
        """Loss of the whole batch."""
        loss: Tensor = head.loss(head(self.features), self.target)
        return loss


def zeros_and_ones(batch: int, outputs: int) -> Tensor:
    """A target of findings: 0 and 1 by turns, (batch, outputs)."""
    return (torch.arange(batch * outputs).reshape(batch, outputs) % 2).float()


def class_numbers(batch: int, outputs: int) -> Tensor:
    """A target of classes: each by turns, (batch, 1)."""
    return (torch.arange(batch) % outputs).float()[:, None]


def quantities(batch: int, outputs: int) -> Tensor:
    """A target of quantities far from 0, as volumes in mL are, (batch, outputs)."""
    return 140 + 30 * random_tensor(batch, outputs, seed=2)


_MAKERS: dict[TargetKind, MakeTarget] = {
    "binary": zeros_and_ones,
    "multiclass": class_numbers,
    "multilabel": zeros_and_ones,
    "regression": quantities,
}


def check_keeps_the_contract(build: Build, **about: Any) -> None:
    """It is a module with forward, loss and predict."""
    require_module(Trial(build, **about).unfitted(), Head)


def check_outputs_have_their_shape(build: Build, **about: Any) -> None:
    """Raw outputs are (B, outputs) and finite."""
    trial = Trial(build, **about)
    raw = trial.head()(trial.features)
    require(
        tuple(raw.shape) == (_BATCH, trial.outputs),
        f"outputs are {tuple(raw.shape)}; needed ({_BATCH}, {trial.outputs})",
    )
    require_finite("outputs", raw)


def check_loss_is_a_scalar(build: Build, **about: Any) -> None:
    """The loss is a finite number with a graph."""
    trial = Trial(build, **about)
    require_scalar_with_graph("the loss", trial.loss(trial.head()))


def check_unknown_targets_are_left_out(build: Build, **about: Any) -> None:
    """A target of NaN is unknown: it draws at no output, and a batch without any other is fine."""
    trial = Trial(build, **about)
    head, half = trial.head(), trial.target.clone()
    half[::2] = torch.nan
    for unknown, target in (("some", half), ("all", torch.full_like(half, torch.nan))):
        raw = head(trial.features).detach().requires_grad_()
        loss = head.loss(raw, target)
        require_scalar_with_graph(f"the loss with {unknown} targets unknown", loss)
        (drawn,) = torch.autograd.grad(loss, raw)
        rows = target.isnan().all(dim=1)
        require(
            not drawn[rows].any() and bool(torch.isfinite(drawn).all()),
            f"with {unknown} targets unknown (NaN), they change outputs or give a gradient that is "
            "not finite; put a number in their place and multiply their loss by 0",
        )


def check_predictions_are_one_row_per_sample(build: Build, **about: Any) -> None:
    """Predictions have a row per sample and are finite; those of findings are probabilities."""
    trial = Trial(build, **about)
    head = trial.head()
    with torch.no_grad():
        predicted = head.predict(head(trial.features))
    require(
        len(predicted) == _BATCH,
        f"predictions are {tuple(predicted.shape)}; needed one row for each of {_BATCH} samples",
    )
    require_finite("predictions", predicted.float())
    require(
        trial.kind == "regression" or bool(((predicted >= 0) & (predicted <= 1)).all()),
        f"predictions of a {trial.kind} target are not within 0 and 1; needed probabilities",
    )


def check_gradients_reach_all_parameters(build: Build, **about: Any) -> None:
    """Every parameter that is to be trained takes part in the loss."""
    trial = Trial(build, **about)
    head = trial.head().eval()
    require_gradients(head, trial.loss(head))


def check_learns_a_batch(build: Build, **about: Any) -> None:
    """Training on one batch brings its loss down."""
    trial = Trial(build, **about)
    head = trial.head()
    trained = [parameter for parameter in head.parameters() if parameter.requires_grad]
    losses = []
    for _ in range(_STEPS):
        loss = trial.loss(head)
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


def check_start_lowers_the_loss(build: Build, **about: Any) -> None:
    """If it has ``start``, its loss on what it was given is lower afterwards, and repeatably so."""
    trial = Trial(build, **about)
    trial.make_features_telling()
    losses = []
    for _ in range(2):
        head = trial.head().eval()
        if not hasattr(head, "start"):
            return
        before = trial.loss(head).item()
        head.start(trial.features.pooled, trial.target, seed=0)
        losses.append(trial.loss(head).item())
    require(
        losses[0] < before,
        f"start() brings the loss on its own data from {before:.4g} to {losses[0]:.4g}; "
        "needed less",
    )
    require(losses[0] == losses[1], "start() gives something else the second time; use the seed")


def check_state_round_trip(build: Build, **about: Any) -> None:
    """What ``state_dict`` holds, after ``fit`` too, is all there is to it."""
    trial = Trial(build, **about)

    def result(module: Any) -> list[Tensor]:
        with torch.no_grad():
            raw = module(trial.features)
            return [raw, module.predict(raw)]

    require_state_round_trip(trial.head().eval(), trial.unfitted(seed=1).eval(), result)
