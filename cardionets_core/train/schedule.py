"""Optimiser and learning rate, both functions of the options and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn
from torch.optim import AdamW

from cardionets_core.train.config import TrainConfig


def learning_rate(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """Learning rate of an optimiser step (counted from 0): linear warm-up, then the schedule.

    Without state, so that a resumed run continues exactly.
    """
    warmup_steps = config.warmup_epochs * steps_per_epoch
    if step < warmup_steps:
        return config.peak_lr * (step + 1) / warmup_steps
    if config.schedule == "constant":
        return config.peak_lr
    left = max(1.0, config.epochs * steps_per_epoch - warmup_steps)
    progress = min(1.0, (step - warmup_steps) / left)
    return config.min_lr + (config.peak_lr - config.min_lr) * 0.5 * (
        1 + math.cos(math.pi * progress)
    )


def make_optimizer(
    module: nn.Module, config: TrainConfig, lr_scales: Mapping[str, float] | None = None
) -> AdamW:
    """AdamW over the trainable parameters.

    Under ``bias-and-norm`` everything with fewer than two dimensions (biases, norms, a learnable
    temperature) is not decayed.

    Args:
        module: What is trained.
        config: Numbers of the loop.
        lr_scales: Parameter name to a factor of its learning rate, 1 where not named; each group
            keeps its own as ``lr_scale``.
    """
    exempt = config.weight_decay_exempt == "bias-and-norm"
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            decay = 0.0 if exempt and parameter.ndim < 2 else config.weight_decay
            scale = (lr_scales or {}).get(name, 1.0)
            # Decayed parameters first, as a checkpoint counts the groups.
            groups.setdefault((scale, -decay), []).append(parameter)
    return AdamW(
        [
            {"params": members, "weight_decay": -decay, "lr_scale": scale}
            for (scale, decay), members in sorted(groups.items(), key=lambda item: item[0])
        ],
        lr=config.peak_lr,
        betas=config.betas,
    )
