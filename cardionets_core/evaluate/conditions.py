"""The condition that an ECG gives a generator."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize


@torch.no_grad()
def ecg_condition(
    encoder: Any, aligner: Any | None, crops: Tensor, lead_mask: Tensor | None
) -> Tensor:
    """Mean over the evaluation crops of what a frozen encoder makes of an ECG.

    Args:
        encoder: ECG encoder in evaluation mode.
        aligner: Its aligner, for unit-norm embeddings in the aligned space; None for the pooled
            feature.
        crops: Evaluation crops, (B, crops, L, S).
        lead_mask: True where a lead is there, (B, L), or None if all are.

    Returns:
        Conditions (B, C) in float32.
    """
    records, number = crops.shape[:2]
    mask = None if lead_mask is None else lead_mask.repeat_interleave(number, dim=0)
    features = encoder(crops.flatten(0, 1), mask)
    found = features.pooled if aligner is None else aligner.embed_ecg(features)
    mean: Tensor = found.unflatten(0, (records, number)).mean(dim=1).float()
    return mean if aligner is None else normalize(mean, dim=1)
