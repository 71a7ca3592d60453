"""Effect sizes: Cohen's d and its kin."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics.checks import Floats, scores_of

EffectKind = Literal["pooled", "average", "hedges", "d_z"]


def cohens_d(
    x: ArrayLike, y: ArrayLike, *, paired: bool = False, kind: EffectKind | None = None
) -> float:
    """Standardised difference of two means, x minus y.

    Args:
        x: Values of the first sample, such as a model's loss on each subject, (n,).
        y: Values of the second; of the same subjects in the same order where paired.
        paired: The samples are of the same subjects.
        kind: The divisor. ``pooled``: the pooled SD. ``average``: the root of the mean variance.
            ``hedges``: pooled, times the exact correction for small samples. ``d_z``: the SD of
            the differences, for pairs. None is ``d_z`` where paired and ``pooled`` else.

    Returns:
        d; infinite where means differ without any spread, NaN where they do not.

    Raises:
        EvaluationError: If a sample is too small, not finite or not paired up.

    Source: Cohen 1988; Hedges 1981; Lakens 2013 for d_z.
    """
    first, second = _sample(x, "x"), _sample(y, "y")
    chosen = kind or ("d_z" if paired else "pooled")
    if chosen == "d_z":
        return _paired(first, second)
    count = len(first), len(second)
    variance = _variance(first), _variance(second)
    freedom = sum(count) - 2
    if chosen == "average":
        spread = (variance[0] + variance[1]) / 2
    else:
        spread = ((count[0] - 1) * variance[0] + (count[1] - 1) * variance[1]) / freedom
    d = _quotient(float(first.mean() - second.mean()), math.sqrt(spread))
    return d * _small_sample_correction(freedom) if chosen == "hedges" else d


def _paired(x: Floats, y: Floats) -> float:
    if len(x) != len(y):
        raise EvaluationError(
            f"{len(x)} and {len(y)} values do not pair up; give the same subjects"
        )
    differences = x - y
    return _quotient(float(differences.mean()), math.sqrt(_variance(differences)))


def _small_sample_correction(freedom: int) -> float:
    return math.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / math.sqrt(freedom / 2)


def _quotient(difference: float, spread: float) -> float:
    if spread > 0:
        return difference / spread
    return math.nan if difference == 0 else math.copysign(math.inf, difference)


def _variance(values: Floats) -> float:
    return float(values.var(ddof=1))


def _sample(values: ArrayLike, name: str) -> Floats:
    found = scores_of(np.ravel(np.asarray(values)), name)
    if len(found) < 2:
        raise EvaluationError(f"{name}: one value has no spread; give two or more")
    return found
