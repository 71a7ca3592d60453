"""What a CardioSoft file says beside the signal; text that people wrote is left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

# Attribute, element below RestingECGMeasurements, and its unit; any of them may be empty.
_MEASUREMENTS = (
    ("ecg_ventricular_rate_bpm", "VentricularRate", "bpm"),
    ("ecg_rr_interval_ms", "RRInterval", "ms"),
    ("ecg_p_duration_ms", "PDuration", "ms"),
    ("ecg_pq_interval_ms", "PQInterval", "ms"),
    ("ecg_qrs_duration_ms", "QRSDuration", "ms"),
    ("ecg_qt_interval_ms", "QTInterval", "ms"),
    ("ecg_qtc_interval_ms", "QTCInterval", "ms"),
    ("ecg_p_axis_degrees", "PAxis", "degrees"),
    ("ecg_r_axis_degrees", "RAxis", "degrees"),
    ("ecg_t_axis_degrees", "TAxis", "degrees"),
)
_STATEMENTS = ("Interpretation/Diagnosis/DiagnosisText", "Interpretation/Conclusion/ConclusionText")
_NUMBER = re.compile(r"[+-]?\d{1,6}(?:\.\d{1,6})?", re.ASCII)
_SEXES: dict[str, Literal["female", "male"]] = {"female": "female", "male": "male"}
_OLDEST_YEARS = 130


@dataclass(frozen=True)
class EcgFacts:
    """What one file says; only what is understood.

    Attributes:
        sex: As typed in at the machine.
        age_years: Likewise.
        attributes: Measurements, pacemaker and quality, as columns of a cohort.
    """

    sex: Literal["female", "male"] | None = None
    age_years: float | None = None
    attributes: Mapping[str, str | float] = field(default_factory=dict)


def read_ecg_facts(path: Path) -> EcgFacts:
    """Read what a file says beside the signal.

    Args:
        path: A file that the ECG has been read from, so that its size and form are known to be
            those of one ECG.

    Returns:
        The facts; none where the document is not understood here.
    """
    try:
        root: Element = fromstring(path.read_bytes())
    except (DefusedXmlException, LookupError, OSError, ParseError, ValueError):
        return EcgFacts()
    return EcgFacts(
        sex=_SEXES.get(_text(root, "PatientInfo/Gender")),
        age_years=_age_years(root),
        attributes=_attributes(root),
    )


def _attributes(root: Element) -> dict[str, str | float]:
    said = [
        " ".join((found.text or "").lower().split())
        for path in _STATEMENTS
        for found in root.findall(path)
    ]
    attributes: dict[str, str | float] = {
        "ecg_poor_data_quality": float(any("poor data quality" in text for text in said))
    }
    pacemaker = _text(root, "PatientInfo/PaceMaker")
    if pacemaker in {"yes", "no"}:
        attributes["ecg_pacemaker"] = pacemaker
    for name, element, unit in _MEASUREMENTS:
        value = _number(root, f"RestingECGMeasurements/{element}", unit)
        if value is not None:
            attributes[name] = value
    return attributes


def _age_years(root: Element) -> float | None:
    age = _number(root, "PatientInfo/Age", "years")
    return age if age is not None and 0 <= age <= _OLDEST_YEARS else None


def _text(root: Element, path: str) -> str:
    return (root.findtext(path) or "").strip().lower()


def _number(root: Element, path: str, unit: str) -> float | None:
    found = root.find(path)
    if found is None or found.get("units", unit).strip().lower() != unit:
        return None
    text = (found.text or "").strip()
    return float(text) if _NUMBER.fullmatch(text) else None
