"""Made-up data for tests: plain shapes with plausible numbers, from a formula and a seed.

They look like an ECG or a heart no more than a test needs; the dataset ``simulated`` has both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.interfaces import Diagnosis, Subject

# Place in the beat (fraction), width (fraction) and height (mV) of P, Q, R, S and T in lead II.
_WAVES = (
    (0.18, 0.025, 0.12),
    (0.285, 0.008, -0.10),
    (0.30, 0.010, 1.10),
    (0.315, 0.009, -0.22),
    (0.55, 0.045, 0.30),
)
_GAIN = dict(
    zip(
        CANONICAL_LEADS, (0.6, 1.0, 0.4, -0.8, 0.1, 0.7, -0.4, 0.3, 0.7, 1.2, 1.1, 0.9), strict=True
    )
)
_LSB_MV = 0.005
_CINE_SHAPE = (50, 96, 96)


def made_up_ecg(
    *,
    seconds: float = 10.0,
    sampling_rate_hz: float = 500.0,
    leads: Sequence[str] = CANONICAL_LEADS,
    heart_rate_bpm: float = 70.0,
    seed: int = 0,
) -> EcgRecord:
    """A regular rhythm in mV, in steps of 5 uV, with a little noise.

    Args:
        seconds: Length.
        sampling_rate_hz: Samples per second.
        leads: Lead names; III, aVR, aVL and aVF obey Einthoven's and Goldberger's equations.
        heart_rate_bpm: Beats per minute.
        seed: Of the noise.

    Returns:
        The record, (leads, seconds x rate).
    """
    samples = round(seconds * sampling_rate_hz)
    phase = np.arange(samples) / sampling_rate_hz * heart_rate_bpm / 60 % 1.0
    beat_mv = sum(mv * np.exp(-0.5 * ((phase - at) / width) ** 2) for at, width, mv in _WAVES)
    noise_mv = np.random.default_rng(seed).normal(0.0, 0.01, (len(CANONICAL_LEADS), samples))
    whole_mv = np.array([_GAIN[lead] for lead in CANONICAL_LEADS])[:, None] * beat_mv + noise_mv
    i, ii = whole_mv[:2]
    whole_mv[2:6] = ii - i, -(i + ii) / 2, i - ii / 2, ii - i / 2
    rows = [CANONICAL_LEADS.index(lead) for lead in leads]
    signal_mv = (np.rint(whole_mv[rows] / _LSB_MV) * _LSB_MV).astype(np.float32)
    return EcgRecord(signal_mv, tuple(leads), sampling_rate_hz, lsb_mv=np.full(len(rows), _LSB_MV))


def made_up_cine(*, seed: int = 0) -> NDArray[np.uint8]:
    """A ring that contracts once, (T, H, W) = (50, 96, 96) uint8."""
    frames, height, width = _CINE_SHAPE
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - height / 2, x - width / 2)
    radius = 24 - 7 * np.sin(np.pi * np.arange(frames) / frames)
    ring = np.exp(-0.5 * ((distance - radius[:, None, None]) / 4) ** 2)
    noise = np.random.default_rng(seed).normal(0.0, 4.0, _CINE_SHAPE)
    return np.clip(40 + 160 * ring + noise, 0, 255).astype(np.uint8)


def made_up_subject(index: int = 0) -> Subject:
    """A person with ECG, cine, two phenotypes and a diagnosis; another one for another index."""
    return Subject(
        subject_id=f"person-{index}",
        record_id=f"record-{index}",
        ecg=made_up_ecg(heart_rate_bpm=60 + index % 40, seed=index),
        cine=made_up_cine(seed=index),
        phenotypes={24100: 140.0 + index % 30, 24103: 60.0 - index % 10},
        diagnoses=(Diagnosis("I10", -30),),
        sex="female" if index % 2 else "male",
        age_years=50.0 + index % 30,
    )
