"""The contrastive losses: formulas and nothing else.

Shapes: B pairs in the batch, E embedding width, K width of the space that weights are measured in.

Every function works in at least float32, also inside autocast: a weight of 1e-10 or a logit
difference of 1e-4 is lost in half precision.
"""

from __future__ import annotations

import torch
from torch import Tensor

HALF_TYPES = (torch.float16, torch.bfloat16)


def at_least_float32(values: Tensor) -> Tensor:
    """Half-precision values as float32; float32 and float64 values as they are."""
    return values.float() if values.dtype in HALF_TYPES else values


def unit_norm(vectors: Tensor) -> Tensor:
    """Vectors (..., E) divided by their length, whatever that is; a zero vector stays zero.

    There is no additive epsilon: it would shrink short vectors and their gradients.
    """
    vectors = at_least_float32(vectors)
    # Bringing the largest entry to 1 first keeps the squares from under- or overflowing. The result
    # does not depend on this scale, so no gradient has to flow through it.
    largest = vectors.detach().abs().amax(dim=-1, keepdim=True)
    scaled = vectors / torch.where(largest > 0, largest, 1.0)
    # A length below 1 is now only possible for a zero vector.
    return scaled / torch.linalg.vector_norm(scaled, dim=-1, keepdim=True).clamp_min(1.0)


def cosine_similarity(ecg: Tensor, cmr: Tensor) -> Tensor:
    """Cosine of every ECG embedding (B, E) with every CMR embedding (B, E): (B, B)."""
    with torch.autocast(ecg.device.type, enabled=False):
        return unit_norm(ecg) @ unit_norm(cmr).T


@torch.no_grad()
def pair_weights(phi: Tensor, sigma: float | Tensor) -> Tensor:
    """How much k counts as a negative of i: 1 - exp(-||phi_i - phi_k||^2 / sigma^2).

    Subjects whose hearts look alike are hardly pushed apart. There is no factor 2 with sigma^2.

    Args:
        phi: CMR features of the batch, (B, K).
        sigma: Length scale in the unit of phi, above 0.

    Returns:
        Weights in [0, 1], (B, B), symmetric, 0 on the diagonal, without gradient.

    Source: the paper, equation 1.
    """
    with torch.autocast(phi.device.type, enabled=False):
        phi = at_least_float32(phi)
        # ||a||^2 + ||b||^2 - 2ab loses near neighbours to cancellation and can turn negative.
        distance = torch.cdist(phi, phi, compute_mode="donot_use_mm_for_euclid_dist")
        weights = -torch.expm1(-(distance / sigma).square())
        return weights.fill_diagonal_(0.0)


def one_direction(similarity: Tensor, weights: Tensor, temperature: float | Tensor) -> Tensor:
    """Weighted InfoNCE of each row against all columns.

    Args:
        similarity: Cosine similarities, (B, B); the pairs are on the diagonal.
        weights: Weights of the negatives in [0, 1], (B, B); the diagonal is not read.
        temperature: Above 0.

    Returns:
        -log(exp(s_ii / t) / (exp(s_ii / t) + sum over k != i of W_ik exp(s_ik / t))), (B,).

    Source: the paper, equation 2.
    """
    # Relative to the positive, the loss is log(1 + sum of the rest): its gradient stays exact where
    # softmax - 1 would cancel. The positive counts in full; a weight of 0 (log: -inf) drops out.
    margin = (similarity - similarity.diagonal().unsqueeze(1)) / temperature
    log_weights = weights.detach().to(margin.dtype).log().fill_diagonal_(0.0)
    return torch.logsumexp(margin + log_weights, dim=1)


def weighted_info_nce(
    ecg: Tensor, cmr: Tensor, weights: Tensor, temperature: float | Tensor
) -> Tensor:
    """Weighted InfoNCE: mean of both directions over the batch.

    Args:
        ecg: ECG embeddings, (B, E), of any length; the cosine is taken here.
        cmr: CMR embeddings of the same subjects in the same order, (B, E).
        weights: Weights of the negatives, (B, B), as ``pair_weights`` gives them; rows are ECGs.
        temperature: Above 0.

    Returns:
        Scalar loss, float32 or float64.

    Source: the paper, equation 3. Taken in log space, so that no epsilon is needed in the
    denominator; the released code adds 1e-12 there, which changes nothing within float32.
    """
    similarity = cosine_similarity(ecg, cmr)
    with torch.autocast(ecg.device.type, enabled=False):
        ecg_to_cmr = one_direction(similarity, weights, temperature).mean()
        cmr_to_ecg = one_direction(similarity.T, weights.T, temperature).mean()
        return (ecg_to_cmr + cmr_to_ecg) / 2


def info_nce(ecg: Tensor, cmr: Tensor, temperature: float | Tensor) -> Tensor:
    """Ordinary symmetric InfoNCE: every negative counts in full. Arguments as above."""
    count = len(ecg)
    return weighted_info_nce(ecg, cmr, torch.ones(count, count, device=ecg.device), temperature)
