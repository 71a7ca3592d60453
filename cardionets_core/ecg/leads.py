"""Leads by name: spellings, order, and the four limb leads that follow from I and II."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.errors import EcgError, LeadError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cardionets_core.ecg.record import EcgRecord

__all__ = ["CANONICAL_LEADS", "CanonicalEcg", "lead_name", "to_canonical"]

_BY_UPPER_CASE = {name.upper(): name for name in CANONICAL_LEADS}
_PREFIXES = ("MDC_ECG_LEAD_", "ECG LEAD ", "ECG_LEAD_", "LEAD ", "LEAD_", "ECG ", "ECG_")
# Weights of I and II (Einthoven 1913, Goldberger 1942).
_DERIVED_FROM_I_II = {
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalEcg:
    """One ECG with its twelve leads in canonical order.

    Attributes:
        signal_mv: Signal in mV, (12, samples) float32; NaN where missing, whole rows included.
        lead_mask: True where the lead is there, recorded or derived, (12,).
        derived: Leads that were computed from I and II, by the source or here.
        lsb_mv: Step of each lead in mV, (12,) float64; NaN where unknown or no longer true.
        sampling_rate_hz: Samples per second.
        adjusted: What was done to reach the canonical form, of ``"resampled"``, ``"cut"`` and
            ``"padded"``; empty if the samples are the source's own.
    """

    signal_mv: NDArray[np.float32]
    lead_mask: NDArray[np.bool_]
    derived: tuple[str, ...]
    lsb_mv: NDArray[np.float64]
    sampling_rate_hz: float
    adjusted: tuple[str, ...] = ()


def lead_name(spelling: str) -> str | None:
    """Return the canonical name of a lead, or None if it is none of the twelve.

    Understands any case and the prefixes of DICOM, HL7 aECG and EDF, e.g. ``AVR``,
    ``MDC_ECG_LEAD_V1`` and ``ECG Lead II``.
    """
    name = " ".join(spelling.split()).upper()
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            name = name[len(prefix) :]
            break
    return _BY_UPPER_CASE.get(name)


def to_canonical(record: EcgRecord) -> CanonicalEcg:
    """Order a record's leads by name and derive III, aVR, aVL and aVF where they are missing.

    A lead without a single finite sample counts as missing. Leads other than the twelve are left
    out. Rate and length stay as they are.

    Args:
        record: Signal in mV, (leads, samples), at any rate.

    Returns:
        The same signal as (12, samples); what could not be had is NaN and masked.

    Raises:
        LeadError: If names and rows differ in number, a lead is doubled, or none is known.
        EcgError: If there is not a single finite sample in a known lead.
    """
    rows = _rows_by_name(record)
    samples = record.signal_mv.shape[1]
    signal_mv = np.full((len(CANONICAL_LEADS), samples), np.nan, dtype=np.float32)
    lsb_mv = np.full(len(CANONICAL_LEADS), np.nan)
    for name, row in rows.items():
        index = CANONICAL_LEADS.index(name)
        signal_mv[index] = record.signal_mv[row]
        if record.lsb_mv is not None:
            lsb_mv[index] = record.lsb_mv[row]
    signal_mv[~np.isfinite(signal_mv)] = np.nan
    present = np.asarray(np.isfinite(signal_mv).any(axis=1))
    if not present.any():
        raise EcgError("found no finite sample in any of the 12 leads; this ECG cannot be used")
    derived = _derive_limb_leads(signal_mv, lsb_mv, present)
    lsb_mv[~present] = np.nan
    from_source = {known for name in record.derived_leads if (known := lead_name(name))}
    return CanonicalEcg(
        signal_mv=signal_mv,
        lead_mask=present,
        derived=tuple(name for name in CANONICAL_LEADS if name in derived | from_source),
        lsb_mv=lsb_mv,
        sampling_rate_hz=record.sampling_rate_hz,
    )


def _rows_by_name(record: EcgRecord) -> dict[str, int]:
    """Canonical lead name to row of the record's signal."""
    if record.signal_mv.ndim != 2 or record.signal_mv.shape[0] != len(record.leads):
        raise LeadError(
            f"found {len(record.leads)} lead names for a signal of shape "
            f"{record.signal_mv.shape}; needed one row (leads, samples) for each name"
        )
    rows: dict[str, int] = {}
    for row, spelling in enumerate(record.leads):
        name = lead_name(spelling)
        if name is None:
            continue
        if name in rows:
            raise LeadError(f"lead {name} is there twice; keep one of rows {rows[name]} and {row}")
        rows[name] = row
    if not rows:
        raise LeadError(
            f"none of the leads {', '.join(map(repr, record.leads)) or '(none)'} is one of "
            f"{', '.join(CANONICAL_LEADS)}; name the leads by one of these"
        )
    return rows


def _derive_limb_leads(
    signal_mv: NDArray[np.float32], lsb_mv: NDArray[np.float64], present: NDArray[np.bool_]
) -> set[str]:
    """Fill missing III, aVR, aVL and aVF in place from I and II; return which were filled."""
    derived: set[str] = set()
    if not (present[0] and present[1]):
        return derived
    limb_mv = signal_mv[:2].astype(np.float64)
    for name, weights in _DERIVED_FROM_I_II.items():
        index = CANONICAL_LEADS.index(name)
        if present[index]:
            continue
        signal_mv[index] = np.asarray(weights) @ limb_mv
        present[index] = bool(np.isfinite(signal_mv[index]).any())
        if not present[index]:
            continue
        derived.add(name)
        if lsb_mv[0] == lsb_mv[1]:
            # Halves of the source's step hold (I + II) / 2 exactly; III needs whole steps only.
            lsb_mv[index] = lsb_mv[0] if name == "III" else lsb_mv[0] / 2
    return derived
