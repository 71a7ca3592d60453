"""Missing samples: where they are, and a straight line across them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def bridge_gaps(
    signal_mv: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Replace NaN by a straight line between its neighbours, held level at both ends.

    Filters and resampling need a whole signal: one NaN would spread over all of it.

    Args:
        signal_mv: Signal, (..., samples); a row that is all NaN becomes 0.

    Returns:
        The signal without NaN (the argument itself if it had none), and where NaN was,
        (..., samples), or None if it was nowhere.
    """
    gaps = np.isnan(signal_mv)
    if not gaps.any():
        return signal_mv, None
    whole = np.array(signal_mv, dtype=np.float32)
    rows = whole.reshape(-1, whole.shape[-1])
    row_gaps = gaps.reshape(rows.shape)
    time = np.arange(rows.shape[1])
    for row in np.flatnonzero(row_gaps.any(axis=1)):
        gap = row_gaps[row]
        rows[row, gap] = 0.0 if gap.all() else np.interp(time[gap], time[~gap], rows[row, ~gap])
    return whole, gaps
