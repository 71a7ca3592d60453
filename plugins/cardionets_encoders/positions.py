"""Fixed sine-cosine position tables.

Source: Vaswani et al. 2017 for one axis, MAE (He et al. 2022) for two.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sine_cosine(positions: Tensor, width: int) -> Tensor:
    """Sines in the first half of the features, cosines in the second, base 10,000.

    Args:
        positions: Positions (n,), in the precision to compute in.
        width: Features per position, even.

    Returns:
        Table (n, width).
    """
    half = width // 2
    rates = 1 / 10_000.0 ** (torch.arange(half, dtype=positions.dtype) / half)
    angles = positions[:, None] * rates
    return torch.cat((angles.sin(), angles.cos()), dim=1)


def lead_table(patches: int, width: int) -> Tensor:
    """Table (patches + 2, width) of one lead: zero rows for the two separators."""
    table = torch.zeros(patches + 2, width, dtype=torch.float32)
    # ST-MEM computes its table in single precision, MAE in double.
    table[1:-1] = sine_cosine(torch.arange(patches, dtype=torch.float32), width)
    return table.to(torch.get_default_dtype())


def image_table(patches_per_side: int, width: int) -> Tensor:
    """Table (1 + patches_per_side ** 2, width) of an image: a zero row for the CLS token.

    The first half of the features holds the column, the second the row; patches are row-major.
    """
    side = torch.arange(patches_per_side, dtype=torch.float64)
    rows, columns = torch.meshgrid(side, side, indexing="ij")
    halves = [sine_cosine(axis.flatten(), width // 2) for axis in (columns, rows)]
    cls_row = torch.zeros(1, width, dtype=torch.float64)
    return torch.cat((cls_row, torch.cat(halves, dim=1))).to(torch.get_default_dtype())
