"""DICOM waveforms: 12-lead and general ECG, read with pydicom.

A file may hold several multiplex groups: the rhythm that was recorded, and a median beat computed
from it. Only the former is an ECG here. Messages quote nothing that the file says in words: it may
be a name.

Source: DICOM PS3.3 C.10.9 (Waveform module), PS3.16 CID 3001 (ECG leads).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cardionets_core.dicom_files import read_elements, understanding
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import EcgError
from cardionets_formats.declared import Declared, shown_as
from cardionets_formats.dicom_groups import rhythm_strip
from cardionets_formats.dicom_times import acquired_at
from cardionets_formats.limb_leads import derived_leads
from cardionets_formats.strip import to_record
from cardionets_formats.xml_bytes import content_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# 12-lead, general, and general with 32 bits.
_ECG_CLASSES = tuple(f"1.2.840.10008.5.1.4.1.1.9.1.{kind}" for kind in (1, 2, 4))
_KEYWORDS = (
    "SOPClassUID",
    "AcquisitionDateTime",
    "ContentDate",
    "ContentTime",
    "StudyDate",
    "StudyTime",
    "WaveformSequence",
)


def read(
    path: Path,
    *,
    units: str | None = None,
    sampling_rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
) -> EcgRecord:
    """Read the rhythm of a DICOM ECG; all else as in ``read_bytes``."""
    return read_bytes(
        content_of(path),
        "DICOM ECG",
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
    """Read the rhythm of a DICOM ECG that is in memory.

    Args:
        content: The file.
        shown: What messages call it.
        units: Unit of the channels, if it is to be checked, or the file does not say it.
        sampling_rate_hz: Rate, likewise.
        leads: Lead names, with or without the derived ones, if they are to be checked.

    Returns:
        Signal in mV with the step of each lead, in the order of the file; NaN where the file marks
        missing samples. Those of III, aVR, aVL and aVF that are not stored follow, derived.

    Raises:
        LeadError: If no channel is one of the twelve leads, one is doubled, or others are declared.
        SamplingRateError: If the rate is missing, impossible or not the declared one.
        EcgError: If it is no DICOM ECG, has no rhythm, or is damaged.
    """
    declared = Declared(units, sampling_rate_hz, leads)
    with shown_as(shown), understanding(EcgError):
        dataset = read_elements(io.BytesIO(content), _KEYWORDS, error=EcgError)
        _check_class(dataset)
        strip = rhythm_strip(dataset, declared)
        return to_record(
            strip, declared, acquired_at=acquired_at(dataset), derived=derived_leads(strip.leads)
        )


def _check_class(dataset: Dataset) -> None:
    if str(dataset.get("SOPClassUID", "")) not in _ECG_CLASSES:
        raise EcgError(
            "a DICOM file of another kind; needed 12-Lead ECG or General ECG Waveform Storage"
        )
