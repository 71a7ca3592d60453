"""Optimiser and learning rate, both functions of the options and nothing else."""

from __future__ import annotations

import math
from typing import Any

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


def make_optimizer(module: nn.Module, config: TrainConfig) -> AdamW:
    """AdamW over the trainable parameters.

    Under ``bias-and-norm`` everything with fewer than two dimensions (biases, norms, a learnable
    temperature) is not decayed.
    """
    trainable = [p for p in module.parameters() if p.requires_grad]
    exempt = config.weight_decay_exempt == "bias-and-norm"
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trainable if not (exempt and p.ndim < 2)]},
        {"params": [p for p in trainable if exempt and p.ndim < 2], "weight_decay": 0.0},
    ]
    return AdamW(
        [group for group in groups if group["params"]],
        lr=config.peak_lr,
        betas=config.betas,
        weight_decay=config.weight_decay,
    )
