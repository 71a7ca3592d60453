"""Zero-phase Butterworth filters along time."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import signal

from cardionets_core.errors import EcgError, SamplingRateError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def butterworth_sos(
    kind: Literal["highpass", "lowpass"], corner_hz: float, sampling_rate_hz: float, order: int
) -> NDArray[np.float64]:
    """Design one Butterworth filter as second-order sections, (sections, 6).

    Raises:
        SamplingRateError: If the corner does not lie between 0 and half the sampling rate.
    """
    if not 0 < corner_hz < sampling_rate_hz / 2:
        raise SamplingRateError(
            f"{kind} corner {corner_hz} Hz at {sampling_rate_hz} Hz; needed one between 0 and "
            f"{sampling_rate_hz / 2} Hz"
        )
    return _design(kind, corner_hz, sampling_rate_hz, order).copy()


# The design takes a tenth of the time that the filter takes on one ECG.
@lru_cache(maxsize=32)
def _design(
    kind: Literal["highpass", "lowpass"], corner_hz: float, sampling_rate_hz: float, order: int
) -> NDArray[np.float64]:
    return signal.butter(order, corner_hz, btype=kind, fs=sampling_rate_hz, output="sos")


def high_pass(
    signal_mv: ArrayLike, *, corner_hz: float, sampling_rate_hz: float, order: int = 5
) -> NDArray[np.float64]:
    """Remove what is slower than the corner; see ``zero_phase``."""
    return zero_phase(butterworth_sos("highpass", corner_hz, sampling_rate_hz, order), signal_mv)


def low_pass(
    signal_mv: ArrayLike, *, corner_hz: float, sampling_rate_hz: float, order: int = 5
) -> NDArray[np.float64]:
    """Remove what is faster than the corner; see ``zero_phase``."""
    return zero_phase(butterworth_sos("lowpass", corner_hz, sampling_rate_hz, order), signal_mv)


def zero_phase(sos: NDArray[np.float64], signal_mv: ArrayLike) -> NDArray[np.float64]:
    """Run a filter forward and backward along the last axis, in float64.

    The effective order is twice that of the design and the corner lies at -6 dB. The ends are
    extended by odd reflection.

    Args:
        sos: Second-order sections, (sections, 6).
        signal_mv: Signal without NaN, (..., samples).

    Returns:
        Filtered signal, (..., samples).

    Raises:
        EcgError: If the signal is too short to be extended.
    """
    values = np.asarray(signal_mv, dtype=np.float64)
    # SciPy's own extension: 3 samples for each coefficient, less those that are zero.
    zeros = min(int((sos[:, 2] == 0).sum()), int((sos[:, 5] == 0).sum()))
    shortest = 3 * (2 * len(sos) + 1 - zeros) + 1
    if values.shape[-1] < shortest:
        raise EcgError(
            f"{values.shape[-1]} samples are too few for this filter; needed {shortest} or more"
        )
    return signal.sosfiltfilt(sos, values, axis=-1)
