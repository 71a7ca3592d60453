"""Centre, scale, principal components and typical distance of the training split's features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

# All pairs of this many subjects are 8 million distances: enough for a median to four digits.
MAX_SUBJECTS_FOR_MEDIAN = 4096
ROWS_AT_ONCE = 4096


class Pca(NamedTuple):
    """Mean (P,), components (k, P) and their variances (k,) in falling order, all float64."""

    mean: Tensor
    components: Tensor
    variance: Tensor


def centre_and_scale(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (P,) of the rows of ``features`` (n, P), and one scale for all P dimensions, float64.

    The scale is the root mean square of all centred entries; unlike one SD per dimension, it leaves
    the shape of the feature space alone.
    """
    mean = features.mean(dim=0, dtype=torch.float64)
    squares = torch.stack([block.square().sum() for block in _centred_blocks(features, mean)])
    return mean, (squares.sum() / features.numel()).sqrt()


def fit_pca(features: Tensor, components: int) -> Pca:
    """Exact principal components, computed in float64.

    Args:
        features: One row per subject of the training split, (n, P); n above 1.
        components: How many to keep; at most min(n - 1, P) exist.
    """
    count, width = features.shape
    kept = min(components, count - 1, width)
    mean = features.mean(dim=0, dtype=torch.float64)
    if count <= width:
        variance, directions = _from_rows(features.double() - mean)
    else:
        variance, directions = _from_covariance(features, mean)
    return Pca(mean, _with_fixed_signs(directions[:kept]), variance[:kept])


def _centred_blocks(features: Tensor, mean: Tensor) -> Iterator[Tensor]:
    """Centred rows in float64, a block at a time."""
    for start in range(0, len(features), ROWS_AT_ONCE):
        yield features[start : start + ROWS_AT_ONCE].double() - mean


def _from_rows(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Variances and directions of centred rows (n, P), for few rows."""
    _, singular_values, directions = torch.linalg.svd(centred, full_matrices=False)
    return singular_values.square() / (len(centred) - 1), directions


def _from_covariance(features: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Variances and directions by way of the (P, P) covariance: many rows, a block at a time."""
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=mean.device)
    for block in _centred_blocks(features, mean):
        covariance += block.T @ block
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance / (len(features) - 1))
    # Rounding can leave a rank-deficient covariance with eigenvalues just below zero.
    return eigenvalues.flip(0).clamp_min(0.0), eigenvectors.flip(1).T


def _with_fixed_signs(directions: Tensor) -> Tensor:
    """Each direction turned so that its largest entry is positive: the same on every machine."""
    largest = directions.abs().argmax(dim=1, keepdim=True)
    return directions * directions.gather(1, largest).sign()


def median_distance(phi: Tensor) -> Tensor:
    """Root of the median squared distance over pairs of rows of ``phi`` (n, K), scalar.

    Of more than ``MAX_SUBJECTS_FOR_MEDIAN`` rows, that many evenly spaced ones are used.
    """
    if len(phi) > MAX_SUBJECTS_FOR_MEDIAN:
        rows = torch.linspace(0, len(phi) - 1, MAX_SUBJECTS_FOR_MEDIAN, dtype=torch.float64)
        phi = phi[rows.round().long().to(phi.device)]
    return torch.pdist(phi).square().quantile(0.5).sqrt()
