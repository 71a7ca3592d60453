"""The canonical ECG: which leads, in which order, at which rate and length. Plain constants."""

from __future__ import annotations

CANONICAL_LEADS: tuple[str, ...] = (
    "I",
    "II",
    "III",
    "aVR",
    "aVL",
    "aVF",
    "V1",
    "V2",
    "V3",
    "V4",
    "V5",
    "V6",
)
CANONICAL_RATE_HZ = 500
CANONICAL_SECONDS = 10
CANONICAL_SAMPLES = CANONICAL_RATE_HZ * CANONICAL_SECONDS
