"""Losses by kind of target; what is unknown (NaN) is left out.

Every loss is the mean over what is known, and 0 with a graph where nothing is. Sources: textbook
cross-entropies and squared error.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from cardionets_core.spec import TargetKind


def loss_of(kind: TargetKind, outputs: Tensor, target: Tensor) -> Tensor:
    """Loss of raw outputs against targets, a scalar in float32.

    Args:
        kind: Kind of the target.
        outputs: Logits, or scaled quantities of a regression, (B, outputs).
        target: 0 and 1, or scaled quantities, (B, outputs); the number of the class, (B, 1), for
            ``multiclass``. NaN where unknown.

    Raises:
        ValueError: If the target has another shape.
    """
    wanted = (len(outputs), 1 if kind == "multiclass" else outputs.shape[1])
    if tuple(target.shape) != wanted:
        raise ValueError(f"target of shape {tuple(target.shape)} for {kind}; needed {wanted}")
    known = ~target.isnan()
    # NaN times 0 is NaN, in a gradient as well: a number has to stand where nothing is known.
    filled = torch.where(known, target, 0.0).float()
    if kind == "regression":
        each = (outputs.float() - filled).square()
    elif kind == "multiclass":
        each = functional.cross_entropy(outputs.float(), filled[:, 0].long(), reduction="none")
        each = each[:, None]
    else:
        each = functional.binary_cross_entropy_with_logits(
            outputs.float(), filled, reduction="none"
        )
    return torch.where(known, each, 0.0).sum() / known.sum().clamp_min(1)


def probabilities(kind: TargetKind, outputs: Tensor) -> Tensor:
    """Logits (B, outputs) to probabilities: of one class each, or of each finding by itself."""
    return outputs.softmax(dim=1) if kind == "multiclass" else outputs.sigmoid()
