"""Philips Sierra XML 1.03 and 1.04: the first ten seconds of the parsed waveforms.

What follows them in a file of eleven seconds is a calibration pulse. Representative beats
(``repbeats``) hold averages under the same lead names and are left alone.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.ecg.leads import lead_name
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import EcgError, LeadError
from cardionets_formats.declared import Declared, shown_as
from cardionets_formats.fields import attribute_of, decimal, moment, text_of, whole, whole_of
from cardionets_formats.strip import StoredLead, Strip, longest, to_record
from cardionets_formats.xli import blocks_of, unpacked, within_16_bits
from cardionets_formats.xml_bytes import content_of, parse_xml

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_VERSIONS = ("1.03", "1.04", "1.04.01", "1.04.02")
_KEPT_S = 10
_MOST_SAMPLES = 100_000
_MOST_CHANNELS = 32
# Leads in the order of the file where it says so by name of the set only (1.03).
_STANDARD_SETS = ("STD-12", "10-WIRE")
_SIGNAL = "{*}dataacquisition/{*}signalcharacteristics"
_WHEN = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.\d*)?", re.ASCII)


def read(
    path: Path,
    *,
    units: str | None = None,
    sampling_rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
) -> EcgRecord:
    """Read the rhythm strip of a Philips file; all else as in ``read_bytes``."""
    return read_bytes(
        content_of(path),
        "Philips file",
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
    """Read the rhythm strip of a Philips file that is in memory.

    Args:
        content: The file.
        shown: What messages call it.
        units: Unit of the resolution, if it is to be checked: the format has uV.
        sampling_rate_hz: Rate, if it is to be checked, or the file does not say it.
        leads: Lead names, if they are to be checked.

    Returns:
        Signal in mV, at most ten seconds, leads in the order of the file.

    Raises:
        LeadError: If no lead is one of the twelve, one is there twice, or others are declared.
        SamplingRateError: If the rate is missing, impossible or not the declared one.
        EcgError: If it is damaged, of another version or compression, or of another format.
    """
    declared = Declared(units, sampling_rate_hz, leads)
    with shown_as(shown):
        root = parse_xml(content, "restingecgdata")
        if text_of(root, "{*}documentinfo/{*}documentversion") not in _VERSIONS:
            raise EcgError(f"of an unknown version; needed {', '.join(_VERSIONS)}")
        found = root.findall("{*}waveforms/{*}parsedwaveforms")
        if len(found) != 1:
            raise EcgError(f"{len(found)} elements parsedwaveforms; needed one: export it again")
        strip = longest([_strip(root, found[0], declared)])
        return to_record(strip, declared, acquired_at=_acquired_at(root))


def _strip(root: Element, parsed: Element, declared: Declared) -> Strip:
    _check_form(root, parsed)
    rate_hz = declared.rate_hz(
        _stated(root, parsed, elements=["samplingrate"], attributes=["samplespersecond"])
    )
    resolution = _stated(
        root, parsed, elements=["signalresolution", "resolution"], attributes=["resolution"]
    )
    if resolution is None:
        raise EcgError("states no resolution; needed one: export the ECG again")
    step_mv = resolution * declared.mv_per_unit("uV")
    samples = _samples(parsed, rate_hz)
    names = [lead_name(label) for label in _labels(root, parsed)]
    blocks = blocks_of(_raw(parsed), len(names))
    known = [(name, block) for name, block in zip(names, blocks, strict=True) if name]
    stored = {name: unpacked(block, samples) for name, block in known}
    if len(stored) < len(known):
        raise LeadError("a lead is there twice; needed each once")
    kept = round(_KEPT_S * rate_hz)
    return Strip(
        tuple(
            StoredLead(name, counts[:kept].astype(float), step_mv)
            for name, counts in _limb_leads_restored(stored).items()
        ),
        rate_hz,
    )


def _check_form(root: Element, parsed: Element) -> None:
    """Refuse what no sample has shown: other compressions, other widths, an offset."""
    compression = parsed.get("compressmethod") or parsed.get("compression")
    if compression != "XLI" or parsed.get("compressflag", "True").lower() != "true":
        raise EcgError("samples without XLI compression; needed XLI: no other has been verified")
    if parsed.get("dataencoding") != "Base64":
        raise EcgError("samples that are not in Base64; needed that: export the ECG again")
    bits = _stated(root, parsed, elements=["bitspersample"], attributes=["bitspersample"])
    offset = _stated(root, parsed, elements=["signaloffset"], attributes=["signaloffset"])
    signed = {text_of(root, f"{_SIGNAL}/{{*}}signalsigned"), parsed.get("signalsigned")}
    if bits not in {None, 16.0} or offset not in {None, 0.0} or not signed <= {None, "True"}:
        raise EcgError("samples unsigned, with an offset or not of 16 bits; needed plain 16 bits")


def _stated(
    root: Element, parsed: Element, *, elements: Sequence[str], attributes: Sequence[str]
) -> float | None:
    """A number that may stand in the signal's description, at the samples, or in both."""
    name = elements[-1]
    texts = [text_of(root, f"{_SIGNAL}/{{*}}{element}") for element in elements]
    texts += [attribute_of(parsed, ".", attribute) for attribute in attributes]
    values = {value for text in texts if (value := decimal(text, name)) is not None}
    if len(values) > 1:
        raise EcgError(f"{name} is there several times with different values; needed one")
    return next(iter(values), None)


def _samples(parsed: Element, rate_hz: float) -> int:
    """Samples per lead, from their duration in ms."""
    duration_ms = whole(attribute_of(parsed, ".", "durationperchannel"), "durationperchannel") or 0
    samples = duration_ms * rate_hz / 1000
    if not (2 <= samples <= _MOST_SAMPLES and samples.is_integer()):
        raise EcgError(
            f"{duration_ms} ms of samples at {rate_hz:g} Hz; needed a whole number of them, up to "
            f"{_MOST_SAMPLES}"
        )
    return int(samples)


def _labels(root: Element, parsed: Element) -> list[str]:
    """Names of the channels in the order of their blocks."""
    stated = attribute_of(parsed, ".", "leadlabels")
    if stated:
        labels = stated.split()
        count = whole(attribute_of(parsed, ".", "numberofleads"), "numberofleads")
    elif text_of(root, f"{_SIGNAL}/{{*}}acquisitiontype") in _STANDARD_SETS:
        labels = list(CANONICAL_LEADS)
        # Devices allot sixteen channels; those after the twelve are empty.
        allotted = whole_of(root, f"{_SIGNAL}/{{*}}numberchannelsallocated")
        count = None if allotted is None else min(allotted, len(labels))
    else:
        raise LeadError("names neither its leads nor a set of 12; needed leadlabels or STD-12")
    count = len(labels) if count is None else count
    if not 0 < count <= min(len(labels), _MOST_CHANNELS):
        raise LeadError(f"states {count} leads and names {len(labels)}; needed as many names")
    return labels[:count]


def _raw(parsed: Element) -> bytes:
    try:
        return base64.b64decode("".join((parsed.text or "").split()), validate=True)
    except ValueError:
        raise EcgError("the samples are no base64 text; is the file damaged?") from None


def _limb_leads_restored(
    stored: Mapping[str, NDArray[np.int64]],
) -> dict[str, NDArray[np.int64]]:
    """Add back what III and the augmented leads are predicted to be, in whole counts.

    Leads are taken by name. They were recorded, not computed: what is stored is their difference
    from the prediction.

    Raises:
        LeadError: If a lead that the prediction needs is missing.
        EcgError: If the sums leave 16 bits.
    """
    leads = dict(stored)
    try:
        if "III" in stored:
            leads["III"] = stored["II"] - stored["I"] - stored["III"]
        if "aVR" in stored:
            leads["aVR"] = -((stored["I"] + stored["II"]) // 2) - stored["aVR"]
        if "aVL" in stored:
            leads["aVL"] = (stored["I"] - leads["III"]) // 2 - stored["aVL"]
        if "aVF" in stored:
            leads["aVF"] = (stored["II"] + leads["III"]) // 2 - stored["aVF"]
    except KeyError:
        raise LeadError(
            "limb leads without I, II and III; needed them to restore the others"
        ) from None
    return {name: within_16_bits(counts) for name, counts in leads.items()}


def _acquired_at(root: Element) -> datetime | None:
    date, time = (attribute_of(root, "{*}dataacquisition", name) for name in ("date", "time"))
    found = _WHEN.fullmatch(f"{date} {time}")
    return moment(found.groups()) if found else None
