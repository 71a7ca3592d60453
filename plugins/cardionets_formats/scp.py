"""SCP-ECG (EN 1064): the rhythm of section 6, Huffman-coded or not.

Not read, and refused: rhythm stored as a residual of a reference beat (sections 4 and 5), and
bimodal compression, which stores fewer samples between the QRS complexes. No file of either kind
was at hand to check a reader against.

Source: EN 1064, clauses 5.4 (dates), 5.6 (leads) and 5.9 (rhythm).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import EcgError, LeadError
from cardionets_formats.declared import Declared, shown_as
from cardionets_formats.lead_codes import LEAD_BY_CODE
from cardionets_formats.limb_leads import derived_leads
from cardionets_formats.scp_huffman import codes_of, decode
from cardionets_formats.scp_sections import sections_of
from cardionets_formats.strip import StoredLead, Strip, to_record
from cardionets_formats.xml_bytes import content_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cardionets_formats.scp_huffman import Code

_LEADS_HEADER = struct.Struct("<BB")
_LEAD = struct.Struct("<IIB")
_RHYTHM_HEADER = struct.Struct("<HHBB")
_LENGTH = struct.Struct("<H")
_TAG = struct.Struct("<BH")
_DATE = struct.Struct("<HBB")
_TIME = struct.Struct("<BBB")
_DATE_TAG, _TIME_TAG, _LAST_TAG = 25, 26, 255
_REFERENCE_BEAT_FLAG = 0x01
# Lead data have at most 65,535 bytes, which is 4 bits for each of so many samples.
_MOST_SAMPLES = 120_000
_INT16 = np.iinfo(np.int16)


class _Lead(NamedTuple):
    """A lead's name, None for others than the twelve, and its first and last sample from 0 on."""

    name: str | None
    first: int
    last: int

    @property
    def samples(self) -> int:
        return self.last - self.first + 1


class _Rhythm(NamedTuple):
    """Head of section 6: nV of one count, us between samples, order of difference."""

    nanovolts: int
    interval_us: int
    difference: int


def read(
    path: Path,
    *,
    units: str | None = None,
    sampling_rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
) -> EcgRecord:
    """Read the rhythm of an SCP-ECG file; all else as in ``read_bytes``."""
    return read_bytes(
        content_of(path),
        "SCP-ECG file",
        units=units,
        sampling_rate_hz=sampling_rate_hz,
        leads=leads,
    )


def read_bytes(
    content: bytes,
    shown: str,
    *,
    units: str | None = None,
    sampling_rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
) -> EcgRecord:
    """Read the rhythm of an SCP-ECG file that is in memory.

    Args:
        content: The file.
        shown: What messages call it.
        units: Unit of the samples, if it is to be checked; the format knows nV only.
        sampling_rate_hz: Rate, if it is to be checked.
        leads: Lead names, with or without the derived ones, likewise.

    Returns:
        Signal in mV: the stored leads in the order of the file, NaN where one was not recorded
        while another was; then those of III, aVR, aVL and aVF that are not stored, derived.

    Raises:
        LeadError: If no lead is one of the twelve, one is there twice, or others are declared.
        SamplingRateError: If the rate is impossible or not the declared one.
        EcgError: If it is damaged, of another format, or compressed in a way that is not read.
    """
    declared = Declared(units, sampling_rate_hz, leads)
    with shown_as(shown):
        strip = _strip(sections_of(content, (2, 3, 6)), declared)
        return to_record(
            strip,
            declared,
            acquired_at=_acquired_at(content),
            derived=derived_leads(strip.leads),
        )


def _strip(sections: Mapping[int, bytes], declared: Declared) -> Strip:
    """The leads of section 6."""
    for number, told in ((3, "leads"), (6, "rhythm")):
        if number not in sections:
            raise EcgError(f"has no section {number} ({told}); needed one: export it again")
    leads = _leads(sections[3])
    rhythm, streams = _rhythm(sections[6], len(leads))
    rate_hz = declared.rate_hz(1e6 / rhythm.interval_us if rhythm.interval_us else 0.0)
    step_mv = rhythm.nanovolts * declared.mv_per_unit("nV")
    codes = codes_of(sections[2]) if 2 in sections else ()
    named = [(lead, stream) for lead, stream in zip(leads, streams, strict=True) if lead.name]
    first = min(lead.first for lead, _ in named)
    samples = max(lead.last for lead, _ in named) - first + 1
    if samples > _MOST_SAMPLES:
        raise EcgError(f"{samples} samples a lead; needed one resting ECG")
    stored = []
    for lead, stream in named:
        counts = np.full(samples, np.nan)
        start = lead.first - first
        counts[start : start + lead.samples] = _counts(stream, lead, codes, rhythm.difference)
        stored.append(StoredLead(str(lead.name), counts, step_mv))
    return Strip(tuple(stored), rate_hz)


def _leads(section: bytes) -> list[_Lead]:
    """Leads of section 3, in the order of their data."""
    _check_length(section, 3, _LEADS_HEADER.size)
    count, flags = _LEADS_HEADER.unpack_from(section)
    _check_length(section, 3, _LEADS_HEADER.size + count * _LEAD.size)
    if flags & _REFERENCE_BEAT_FLAG:
        raise EcgError(
            "compressed by subtraction of a reference beat, which is not read; export it without, "
            "or as DICOM or aECG"
        )
    leads = []
    for row in range(count):
        first, last, code = _LEAD.unpack_from(section, _LEADS_HEADER.size + row * _LEAD.size)
        if last < first:
            raise EcgError(f"a lead from sample {first} to {last}; is the file damaged?")
        leads.append(_Lead(LEAD_BY_CODE.get(code), first, last))
    if not any(lead.name for lead in leads):
        raise LeadError(f"{count} leads, none of them one of the 12; needed I, II, ... V6")
    return leads


def _rhythm(section: bytes, leads: int) -> tuple[_Rhythm, list[bytes]]:
    """Head of section 6 and the data of each lead."""
    at = _RHYTHM_HEADER.size + leads * _LENGTH.size
    _check_length(section, 6, at)
    nanovolts, interval_us, difference, bimodal = _RHYTHM_HEADER.unpack_from(section)
    if bimodal:
        raise EcgError(
            "bimodally compressed, which is not read; export it without, or as DICOM or aECG"
        )
    if difference > 2:
        raise EcgError(f"differences of order {difference}; needed 0, 1 or 2")
    streams = []
    for row in range(leads):
        (length,) = _LENGTH.unpack_from(section, _RHYTHM_HEADER.size + row * _LENGTH.size)
        _check_length(section, 6, at + length)
        streams.append(section[at : at + length])
        at += length
    return _Rhythm(nanovolts, interval_us, difference), streams


def _counts(
    stream: bytes, lead: _Lead, codes: tuple[Code, ...], difference: int
) -> NDArray[np.int64]:
    """Samples of one lead in counts, (samples,)."""
    if codes:
        numbers = decode(stream, lead.samples, codes)
    else:
        _check_length(stream, 6, 2 * lead.samples)
        numbers = np.frombuffer(stream, dtype="<i2", count=lead.samples).astype(np.int64)
    counts = _summed(numbers, difference)
    if counts.min() < _INT16.min or counts.max() > _INT16.max:
        raise EcgError("samples beyond 16 bits; is the file damaged?")
    return counts


def _summed(numbers: NDArray[np.int64], difference: int) -> NDArray[np.int64]:
    """Undo differences; the first sample, of second differences the first two, stand in full."""
    if difference == 0:
        return numbers
    if difference == 1:
        return np.cumsum(numbers)
    slopes = numbers[1:].copy()
    slopes[:1] -= numbers[:1]
    rest: NDArray[np.int64] = numbers[0] + np.cumsum(np.cumsum(slopes))
    return np.concatenate([numbers[:1], rest])


def _acquired_at(content: bytes) -> datetime | None:
    """Date and time of acquisition out of section 1; nothing else of it is looked at."""
    try:
        section = sections_of(content, (1,)).get(1, b"")
    except EcgError:
        # Names are blanked out by hand, and the checksum left as it was.
        return None
    found: dict[int, bytes] = {}
    at = 0
    while at + _TAG.size <= len(section):
        tag, length = _TAG.unpack_from(section, at)
        if tag == _LAST_TAG:
            break
        found[tag] = section[at + _TAG.size : at + _TAG.size + length]
        at += _TAG.size + length
    date, time = found.get(_DATE_TAG, b""), found.get(_TIME_TAG, b"")
    if len(date) != _DATE.size or len(time) != _TIME.size:
        return None
    try:
        return datetime(*_DATE.unpack(date), *_TIME.unpack(time))
    except ValueError:
        return None


def _check_length(data: bytes, section: int, needed: int) -> None:
    if len(data) < needed:
        raise EcgError(
            f"section {section} is too short: {len(data)} bytes, needed {needed}; is it cut off?"
        )
