"""What every ``EcgRecord`` promises, whoever made it."""

from __future__ import annotations

import math

import numpy as np

from cardionets_core.ecg.leads import CANONICAL_LEADS, lead_name
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.testing.requirement import require

# The largest QRS complexes reach 5 mV; microvolts passed as millivolts are hundreds at least.
_LARGEST_QRS_MV = 20.0
# The smallest are 0.2 mV in low voltage; volts passed as millivolts are 0.001.
_SMALLEST_QRS_MV = 0.02
_LARGEST_RATE_HZ = 100_000.0


def require_shape(record: EcgRecord) -> None:
    """Signal (leads, samples) float32 with one name per row and a rate."""
    signal = record.signal_mv
    require(
        isinstance(signal, np.ndarray) and signal.ndim == 2 and signal.dtype == np.float32,
        f"signal_mv is {_told(signal)}; needed a NumPy array (leads, samples) of float32",
    )
    require(
        len(record.leads) == signal.shape[0],
        f"signal_mv has {signal.shape[0]} rows for {len(record.leads)} lead names; "
        "needed (leads, samples), one name per row: transpose it, or name every row",
    )
    require(signal.shape[1] > 0, "signal_mv has no sample")
    rate = record.sampling_rate_hz
    require(
        math.isfinite(rate) and 0 < rate <= _LARGEST_RATE_HZ,
        f"sampling_rate_hz is {rate}; needed the source's own samples per second",
    )


def require_leads(record: EcgRecord) -> None:
    """Lead names in canonical spelling, none twice, derived ones among them."""
    for lead in record.leads:
        canonical = lead_name(lead)
        require(
            canonical in (lead, None),
            f"lead {lead!r}; needed the canonical spelling {canonical!r}: "
            "cardionets_core.ecg.leads.lead_name gives it",
        )
    require(
        any(lead in CANONICAL_LEADS for lead in record.leads),
        f"leads are {', '.join(record.leads)}; needed at least one of {', '.join(CANONICAL_LEADS)}",
    )
    require(
        len(set(record.leads)) == len(record.leads),
        f"a lead is named twice: {', '.join(record.leads)}",
    )
    strange = sorted(set(record.derived_leads) - set(record.leads))
    require(not strange, f"derived_leads names {', '.join(strange)}, which is not among the leads")


def require_millivolts(record: EcgRecord) -> None:
    """Deflections of a plausible size."""
    size_mv = typical_deflection_mv(record)
    require(
        size_mv <= _LARGEST_QRS_MV,
        f"a typical deflection is {size_mv:.4g} mV (median over leads), but a QRS complex is under "
        f"{_LARGEST_QRS_MV:g} mV; needed mV: divide microvolts by 1000, counts by the gain",
    )
    require(
        size_mv >= _SMALLEST_QRS_MV,
        f"a typical deflection is {size_mv:.2g} mV (median over leads), but a QRS complex is over "
        f"{_SMALLEST_QRS_MV:g} mV; needed mV: multiply volts by 1000",
    )


def require_steps(record: EcgRecord) -> None:
    """The step of each lead in mV, if it is known at all."""
    if record.lsb_mv is None:
        return
    steps = np.asarray(record.lsb_mv)
    require(
        steps.shape == (len(record.leads),) and bool(np.all((steps > 0) | np.isnan(steps))),
        f"lsb_mv is {_told(steps)}; needed one positive step in mV per lead, NaN where unknown, "
        "or None",
    )


def typical_deflection_mv(record: EcgRecord) -> float:
    """Peak to peak within a second: median over seconds, then over leads with any sample."""
    window = max(1, min(round(record.sampling_rate_hz), record.signal_mv.shape[1]))
    seconds = record.signal_mv.shape[1] // window
    cut = record.signal_mv[:, : seconds * window].reshape(len(record.leads), seconds, window)
    deflections = [
        float(np.median([np.ptp(second[np.isfinite(second)]) for second in lead if _any(second)]))
        for lead in cut
        if _any(lead)
    ]
    require(bool(deflections), "not one sample of the ECG is finite")
    return float(np.median(deflections))


def _any(samples: np.ndarray) -> bool:
    return bool(np.isfinite(samples).any())


def _told(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    return f"a {type(value).__name__}"
