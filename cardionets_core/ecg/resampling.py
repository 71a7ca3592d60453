"""Another sampling rate, and the store's canonical form: 12 leads, 500 Hz, 10 s."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from scipy import signal

from cardionets_core.ecg.canonical import CANONICAL_RATE_HZ, CANONICAL_SAMPLES, CANONICAL_SECONDS
from cardionets_core.ecg.gaps import bridge_gaps
from cardionets_core.ecg.leads import CanonicalEcg, to_canonical
from cardionets_core.errors import EcgError, SamplingRateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cardionets_core.ecg.record import EcgRecord

_LARGEST_DENOMINATOR = 1000
# Below, no QRS is left; above, no electrocardiograph is known.
_SLOWEST_HZ, _FASTEST_HZ = 50, 50_000
# Longer recordings are cut to this much before resampling: the rest is thrown away anyway.
_SECONDS_BEFORE_RESAMPLING = CANONICAL_SECONDS + 1


def resample_polyphase(
    signal_mv: NDArray[np.float32], from_hz: float, to_hz: float
) -> NDArray[np.float32]:
    """Resample along time with a polyphase FIR low-pass (Kaiser window, no phase shift).

    The straight line through both ends is taken off first, so that an offset makes no edge step.

    Args:
        signal_mv: Signal, (..., samples) float32; NaN stays NaN and spoils nothing else.
        from_hz: Its rate.
        to_hz: The rate wanted.

    Returns:
        Signal, (..., floor(samples * to_hz / from_hz)) float32.

    Raises:
        SamplingRateError: If a rate is not a positive number.
        EcgError: If nothing would be left.
    """
    ratio, length = _ratio_and_length(signal_mv, from_hz, to_hz)
    if ratio == 1:
        return signal_mv
    whole, gaps = bridge_gaps(signal_mv)
    resampled = signal.resample_poly(
        whole, ratio.numerator, ratio.denominator, axis=-1, padtype="line"
    )[..., :length]
    return _with_gaps(np.asarray(resampled, dtype=np.float32), gaps, ratio)


def resample_fourier(
    signal_mv: NDArray[np.float32], from_hz: float, to_hz: float
) -> NDArray[np.float32]:
    """Resample along time by Fourier interpolation, which takes the record for periodic.

    Args, returns and errors as in ``resample_polyphase``.

    Source: the released code and ST-MEM resample this way.
    """
    ratio, length = _ratio_and_length(signal_mv, from_hz, to_hz)
    if ratio == 1:
        return signal_mv
    whole, gaps = bridge_gaps(signal_mv)
    resampled = signal.resample(whole, length, axis=-1)
    return _with_gaps(np.asarray(resampled, dtype=np.float32), gaps, ratio)


def canonicalise(record: EcgRecord) -> CanonicalEcg:
    """Bring a record into the form of the store: 12 leads by name, 500 Hz, 10 s.

    Records of 500 Hz keep their samples exactly. Longer ones are cut to their first 10 s, shorter
    ones are padded with NaN at the end, others are resampled; ``adjusted`` says which. After
    resampling the source's step means nothing any more and ``lsb_mv`` is NaN.

    Args:
        record: Signal in mV at its own rate.

    Returns:
        Signal (12, 5000) in mV, NaN where missing.

    Raises:
        LeadError: If leads are doubled or none is known.
        SamplingRateError: If the rate is not a number that an ECG can have.
        EcgError: If there is nothing to read.
    """
    rate_hz = _positive_rate(record.sampling_rate_hz)
    if not _SLOWEST_HZ <= rate_hz <= _FASTEST_HZ:
        raise SamplingRateError(
            f"sampling rate {rate_hz} Hz; needed one from {_SLOWEST_HZ} to {_FASTEST_HZ} Hz: is it "
            "given in another unit?"
        )
    kept = math.ceil(_SECONDS_BEFORE_RESAMPLING * rate_hz)
    adjusted: list[str] = []
    canonical = to_canonical(replace(record, signal_mv=record.signal_mv[..., :kept]))
    signal_mv, lsb_mv = canonical.signal_mv, canonical.lsb_mv
    if not math.isclose(rate_hz, CANONICAL_RATE_HZ, rel_tol=1e-6):
        signal_mv = resample_polyphase(signal_mv, rate_hz, CANONICAL_RATE_HZ)
        lsb_mv = np.full_like(lsb_mv, np.nan)
        adjusted.append("resampled")
    if signal_mv.shape[1] > CANONICAL_SAMPLES:
        signal_mv = signal_mv[:, :CANONICAL_SAMPLES]
        adjusted.append("cut")
    elif signal_mv.shape[1] < CANONICAL_SAMPLES:
        missing = CANONICAL_SAMPLES - signal_mv.shape[1]
        signal_mv = np.pad(signal_mv, ((0, 0), (0, missing)), constant_values=np.nan)
        adjusted.append("padded")
    return replace(
        canonical,
        signal_mv=np.ascontiguousarray(signal_mv),
        lead_mask=canonical.lead_mask & ~np.isnan(signal_mv).all(axis=1),
        lsb_mv=lsb_mv,
        sampling_rate_hz=float(CANONICAL_RATE_HZ),
        adjusted=tuple(adjusted),
    )


def _positive_rate(rate_hz: float) -> float:
    if not (math.isfinite(rate_hz) and rate_hz > 0):
        raise SamplingRateError(
            f"sampling rate {rate_hz} Hz; needed a positive number, from the source or declared"
        )
    return rate_hz


def _ratio_and_length(
    signal_mv: NDArray[np.float32], from_hz: float, to_hz: float
) -> tuple[Fraction, int]:
    """``to_hz / from_hz`` as a fraction, and the number of samples after resampling."""
    ratio = Fraction(_positive_rate(to_hz)) / Fraction(_positive_rate(from_hz))
    ratio = ratio.limit_denominator(_LARGEST_DENOMINATOR)
    length = math.floor(signal_mv.shape[-1] * ratio)
    if length < 1 or signal_mv.shape[-1] < 2:
        raise EcgError(
            f"{signal_mv.shape[-1]} samples at {from_hz} Hz are too few to resample to {to_hz} Hz; "
            "needed a longer record"
        )
    return ratio, length


def _with_gaps(
    resampled: NDArray[np.float32], gaps: NDArray[np.bool_] | None, ratio: Fraction
) -> NDArray[np.float32]:
    """Put NaN back wherever a missing source sample lies within half a step of either rate."""
    if gaps is None:
        return resampled
    samples = gaps.shape[-1]
    counts = np.zeros((*gaps.shape[:-1], samples + 1), dtype=np.int64)
    np.cumsum(gaps, axis=-1, out=counts[..., 1:])
    centre = np.arange(resampled.shape[-1]) / float(ratio)
    reach = max(0.5 / float(ratio), 0.5)
    first = np.clip(np.ceil(centre - reach), 0, samples - 1).astype(np.int64)
    last = np.clip(np.floor(centre + reach), 0, samples - 1).astype(np.int64)
    resampled[counts[..., last + 1] > counts[..., first]] = np.nan
    return resampled
