"""GE CardioSoft XML: resting ECGs as UK Biobank keeps them in field 20205.

Read is ``StripData``, the rhythm strip. The averaged beat (``MedianSamples``) and the full
disclosure hold other samples under the same names and are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from cardionets_core.ecg.leads import lead_name
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import EcgError, SamplingRateError
from cardionets_formats.declared import Declared, shown_as
from cardionets_formats.fields import (
    attribute_of,
    check_count,
    decimal_of,
    moment,
    samples_in,
    text_of,
    whole_of,
)
from cardionets_formats.strip import StoredLead, Strip, longest, to_record
from cardionets_formats.xml_bytes import content_of, parse_xml

_UNIT_PER_STEP = re.compile(r"(.+?)\s?per\s?lsb", re.IGNORECASE)
_PARTS_OF_WHEN = ("Year", "Month", "Day", "Hour", "Minute", "Second")


def read(
    path: Path,
    *,
    units: str | None = None,
    sampling_rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
) -> EcgRecord:
    """Read the rhythm strip of a CardioSoft file; all else as in ``read_bytes``."""
    return read_bytes(
        content_of(path),
        "CardioSoft file",
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
    """Read the rhythm strip of a CardioSoft file that is in memory.

    Args:
        content: The file.
        shown: What messages call it.
        units: Unit of the resolution, if it is to be checked.
        sampling_rate_hz: Rate, likewise.
        leads: Lead names, likewise.

    Returns:
        Signal in mV, leads in the order of the file.

    Raises:
        LeadError: If no lead is one of the twelve, one is there twice, or others are declared.
        SamplingRateError: If the rate is missing, impossible or not the declared one.
        EcgError: If it is an exercise test, damaged, or of another format.
    """
    declared = Declared(units, sampling_rate_hz, leads)
    with shown_as(shown):
        root = parse_xml(content, "CardiologyXML")
        if root.find("StripData/Strip") is not None:
            raise EcgError("an exercise test with many strips; needed a resting ECG")
        strip = longest([_strip(block, declared) for block in root.findall("StripData")])
        when = (text_of(root, f"ObservationDateTime/{part}") for part in _PARTS_OF_WHEN)
        return to_record(strip, declared, acquired_at=moment(when))


def _strip(block: Element, declared: Declared) -> Strip:
    """The leads of one ``StripData``: its direct children, by their names."""
    waveforms = block.findall("WaveformData")
    check_count(whole_of(block, "NumberOfLeads"), len(waveforms), "NumberOfLeads")
    if (attribute_of(block, "SampleRate", "units") or "Hz").lower() != "hz":
        raise SamplingRateError("SampleRate is in another unit than Hz; needed Hz")
    rate_hz = declared.rate_hz(decimal_of(block, "SampleRate"))
    step_mv = _step_mv(block, declared)
    samples = whole_of(block, "ChannelSampleCountTotal")
    stored = []
    for waveform in waveforms:
        name = lead_name(waveform.get("lead", ""))
        if name is not None:
            counts = samples_in(waveform.text, ",")
            check_count(samples, len(counts), "ChannelSampleCountTotal")
            stored.append(StoredLead(name, counts, step_mv))
    return Strip(tuple(stored), rate_hz)


def _step_mv(block: Element, declared: Declared) -> float:
    """MV of one count, from ``<Resolution units="uVperLsb">5</Resolution>``."""
    resolution = decimal_of(block, "Resolution")
    if resolution is None:
        raise EcgError("StripData states no Resolution; needed one: export the ECG again")
    unit = _UNIT_PER_STEP.fullmatch(attribute_of(block, "Resolution", "units") or "")
    return resolution * declared.mv_per_unit(unit.group(1) if unit else None)
