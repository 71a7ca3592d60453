"""Distances between two samples of feature vectors: Frechet and KID, each with its floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardionets_core.errors import EvaluationError

Floats = NDArray[np.float64]
Distance = Callable[[Floats], float]
Halves = tuple[NDArray[np.int64], NDArray[np.int64]]

# A covariance of k dimensions from fewer samples than this many times k is mostly noise.
SAMPLES_PER_COMPONENT = 10
MOST_COMPONENTS = 64
# With fewer components a Frechet distance says too little of the space to be called one.
FEWEST_COMPONENTS = 8
# Kernel matrices grow with the square; more cines add little to a mean over many halves.
MOST_IN_KERNEL = 1000


def frechet_components(samples: int, available: int) -> int:
    """Principal components that a Frechet distance may use.

    Args:
        samples: Size of the smaller sample.
        available: Principal components that there are.

    Returns:
        At most ``MOST_COMPONENTS``, with ``SAMPLES_PER_COMPONENT`` samples for each; 0 where not
        even ``FEWEST_COMPONENTS`` can be had.
    """
    count = min(MOST_COMPONENTS, available, samples // SAMPLES_PER_COMPONENT)
    return count if count >= FEWEST_COMPONENTS else 0


def frechet_to(reference: Floats) -> Distance:
    """The squared Frechet distance of normal distributions, to the one that fits a sample.

    |mean_a - mean_b|^2 + trace(S_a + S_b - 2 (S_b^1/2 S_a S_b^1/2)^1/2)

    Args:
        reference: Sample (m, k).

    Returns:
        A function of another sample (n, k).

    Raises:
        EvaluationError: If a sample has fewer than two rows, or the widths differ.

    Source: Dowson and Landau 1982; Heusel et al. 2017.
    """
    _check(reference, reference)
    mean, covariance = reference.mean(axis=0), np.atleast_2d(np.cov(reference, rowvar=False))
    values, vectors = np.linalg.eigh(covariance)
    # Rounding below 0 counts as 0.
    root = (vectors * np.sqrt(values.clip(0.0))) @ vectors.T

    def distance(sample: Floats) -> float:
        _check(sample, reference)
        other = np.atleast_2d(np.cov(sample, rowvar=False))
        between = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(0.0)).sum()
        shift = sample.mean(axis=0) - mean
        return float(shift @ shift + np.trace(covariance) + np.trace(other) - 2.0 * between)

    return distance


def kernel_to(reference: Floats) -> Distance:
    """The squared maximum mean discrepancy under (x.y / k + 1)^3 to a sample, unbiased.

    Samples of one distribution are at 0 on average, and so below 0 at times.

    Args:
        reference: Sample (m, k).

    Returns:
        A function of another sample (n, k).

    Raises:
        EvaluationError: If a sample has fewer than two rows, or the widths differ.

    Source: Gretton et al. 2012, lemma 6; Binkowski et al. 2018.
    """
    _check(reference, reference)
    within = _mean_within(reference)

    def distance(sample: Floats) -> float:
        _check(sample, reference)
        between = float(_kernel(sample, reference).mean())
        return _mean_within(sample) + within - 2.0 * between

    return distance


def _kernel(a: Floats, b: Floats) -> Floats:
    base = a @ b.T / a.shape[1] + 1.0
    return np.asarray(base * base * base)


def _mean_within(sample: Floats) -> float:
    """Mean of the kernel over pairs of different rows."""
    kernel, n = _kernel(sample, sample), len(sample)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))


def _check(a: Floats, b: Floats) -> None:
    if min(len(a), len(b)) < 2 or a.ndim != 2 or a.shape[1:] != b.shape[1:]:
        raise EvaluationError(
            f"samples of shapes {a.shape} and {b.shape}: two rows or more of equal width are "
            "needed in each; evaluate more subjects"
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """A distance over many halvings of the subjects: its mean, and the middle 95 % of them."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Spread:
        """Summarise the values of all halvings."""
        low, high = np.quantile(values, (0.025, 0.975))
        return cls(float(values.mean()), float(low), float(high))


def halvings(subjects: NDArray[np.str_], count: int, seed: int) -> list[Halves]:
    """Random halves of the subjects, each as rows in random order; a subject is in one half.

    Args:
        subjects: Subject of each row, (n,).
        count: How many halvings.
        seed: Of the draw.

    Raises:
        EvaluationError: If a half would have fewer than two rows.
    """
    _, person = np.unique(subjects, return_inverse=True)
    people, rng = int(person.max()) + 1, np.random.default_rng(seed)
    found = []
    for _ in range(count):
        is_first = np.zeros(people, dtype=bool)
        is_first[rng.permutation(people)[: people // 2]] = True
        rows = rng.permutation(len(person))
        halves = rows[is_first[person[rows]]], rows[~is_first[person[rows]]]
        if min(map(len, halves)) < 2:
            raise EvaluationError(
                f"{people} subjects cannot be halved for distances of distributions; four or "
                "more are needed"
            )
        found.append(halves)
    return found


def distances_over_halves(
    real: Floats,
    drawn: Mapping[str, Floats],
    halves: list[Halves],
    distance_to: Callable[[Floats], Distance],
    *,
    most: int | None = None,
) -> dict[str, Floats]:
    """Distances of real and generated cines of one half of the subjects to the real other half.

    All are between samples of one size and of different people, so that the distance of real to
    real is the floor that the others are to be held against.

    Args:
        real: Features of real cines, (n, k).
        drawn: Method to features of its cines of the same subjects, (n, k).
        halves: From ``halvings``.
        distance_to: ``frechet_to`` or ``kernel_to``.
        most: Use so many rows of a half at most.

    Returns:
        ``real`` and each method to its distance in every halving, (len(halves),).
    """
    found: dict[str, list[float]] = {name: [] for name in ("real", *drawn)}
    for first, second in halves:
        distance = distance_to(real[second[:most]])
        for name, features in (("real", real), *drawn.items()):
            found[name].append(distance(features[first[:most]]))
    return {name: np.array(values) for name, values in found.items()}
