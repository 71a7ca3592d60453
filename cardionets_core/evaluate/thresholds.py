"""Where cases begin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

YOUDEN = "highest Youden index on the inner split"


def youden_threshold(y: NDArray[np.floating], score: NDArray[np.floating]) -> float:
    """The score from which on to call a case, with the highest sensitivity + specificity.

    Midway between two neighbouring scores, so that a new subject just beside one of them is not
    decided by rounding; a float32 number, as tables of scores keep it.

    Args:
        y: 0 and 1, NaN where unknown, (n,).
        score: Scores, (n,).

    Returns:
        The threshold, or NaN if only one class is there.

    Source: Youden 1950.
    """
    known = ~np.isnan(y)
    y, score = y[known], score[known].astype(np.float64)
    cases, controls = score[y == 1], score[y == 0]
    if not len(cases) or not len(controls):
        return float("nan")
    values = np.unique(score)
    sensitivity = 1 - np.searchsorted(np.sort(cases), values, side="left") / len(cases)
    specificity = np.searchsorted(np.sort(controls), values, side="left") / len(controls)
    best = int(np.argmax(sensitivity + specificity))
    if best == 0:
        return float(values[0])
    below, above = values[best - 1], values[best]
    middle = np.float32((below + above) / 2)
    # Between two neighbouring float32 numbers there is none.
    return float(middle if below < middle <= above else above)
