"""Intervals: what one looks like, and Wilson's for a proportion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence limits.

    Attributes:
        estimate: The metric on the data as they are; NaN where it is undefined (0/0).
        low: Lower limit.
        high: Upper limit.
        confidence: Between 0 and 1.
        resamples: Bootstrap resamples that the limits rest on; 0 where none were drawn.
        skipped: Resamples left out because the metric was undefined in them.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    resamples: int = 0
    skipped: int = 0


def normal_quantile(confidence: float) -> float:
    """How many standard errors a two-sided normal interval reaches to each side.

    Raises:
        ValueError: If confidence is outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence = {confidence}: must lie between 0 and 1")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson_interval(k: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion, without continuity correction.

    Args:
        k: Successes, 0 to n; fractional where ties share a success.
        n: Trials, 1 or more.
        confidence: Between 0 and 1.

    Returns:
        Lower and upper limit, within [0, 1].

    Raises:
        ValueError: If n is below 1, k outside [0, n] or confidence outside (0, 1).

    Source: Wilson 1927.
    """
    if n < 1:
        raise ValueError(f"n = {n}: a proportion needs at least one trial")
    if not 0 <= k <= n:
        raise ValueError(f"k = {k}: successes must lie between 0 and n = {n}")
    z = normal_quantile(confidence)
    share = k / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # Exact at the ends, where rounding would leave 1e-17 or 0.9999999999999999.
    return (0.0 if k == 0 else max(0.0, centre - half)), (
        1.0 if k == n else min(1.0, centre + half)
    )
