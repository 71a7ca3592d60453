"""What every ECG reader returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class EcgRecord:
    """One resting ECG as its source stores it.

    Attributes:
        signal_mv: Signal in mV, (leads, samples) float32; NaN where the source marks missing
            samples.
        leads: Lead names in the order of the rows, in canonical spelling.
        sampling_rate_hz: Samples per second.
        derived_leads: Leads that were computed from others and not recorded.
        acquired_at: When the ECG was taken, if the source says so.
        lsb_mv: The source's own step per lead in mV, (leads,), where it is known.
    """

    signal_mv: NDArray[np.float32]
    leads: tuple[str, ...]
    sampling_rate_hz: float
    derived_leads: tuple[str, ...] = ()
    acquired_at: datetime | None = None
    lsb_mv: NDArray[np.float64] | None = None
