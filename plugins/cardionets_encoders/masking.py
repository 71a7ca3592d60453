"""What both masked pre-trainings share: which patches are hidden, and how a loss is taken on them.

Source: MAE (He et al. 2022).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cardionets_core.errors import CardionetsError
from cardionets_encoders.config import kept_patches


class Masking(NamedTuple):
    """A draw of hidden patches along the last axis of the noise (..., n).

    Attributes:
        kept: Patches that stay, those with the smallest noise, smallest first (..., k).
        restore: Place of each patch in the order of the noise (..., n); below k where kept.
        hidden: True where hidden (..., n).
    """

    kept: Tensor
    restore: Tensor
    hidden: Tensor


def draw_masking(noise: Tensor, mask_ratio: float) -> Masking:
    """Hide the part ``mask_ratio`` of the patches with the largest noise.

    Raises:
        CardionetsError: If nothing would stay, or nothing would be hidden.
    """
    patches = noise.shape[-1]
    keep = kept_patches(patches, mask_ratio)
    if not 0 < keep < patches:
        raise CardionetsError(
            f"mask_ratio={mask_ratio} keeps {keep} of {patches} patches, but at least one must "
            "stay and one be hidden; give a longer input or another mask_ratio"
        )
    order = noise.argsort(dim=-1)
    restore = order.argsort(dim=-1)
    return Masking(kept=order[..., :keep], restore=restore, hidden=restore >= keep)


def draw_noise(
    shape: tuple[int, ...],
    like: Tensor,
    noise: Tensor | None = None,
    rng: torch.Generator | None = None,
) -> Tensor:
    """The given ``noise``, or uniform numbers of ``shape`` drawn from ``rng``, beside ``like``.

    A generator of another device than ``like`` is fine: the draw is made on the generator's own.

    Raises:
        CardionetsError: If the given noise has another shape.
    """
    if noise is None:
        device = like.device if rng is None else rng.device
        noise = torch.rand(shape, generator=rng, device=device)
    elif tuple(noise.shape) != shape:
        raise CardionetsError(
            f"noise has shape {tuple(noise.shape)}, but one number per patch is needed: {shape}"
        )
    return noise.to(like.device)


def take_patches(patches: Tensor, index: Tensor) -> Tensor:
    """Gather ``patches`` (..., n, D) at ``index`` (..., k) to (..., k, D)."""
    return patches.gather(-2, index[..., None].expand(*index.shape, patches.shape[-1]))


def fill_hidden(visible: Tensor, mask_token: Tensor, restore: Tensor) -> Tensor:
    """Put visible tokens (..., k, D) back in place and the mask token (D,) everywhere else.

    Returns:
        Tokens (..., n, D) in the patches' own order.
    """
    hidden = mask_token.expand(
        *visible.shape[:-2], restore.shape[-1] - visible.shape[-2], visible.shape[-1]
    )
    # Under autocast the projected tokens may be narrower than the parameter.
    joined = torch.cat((visible, hidden.to(visible.dtype)), dim=-2)
    return take_patches(joined, restore)


def normalise_patches(patches: Tensor) -> Tensor:
    """Give each patch (..., D) zero mean and unit unbiased variance; epsilon 1e-6 in the root."""
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return (patches - mean) * (variance + 1e-6).rsqrt()


def hidden_loss(predicted: Tensor, target: Tensor, hidden: Tensor) -> Tensor:
    """Squared error averaged within a patch, then over the hidden patches of the batch.

    Args:
        predicted: Reconstruction (..., n, D).
        target: Patches (..., n, D).
        hidden: True where the patch was hidden (..., n).
    """
    per_patch = (predicted.to(target.dtype) - target).square().mean(dim=-1)
    return per_patch.masked_fill(~hidden, 0.0).sum() / hidden.sum()
