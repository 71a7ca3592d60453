"""Many comparisons in one table."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics.checks import Floats


def holm(p_values: ArrayLike) -> Floats:
    """Holm's step-down adjustment: each p below 0.05 afterwards holds at 5 % for the whole table.

    Args:
        p_values: Of all comparisons of a table, of any shape; NaN where one could not be made,
            which counts for nothing.

    Returns:
        Adjusted p-values in the same places.

    Raises:
        EvaluationError: If one lies outside [0, 1].

    Source: Holm 1979.
    """
    p = np.asarray(p_values, dtype=np.float64)
    known = ~np.isnan(p)
    found = p[known]
    if ((found < 0) | (found > 1)).any():
        raise EvaluationError(
            f"p-values from {found.min():g} to {found.max():g}; they are in [0, 1]"
        )
    order = np.argsort(found, kind="stable")
    steps = np.arange(len(found), 0, -1) * found[order]
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    result = np.full(p.shape, np.nan)
    result[known] = adjusted
    return result
