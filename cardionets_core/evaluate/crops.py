"""One prediction of the several crops of an ECG."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor


def average_crops(
    head: Any, outputs: Tensor, average: Literal["probabilities", "logits"]
) -> Tensor:
    """Average a head's outputs over the evaluation crops.

    Args:
        head: Whose outputs these are.
        outputs: Raw outputs, (B, crops, outputs).
        average: What is averaged: what ``predict`` gives, or the raw outputs.

    Returns:
        Predictions, (B, outputs): probabilities, or quantities in their units.
    """
    if average == "logits":
        return torch.as_tensor(head.predict(outputs.mean(dim=1)))
    predicted = torch.as_tensor(head.predict(outputs.flatten(0, 1)))
    return predicted.reshape(*outputs.shape[:2], -1).mean(dim=1)
