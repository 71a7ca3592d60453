"""GE MUSE XML: the ``Rhythm`` waveform, never the ``Median`` one that comes before it.

MUSE stores eight leads as 16-bit numbers in base64; the other four follow from I and II.
"""

from __future__ import annotations

import base64
import math
import re
import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

import numpy as np

from cardionets_core.ecg.leads import lead_name
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import EcgError, SamplingRateError
from cardionets_formats.declared import Declared, shown_as
from cardionets_formats.fields import check_count, decimal_of, moment, text_of, whole_of
from cardionets_formats.limb_leads import derived_leads
from cardionets_formats.strip import StoredLead, Strip, longest, to_record
from cardionets_formats.xml_bytes import content_of, parse_xml

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST_EXPONENT = 6
# The lowest number of 16 bits is either a mark for "no sample" or the end of the scale.
_NO_SAMPLE = -32768
_DATES = (
    re.compile(r"(?P<month>\d\d)[-/](?P<day>\d\d)[-/](?P<year>\d{4})", re.ASCII),
    re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)", re.ASCII),
)
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)", re.ASCII)


def read(
    path: Path,
    *,
    units: str | None = None,
    sampling_rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
) -> EcgRecord:
    """Read the rhythm strip of a MUSE file; all else as in ``read_bytes``."""
    return read_bytes(
        content_of(path),
        "MUSE file",
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
    """Read the rhythm strip of a MUSE file that is in memory.

    Args:
        content: The file.
        shown: What messages call it.
        units: Unit of the samples, if it is to be checked, or the file does not say it.
        sampling_rate_hz: Rate, likewise.
        leads: Lead names, with or without the derived ones, if they are to be checked.

    Returns:
        Signal in mV: the stored leads in the order of the file, then those of III, aVR, aVL and
        aVF that are not stored, derived from I and II in whole counts or half counts.

    Raises:
        LeadError: If no lead is one of the twelve, one is there twice, or others are declared.
        SamplingRateError: If the rate is missing, impossible or not the declared one.
        EcgError: If it is damaged, or of another format.
    """
    declared = Declared(units, sampling_rate_hz, leads)
    with shown_as(shown):
        root = parse_xml(content, "RestingECG")
        rhythms = [
            _strip(block, declared)
            for block in root.findall("Waveform")
            if (text_of(block, "WaveformType") or "").lower() == "rhythm"
        ]
        strip = longest(rhythms)
        return to_record(
            strip, declared, acquired_at=_acquired_at(root), derived=derived_leads(strip.leads)
        )


def _strip(block: Element, declared: Declared) -> Strip:
    """The leads of one ``Waveform``."""
    all_data = block.findall("LeadData")
    check_count(whole_of(block, "NumberofLeads"), len(all_data), "NumberofLeads")
    if (text_of(block, "SampleType") or "CONTINUOUS_SAMPLES") != "CONTINUOUS_SAMPLES":
        raise EcgError("samples that are not continuous; needed SampleType CONTINUOUS_SAMPLES")
    rate_hz = declared.rate_hz(_stated_rate_hz(block))
    named = {id(data): lead_name(text_of(data, "LeadID") or "") for data in all_data}
    leads = tuple(
        _lead(name, data, declared) for data in all_data if (name := named[id(data)]) is not None
    )
    for path in ("LeadTimeOffset", "LeadOffsetFirstSample"):
        if len({whole_of(data, path) or 0 for data in all_data if named[id(data)]}) > 1:
            raise EcgError(f"leads that begin at different times ({path}); needed one beginning")
    return Strip(leads, rate_hz)


def _stated_rate_hz(block: Element) -> float | None:
    """``SampleBase`` x 10 to the power of ``SampleExponent``."""
    base = decimal_of(block, "SampleBase")
    exponent = whole_of(block, "SampleExponent") or 0
    if abs(exponent) > _LARGEST_EXPONENT:
        raise SamplingRateError(f"a SampleExponent of {exponent}; is the file damaged?")
    # Dividing by a whole power keeps 5000 x 10^-1 at exactly 500.
    scale = 10 ** abs(exponent)
    return None if base is None else base / scale if exponent < 0 else base * scale


def _lead(name: str, data: Element, declared: Declared) -> StoredLead:
    step = decimal_of(data, "LeadAmplitudeUnitsPerBit")
    if step is None:
        raise EcgError(f"lead {name} states no LeadAmplitudeUnitsPerBit; needed its resolution")
    step_mv = step * declared.mv_per_unit(text_of(data, "LeadAmplitudeUnits"))
    if whole_of(data, "FirstSampleBaseline"):
        # Never seen other than 0; what it would mean for the samples is not published.
        raise EcgError(f"lead {name} has a FirstSampleBaseline other than 0; needed 0")
    counts = _samples(name, data).astype(np.float64)
    counts[counts == _NO_SAMPLE] = math.nan
    return StoredLead(name, counts, step_mv)


def _samples(name: str, data: Element) -> NDArray[np.int16]:
    """Decoded samples, checked against every number that describes them, (samples,)."""
    text = "".join((data.findtext("WaveFormData") or "").split())
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise EcgError(f"lead {name} is no base64 text; is the file damaged?") from None
    check_count(whole_of(data, "LeadByteCountTotal"), len(raw), "LeadByteCountTotal")
    if (whole_of(data, "LeadSampleSize") or 2) != 2 or len(raw) % 2:
        raise EcgError(f"lead {name} has not 2 bytes per sample; needed LeadSampleSize 2")
    check_count(whole_of(data, "LeadSampleCountTotal"), len(raw) // 2, "LeadSampleCountTotal")
    checksum = text_of(data, "LeadDataCRC32")
    # Converters write 0 for a checksum that they did not compute.
    if checksum not in {None, "0", str(zlib.crc32(raw))}:
        raise EcgError(f"lead {name} disagrees with its LeadDataCRC32; the file was altered")
    return np.frombuffer(raw, dtype="<i2")


def _acquired_at(root: Element) -> datetime | None:
    """``AcquisitionDate``, month first as MUSE writes it, and ``AcquisitionTime``."""
    date = text_of(root, "TestDemographics/AcquisitionDate") or ""
    time = _TIME.fullmatch(text_of(root, "TestDemographics/AcquisitionTime") or "")
    found = next((match for pattern in _DATES if (match := pattern.fullmatch(date))), None)
    if found is None or time is None:
        return None
    return moment([*found.group("year", "month", "day"), *time.groups()])
