"""The ECG in the store: 16-bit counts with a scale per lead, and its fingerprint."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.layout import MISSING_COUNT, NO_FINGERPRINT
from cardionets_core.ecg.canonical import CANONICAL_LEADS

_LARGEST_COUNT = 32767
# Values within a hundredth of a step count as on the source's grid: float32 rounding stays below.
_GRID_TOLERANCE_STEPS = 0.01
_SCALE_OF_FLAT_LEAD_MV = 1e-3
# The other four limb leads follow from I and II, and sources differ in whether they store them.
_INDEPENDENT = [CANONICAL_LEADS.index(n) for n in ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")]


def quantise(
    signal_mv: NDArray[np.float32], lsb_mv: NDArray[np.float64]
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Turn an ECG into counts and a scale per lead.

    The scale is the source's own step where the signal lies on its grid and fits, so that such
    signals come back exactly; else the largest magnitude over 32767.

    Args:
        signal_mv: Signal in mV, (leads, samples); NaN where missing.
        lsb_mv: The source's step per lead in mV, (leads,); NaN where unknown.

    Returns:
        Counts (leads, samples), ``MISSING_COUNT`` where missing; scales in mV (leads,), NaN for a
        lead without a sample.
    """
    counts = np.full(signal_mv.shape, MISSING_COUNT, dtype=np.int16)
    scale_mv = np.full(len(signal_mv), np.nan)
    for lead, row in enumerate(signal_mv.astype(np.float64)):
        there = np.isfinite(row)
        if not there.any():
            continue
        # Most leads are whole, and a slice costs nothing where a mask does.
        samples = slice(None) if there.all() else there
        values_mv = row[samples]
        scale_mv[lead] = _scale(values_mv, float(lsb_mv[lead]))
        counts[lead, samples] = np.rint(values_mv / scale_mv[lead]).astype(np.int16)
    return counts, scale_mv


def in_mv(counts: NDArray[np.int16], scale_mv: NDArray[np.float64]) -> NDArray[np.float32]:
    """Turn counts (..., leads, samples) and scales (..., leads) back into mV; NaN where missing."""
    signal_mv = (counts * scale_mv[..., None]).astype(np.float32)
    signal_mv[counts == MISSING_COUNT] = np.nan
    return signal_mv


def ecg_fingerprint(signal_mv: NDArray[np.float32]) -> int:
    """A number that identical ECGs share: SHA-256 of the canonical signal, truncated to 64 bits.

    Hashed are I, II and V1 to V6 in whole microvolts, so that a copy with derived limb leads, or
    one whose step is unknown, is still recognised. If one of the eight is missing altogether, all
    twelve leads are hashed.

    Args:
        signal_mv: Canonical signal in mV, (12, 5000); NaN where missing.

    Returns:
        The fingerprint, or ``NO_FINGERPRINT`` for a signal without any deflection.
    """
    whole = np.isfinite(signal_mv[_INDEPENDENT]).any(axis=1).all()
    hashed_mv = (signal_mv[_INDEPENDENT] if whole else signal_mv).astype(np.float64)
    there = np.isfinite(hashed_mv)
    microvolts = np.clip(np.rint(np.where(there, hashed_mv, 0.0) * 1000), -(2**31) + 1, 2**31 - 1)
    if not microvolts.any():
        return NO_FINGERPRINT
    microvolts[~there] = -(2**31)
    digest = hashlib.sha256(np.ascontiguousarray(microvolts, dtype="<i4").tobytes()).digest()
    return int.from_bytes(digest[:8], "big")


def _scale(values_mv: NDArray[np.float64], lsb_mv: float) -> float:
    """Step to store one lead with."""
    peak_mv = float(np.abs(values_mv).max())
    if np.isfinite(lsb_mv) and lsb_mv > 0 and peak_mv <= _LARGEST_COUNT * lsb_mv:
        steps = values_mv / lsb_mv
        if np.abs(steps - np.rint(steps)).max() <= _GRID_TOLERANCE_STEPS:
            return lsb_mv
    return peak_mv / _LARGEST_COUNT if peak_mv > 0 else _SCALE_OF_FLAT_LEAD_MV
