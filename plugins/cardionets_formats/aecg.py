"""HL7 annotated ECG: the rhythm series, never the averaged beat derived from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

from cardionets_core.ecg.leads import lead_name
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import EcgError, SamplingRateError
from cardionets_formats.declared import Declared, shown_as
from cardionets_formats.fields import attribute_of, decimal, moment, samples_in
from cardionets_formats.strip import StoredLead, Strip, longest, to_record
from cardionets_formats.xml_bytes import content_of, parse_xml

_TIMES = ("TIME_ABSOLUTE", "TIME_RELATIVE")
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "\N{MICRO SIGN}s": 1e6}
_POINT_IN_TIME = re.compile(
    r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:\.\d*)?(?:[+-]\d{4})?", re.ASCII
)
_WHEN = ("low", "center", "high")


def read(
    path: Path,
    *,
    units: str | None = None,
    sampling_rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
) -> EcgRecord:
    """Read the rhythm strip of an aECG file; all else as in ``read_bytes``."""
    return read_bytes(
        content_of(path),
        "aECG file",
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
    """Read the rhythm strip of an aECG file that is in memory.

    Args:
        content: The file.
        shown: What messages call it.
        units: Unit of the samples, if it is to be checked, or the file does not say it.
        sampling_rate_hz: Rate, likewise.
        leads: Lead names, if they are to be checked.

    Returns:
        Signal in mV, leads in the order of the file.

    Raises:
        LeadError: If no lead is one of the twelve, one is there twice, or others are declared.
        SamplingRateError: If the rate is missing, impossible or not the declared one.
        EcgError: If it has no rhythm series, is damaged, or of another format.
    """
    declared = Declared(units, sampling_rate_hz, leads)
    with shown_as(shown):
        root = parse_xml(content, "AnnotatedECG")
        # Only direct children: a derivedSeries holds sequences of the same form.
        rhythms = [
            series
            for series in root.findall("{*}component/{*}series")
            if attribute_of(series, "{*}code", "code") == "RHYTHM"
        ]
        if not rhythms:
            raise EcgError("no series of code RHYTHM; needed the recorded ECG, not an average")
        strips = {
            _strip(sequences, declared): series
            for series in rhythms
            for sequences in series.findall("{*}component/{*}sequenceSet")
        }
        strip = longest(list(strips))
        return to_record(strip, declared, acquired_at=_acquired_at(strips[strip], root))


def _strip(sequence_set: Element, declared: Declared) -> Strip:
    """The leads of one ``sequenceSet`` and the rate of its time sequence."""
    rates_hz = set()
    leads = []
    for sequence in sequence_set.findall("{*}component/{*}sequence"):
        code = attribute_of(sequence, "{*}code", "code") or ""
        name = lead_name(code)
        if code in _TIMES:
            rates_hz.add(_stated_rate_hz(sequence))
        elif name is not None:
            leads.append(_lead(name, sequence, declared))
    if len(rates_hz) > 1:
        raise SamplingRateError("two time sequences of different increments; needed one")
    if not leads:
        return Strip((), 1.0)
    return Strip(tuple(leads), declared.rate_hz(next(iter(rates_hz), None)))


def _stated_rate_hz(sequence: Element) -> float | None:
    """One over the increment between samples."""
    increment = decimal(attribute_of(sequence, "{*}value/{*}increment", "value"), "increment")
    unit = attribute_of(sequence, "{*}value/{*}increment", "unit") or ""
    if increment is None:
        return None
    if increment <= 0 or unit not in _PER_SECOND:
        raise SamplingRateError("an increment that is no time; needed a positive one in s, ms, us")
    rate_hz = _PER_SECOND[unit] / increment
    # Increments are decimal fractions cut short: 0.00277778 s stands for 360 Hz.
    whole_hz = round(rate_hz)
    return float(whole_hz) if abs(rate_hz - whole_hz) < 1e-5 * rate_hz else rate_hz


def _lead(name: str, sequence: Element, declared: Declared) -> StoredLead:
    """A lead as origin + digit x scale, each with its own unit."""
    scale = decimal(attribute_of(sequence, "{*}value/{*}scale", "value"), "scale")
    if scale is None:
        raise EcgError(f"lead {name} states no scale; needed one")
    origin = decimal(attribute_of(sequence, "{*}value/{*}origin", "value"), "origin") or 0.0
    step_mv = scale * declared.mv_per_unit(attribute_of(sequence, "{*}value/{*}scale", "unit"))
    origin_unit = attribute_of(sequence, "{*}value/{*}origin", "unit")
    origin_mv = origin * declared.mv_per_unit(origin_unit) if origin else 0.0
    blocks = sequence.findall("{*}value/{*}digits")
    if len(blocks) != 1:
        raise EcgError(f"lead {name} has {len(blocks)} blocks of digits; needed one")
    return StoredLead(name, samples_in(blocks[0].text, None), step_mv, origin_mv)


def _acquired_at(series: Element, root: Element) -> datetime | None:
    """Beginning of the series, or else the time of the whole ECG, without its time zone."""
    for element in (series, root):
        for part in _WHEN:
            stated = attribute_of(element, f"{{*}}effectiveTime/{{*}}{part}", "value")
            found = _POINT_IN_TIME.fullmatch(stated or "")
            if found:
                return moment(text or "00" for text in found.groups())
    return None
