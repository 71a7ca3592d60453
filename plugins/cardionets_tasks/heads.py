"""What all heads share: the loss, the predictions and the scaler of a regression."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor, nn

from cardionets_core.errors import ConfigError
from cardionets_core.spec import TargetKind
from cardionets_tasks.targets_loss import loss_of, probabilities


class TaskHead(nn.Module):
    """Base of the heads; a child adds ``forward``.

    A regression has the buffers ``target_mean`` and ``target_sd`` (outputs,), in the task's units:
    its raw outputs are quantities scaled by them.

    Args:
        outputs: Number of outputs.
        target: Kind of the target.

    Raises:
        ConfigError: If the kind is unknown, or cannot have so many outputs.
    """

    target_mean: Tensor
    target_sd: Tensor

    def __init__(self, *, outputs: int, target: TargetKind) -> None:
        super().__init__()
        _check_outputs(outputs, target)
        self.outputs, self.target = outputs, target
        if target == "regression":
            self.register_buffer("target_mean", torch.zeros(outputs))
            self.register_buffer("target_sd", torch.ones(outputs))

    @torch.no_grad()
    def fit(self, target: Tensor) -> None:
        """Take a regression's scaler from the training targets (n, outputs), NaN where unknown.

        A column that does not vary, or that nobody has, is not divided by anything.

        Raises:
            ValueError: If there is another number of columns.
        """
        if self.target != "regression":
            return
        if target.ndim != 2 or target.shape[1] != self.outputs:
            raise ValueError(f"targets of shape {tuple(target.shape)}; needed (n, {self.outputs})")
        mean, sd = _mean_and_sd(target.double())
        self.target_mean.copy_(mean)
        self.target_sd.copy_(sd)

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Mean loss over the known targets, a scalar.

        Args:
            outputs: What ``forward`` gave, (B, outputs).
            target: In the task's units, as ``cohort.targets.Targets`` has them, (B, outputs) or
                (B, 1) for classes; NaN where unknown.
        """
        return loss_of(self.target, outputs, self.scaled(target))

    def scaled(self, target: Tensor) -> Tensor:
        """Targets as ``forward`` is to give them, (B, ...)."""
        if self.target != "regression":
            return target
        return (target - self.target_mean) / self.target_sd

    def predict(self, outputs: Tensor) -> Tensor:
        """Raw outputs to probabilities, or to quantities in the task's units, (B, outputs)."""
        if self.target == "regression":
            return outputs * self.target_sd + self.target_mean
        return probabilities(self.target, outputs)


def _check_outputs(outputs: int, target: str) -> None:
    if target not in get_args(TargetKind):
        raise ConfigError(f"target {target!r}; needed {', '.join(get_args(TargetKind))}")
    if target == "binary" and outputs != 1:
        raise ConfigError(
            f"a binary target with {outputs} outputs; needed 1: several findings are 'multilabel'"
        )
    if target == "multiclass" and outputs < 2:
        raise ConfigError(
            f"a multiclass target with {outputs} classes; needed 2 or more: yes or no is 'binary'"
        )


def _mean_and_sd(target: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population SD per column of what is known; 0 where nothing is, 1 for an SD of 0."""
    known = ~target.isnan()
    count = known.sum(dim=0).clamp_min(1)
    mean = torch.where(known, target, 0.0).sum(dim=0) / count
    sd = (torch.where(known, target - mean, 0.0).square().sum(dim=0) / count).sqrt()
    # The mean of equal numbers may be rounded, so that their SD is small and not 0.
    highest = torch.where(known, target, -torch.inf).amax(dim=0)
    lowest = torch.where(known, target, torch.inf).amin(dim=0)
    return mean, torch.where(highest > lowest, sd, 1.0)
