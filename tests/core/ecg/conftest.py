from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.ecg.record import EcgRecord


@pytest.fixture
def reference() -> Path:
    """Folder of the stored preprocessing vectors."""
    root = os.environ.get("CARDIONETS_REFERENCE")
    if not root:
        pytest.skip("CARDIONETS_REFERENCE is unset: no stored vectors to compare with")
    return Path(root) / "preprocessing"


@pytest.fixture
def twelve_leads() -> EcgRecord:
    """10 s at 500 Hz in steps of 5 uV: spikes of 1 mV at 72 a minute, noise, valid limb leads."""
    rng = np.random.default_rng(7)
    time_s = np.arange(5000) / 500
    beat = np.exp(-(((time_s * 1.2) % 1 - 0.5) ** 2) / 2e-4)
    steps = np.round(
        (beat * rng.uniform(0.4, 1.2, (12, 1)) + rng.normal(0, 0.01, (12, 5000))) * 200
    )
    steps[2] = steps[1] - steps[0]
    signal_mv = steps * 0.005
    signal_mv[3] = -(signal_mv[0] + signal_mv[1]) / 2
    signal_mv[4] = signal_mv[0] - signal_mv[1] / 2
    signal_mv[5] = signal_mv[1] - signal_mv[0] / 2
    return EcgRecord(
        signal_mv=signal_mv.astype(np.float32),
        leads=CANONICAL_LEADS,
        sampling_rate_hz=500.0,
        lsb_mv=np.full(12, 0.005),
    )
