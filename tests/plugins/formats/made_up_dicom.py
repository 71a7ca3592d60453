"""DICOM ECGs made up for tests, with a planted patient that must not be seen again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
CODES = dict(zip(LEADS, (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), strict=True))
TWELVE_LEAD, GENERAL = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.5.1.4.1.1.9.1.2"
PLANTED = ("PLANTEDNAME", "PLANTEDID42", "19330317")
_KINDS = {"i1": "SB", "u1": "UB", "i2": "SS", "u2": "US", "i4": "SL", "u4": "UL"}


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def channel(lead: str, sensitivity: float = 2.5, unit: str = "uV") -> Dataset:
    """A channel with the code of a lead."""
    item = Dataset()
    item.ChannelSourceSequence = [code(f"5.6.3-9-{CODES[lead]}", "SCPECG", f"Lead {lead}")]
    item.ChannelSensitivity = sensitivity
    item.ChannelSensitivityUnitsSequence = [code(unit, "UCUM", "unit")]
    item.ChannelSensitivityCorrectionFactor = 1
    item.ChannelBaseline = 0
    return item


def group(
    counts: np.ndarray,
    leads: Sequence[str] = LEADS,
    *,
    rate_hz: float = 500,
    label: str = "RHYTHM",
    originality: str = "ORIGINAL",
    byte_order: str = "<",
) -> Dataset:
    """A multiplex group of counts (leads, samples)."""
    item = Dataset()
    item.WaveformOriginality = originality
    item.NumberOfWaveformChannels = len(leads)
    item.NumberOfWaveformSamples = counts.shape[1]
    item.SamplingFrequency = rate_hz
    if label:
        item.MultiplexGroupLabel = label
    item.ChannelDefinitionSequence = [channel(lead) for lead in leads]
    item.WaveformBitsAllocated = 8 * counts.dtype.itemsize
    item.WaveformSampleInterpretation = _KINDS[counts.dtype.str[1:]]
    data = counts.T.astype(counts.dtype.newbyteorder(byte_order)).tobytes()
    item.add_new("WaveformData", "OW", data + bytes(len(data) % 2))
    return item


def median(samples: int = 600) -> Dataset:
    """A median beat without data, as one converter writes it."""
    return group(
        np.full((12, samples), -32768, np.int16), label="MEDIAN BEAT", originality="DERIVED"
    )


def dataset(*groups: Dataset, sop_class: str = TWELVE_LEAD) -> Dataset:
    """A whole object of some multiplex groups."""
    made = Dataset()
    made.SOPClassUID = sop_class
    made.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    made.AcquisitionDateTime = "20220304050607"
    made.PatientName, made.PatientID, made.PatientBirthDate = PLANTED
    made.WaveformSequence = list(groups)
    return made


def to_bytes(made: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    dcmwrite(file, made, enforce_file_format=True)
    return file.getvalue()


def write(folder: Path, counts: np.ndarray) -> Path:
    """A file with a rhythm and a median beat."""
    path = folder / "r1.dcm"
    path.write_bytes(to_bytes(dataset(median(), group(counts))))
    return path
