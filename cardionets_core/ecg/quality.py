"""What is wrong with an ECG, as flags: nothing is thrown away here."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cardionets_core.ecg.canonical import CANONICAL_LEADS, CANONICAL_SECONDS
from cardionets_core.ecg.filters import high_pass
from cardionets_core.ecg.gaps import bridge_gaps
from cardionets_core.ecg.leads import CanonicalEcg, to_canonical

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cardionets_core.ecg.record import EcgRecord

FLAT_LEAD_MV = 0.01  # two steps of a 5 uV recorder, peak to peak over the whole record
FLAT_RUN_S = 0.25  # held samples; a recorder that filters its output rests for up to 0.2 s
CLIPPED_S = 0.02  # held at an extreme of 1 mV or more; an R peak rests for 10 ms at most
CLIPPED_MV = 1.0
IMPLAUSIBLE_MV = 10.0
LIMB_RESIDUAL_MV = 0.05
NOISE_MV = 0.05  # robust SD above 60 Hz; clean records have 0.001 to 0.03
NOISE_CORNER_HZ = 60.0
_SD_PER_MEDIAN = 1.4826  # of the absolute values of a normal distribution
MISSING_SHARE = 0.2
LENGTH_TOLERANCE_S = 0.02
USABLE_LEADS = 8  # as many as carry independent information in a 12-lead ECG

_SPOILING = frozenset(
    {"missing-lead", "missing-share", "flat-lead", "clipped", "implausible-amplitude"}
)
_HEART_RATE_LEADS = ("II", "V5", "I", "V4", "V6", "V3", "V2", "aVF", "III", "V1", "aVR", "aVL")


@dataclass(frozen=True, slots=True)
class QualityFlag:
    """One finding.

    Attributes:
        name: What was found, e.g. ``flat-lead``.
        lead: In which lead, or an empty text if in all.
        value: How much of it.
        unit: Unit of the value.
    """

    name: str
    lead: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.name}{f' {self.lead}' if self.lead else ''} {self.value:.3g} {self.unit}"


@dataclass(frozen=True, slots=True)
class QualityVerdict:
    """All findings of one ECG.

    Attributes:
        flags: Findings, in the order of the checks and leads.
        usable: True if at least eight leads are there and neither flat, clipped, implausibly
            large nor missing for more than a fifth of the time.
    """

    flags: tuple[QualityFlag, ...]
    usable: bool

    def leads(self, name: str) -> tuple[str, ...]:
        """Return the leads that carry a flag of this name."""
        return tuple(flag.lead for flag in self.flags if flag.name == name)


@dataclass(frozen=True, slots=True, eq=False)
class HeartRate:
    """Heart rate and R peaks.

    Attributes:
        beats_per_minute: From the median RR interval.
        r_peaks: Where the R peaks are, in samples of the record, (beats,).
        lead: In which lead they were found.
    """

    beats_per_minute: float
    r_peaks: NDArray[np.int64]
    lead: str


def assess(ecg: EcgRecord | CanonicalEcg) -> QualityVerdict:
    """Look for missing, flat, clipped, implausible and noisy leads, and leads that disagree.

    Args:
        ecg: A record as read, or in canonical form, at any rate.

    Returns:
        Flags and whether enough leads are good.

    Raises:
        EcgError: If leads are doubled, unknown or all empty.
    """
    canonical = ecg if isinstance(ecg, CanonicalEcg) else to_canonical(ecg)
    flags = [*_length(canonical), *_limb_residuals(canonical)]
    for index, lead in enumerate(CANONICAL_LEADS):
        if canonical.lead_mask[index]:
            values_mv, rate_hz = canonical.signal_mv[index], canonical.sampling_rate_hz
            flags += _gaps(lead, values_mv, rate_hz)
            lowest_mv, highest_mv = float(np.nanmin(values_mv)), float(np.nanmax(values_mv))
            flags += _amplitude(lead, lowest_mv, highest_mv)
            flags += _held(lead, values_mv, (lowest_mv, highest_mv), rate_hz)
        else:
            flags.append(QualityFlag("missing-lead", lead, float(CANONICAL_SECONDS), "s"))
    flags += _noise(canonical)
    spoilt = {flag.lead for flag in flags if flag.name in _SPOILING}
    return QualityVerdict(tuple(flags), len(CANONICAL_LEADS) - len(spoilt) >= USABLE_LEADS)


def heart_rate_and_r_peaks(ecg: EcgRecord | CanonicalEcg) -> HeartRate | None:
    """Find the R peaks with NeuroKit's detector, in lead II or else the next good lead.

    Args:
        ecg: A record as read, or in canonical form.

    Returns:
        Rate and peaks; None if no lead is good enough or no believable rhythm is found.

    Raises:
        EcgError: If leads are doubled, unknown or all empty.
    """
    canonical = ecg if isinstance(ecg, CanonicalEcg) else to_canonical(ecg)
    spoilt = {flag.lead for flag in assess(canonical).flags if flag.name in _SPOILING}
    lead = next((name for name in _HEART_RATE_LEADS if name not in spoilt), None)
    if lead is None:
        return None
    values_mv, _ = bridge_gaps(canonical.signal_mv[CANONICAL_LEADS.index(lead)])
    peaks = _detect_r_peaks(values_mv, canonical.sampling_rate_hz)
    if len(peaks) < 3:
        return None
    rate = 60.0 * canonical.sampling_rate_hz / float(np.median(np.diff(peaks)))
    return HeartRate(rate, peaks, lead) if 15.0 <= rate <= 350.0 else None


def _detect_r_peaks(values_mv: NDArray[np.float32], rate_hz: float) -> NDArray[np.int64]:
    """R peaks in samples; none where the detector fails on what is no ECG."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import neurokit2  # noqa: PLC0415 - takes over a second and pulls in pandas and matplotlib

        rate = round(rate_hz)
        try:
            cleaned = neurokit2.ecg_clean(values_mv.astype(np.float64), sampling_rate=rate)
            _, found = neurokit2.ecg_peaks(cleaned, sampling_rate=rate)
        except (ArithmeticError, IndexError, KeyError, TypeError, ValueError):
            return np.empty(0, dtype=np.int64)
    return np.asarray(found["ECG_R_Peaks"], dtype=np.int64)


def _length(ecg: CanonicalEcg) -> Iterator[QualityFlag]:
    """Seconds up to the last sample that any lead has, if they are not 10."""
    last = int(np.flatnonzero(np.isfinite(ecg.signal_mv).any(axis=0))[-1])
    length_s = (last + 1) / ecg.sampling_rate_hz
    if abs(length_s - CANONICAL_SECONDS) > LENGTH_TOLERANCE_S:
        yield QualityFlag("wrong-length", "", length_s, "s")


def _limb_residuals(ecg: CanonicalEcg) -> Iterator[QualityFlag]:
    """Einthoven's and Goldberger's equations, where all leads in them were recorded."""
    lead_i, lead_ii = ecg.signal_mv[0].astype(np.float64), ecg.signal_mv[1].astype(np.float64)
    expected_mv = {
        "III": lead_ii - lead_i,
        "aVR": -(lead_i + lead_ii) / 2,
        "aVL": lead_i - lead_ii / 2,
        "aVF": lead_ii - lead_i / 2,
    }
    for lead, expected in expected_mv.items():
        if lead in ecg.derived:
            continue
        residual_mv = np.abs(ecg.signal_mv[CANONICAL_LEADS.index(lead)] - expected)
        worst_mv = float(residual_mv[np.isfinite(residual_mv)].max(initial=0.0))
        if worst_mv > LIMB_RESIDUAL_MV:
            name = "einthoven" if lead == "III" else "goldberger"
            yield QualityFlag(name, lead, worst_mv, "mV")


def _gaps(lead: str, values_mv: NDArray[np.float32], rate_hz: float) -> Iterator[QualityFlag]:
    """The longest run without samples, and whether too much is missing in all."""
    missing = np.isnan(values_mv)
    if missing.any():
        lengths, starts = _runs(missing)
        yield QualityFlag("missing-run", lead, int(lengths[missing[starts]].max()) / rate_hz, "s")
    if missing.mean() > MISSING_SHARE:
        yield QualityFlag("missing-share", lead, 100 * float(missing.mean()), "%")


def _amplitude(lead: str, lowest: float, highest: float) -> Iterator[QualityFlag]:
    if highest - lowest < FLAT_LEAD_MV:
        yield QualityFlag("flat-lead", lead, highest - lowest, "mV")
    if max(-lowest, highest) > IMPLAUSIBLE_MV:
        yield QualityFlag("implausible-amplitude", lead, max(-lowest, highest), "mV")


def _held(
    lead: str, values_mv: NDArray[np.float32], extremes_mv: tuple[float, float], rate_hz: float
) -> Iterator[QualityFlag]:
    """Runs of one repeated value: anywhere, and at the lead's own extremes (saturation)."""
    lengths, starts = _runs(values_mv)
    longest = int(lengths.max())
    # A lead that is flat throughout is told as such, not as a run.
    if len(values_mv) > longest >= FLAT_RUN_S * rate_hz:
        yield QualityFlag("flat-run", lead, longest / rate_hz, "s")
    saturated = [value for value in set(extremes_mv) if abs(value) >= CLIPPED_MV]
    if longest < 2 or not saturated:
        return
    at_extreme = lengths[np.isin(values_mv[starts], saturated)].max(initial=0)
    if at_extreme >= max(2, math.ceil(CLIPPED_S * rate_hz)):
        yield QualityFlag("clipped", lead, int(at_extreme) / rate_hz, "s")


def _noise(ecg: CanonicalEcg) -> Iterator[QualityFlag]:
    """Robust SD above 60 Hz: the median does not see the R peaks."""
    rate_hz = ecg.sampling_rate_hz
    if rate_hz <= 2 * NOISE_CORNER_HZ or ecg.signal_mv.shape[1] < rate_hz:
        return
    whole, _ = bridge_gaps(ecg.signal_mv)
    fast = high_pass(whole, corner_hz=NOISE_CORNER_HZ, sampling_rate_hz=rate_hz, order=2)
    fast_mv = np.abs(fast, out=fast)
    # Counting is faster than a median, and settles it where most samples are small.
    small = (fast_mv <= 0.99 * NOISE_MV / _SD_PER_MEDIAN).sum(axis=1)
    for row in np.flatnonzero(small <= fast_mv.shape[1] // 2).tolist():
        robust_sd_mv = _SD_PER_MEDIAN * float(np.median(fast_mv[row]))
        if robust_sd_mv > NOISE_MV:
            yield QualityFlag("noise", CANONICAL_LEADS[row], robust_sd_mv, "mV")


def _runs(values: NDArray[np.float32] | NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
    """Lengths and starts of runs of one value; NaN never equals its neighbour."""
    starts = np.concatenate([[0], 1 + np.flatnonzero(values[1:] != values[:-1])])
    return np.diff(np.append(starts, len(values))), starts
