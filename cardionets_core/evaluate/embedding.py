"""Embeddings of ECGs by an encoder with its own preprocessing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cardionets_core.ecg.record import EcgRecord
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.errors import WeightsError


def embed(encoder: Any, record: EcgRecord) -> NDArray[np.float32]:
    """Embed one ECG with the preprocessing that belongs to the encoder's weights.

    Args:
        encoder: An ECG encoder from ``cn.load``.
        record: An ECG, e.g. from ``cn.read_ecg``.

    Returns:
        The pooled feature, averaged over the evaluation crops, (P,).

    Raises:
        WeightsError: If the encoder carries no ECG transform.
        EcgError: If the record cannot be brought into canonical form.
    """
    prepared, lead_mask = transform_of(encoder).prepare_record(record)
    return embed_prepared(encoder, prepared[None], lead_mask[None])[0]


def transform_of(encoder: Any) -> EcgTransform:
    """The ECG transform of a loaded encoder.

    Raises:
        WeightsError: If it carries none.
    """
    transform = getattr(encoder, "transform", None)
    if not isinstance(transform, EcgTransform):
        raise WeightsError(
            "this encoder carries no ECG transform; load trained weights of an ECG encoder with "
            "cn.load"
        )
    return transform


@torch.no_grad()
def embed_prepared(
    encoder: Any, prepared: NDArray[np.float32], lead_mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Embed prepared ECGs.

    Args:
        encoder: A loaded ECG encoder, in evaluation mode.
        prepared: Outputs of the transform's ``prepare``, (B, 12, n).
        lead_mask: True where a lead is there, (B, 12).

    Returns:
        Pooled features, averaged over the evaluation crops, (B, P).
    """
    crops = torch.from_numpy(transform_of(encoder).eval_crops(prepared))
    device = next(encoder.parameters()).device
    mask = None
    if not lead_mask.all():
        mask = torch.from_numpy(lead_mask).repeat_interleave(crops.shape[1], dim=0).to(device)
    pooled = encoder(crops.flatten(0, 1).to(device), mask).pooled
    mean: NDArray[np.float32] = (
        pooled.unflatten(0, crops.shape[:2]).mean(dim=1).float().cpu().numpy()
    )
    return mean
