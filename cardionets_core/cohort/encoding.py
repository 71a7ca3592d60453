"""One subject as a row of the store."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cmr.phenotypes import FIELD_IDS
from cardionets_core.cohort import layout
from cardionets_core.cohort.signal import ecg_fingerprint, quantise
from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.ecg.quality import assess
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.ecg.resampling import canonicalise
from cardionets_core.errors import CohortError
from cardionets_core.interfaces import Diagnosis, Subject

_FIELD_ROW = {field_id: row for row, field_id in enumerate(FIELD_IDS)}
# What is larger is no measurement, and would be infinite as it is stored.
_LARGEST_PHENOTYPE = 1e30
_ICD10 = re.compile(rf"[A-Z][0-9A-Z]{{1,{layout.ICD10_BYTES - 1}}}")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, eq=False)
class Row:
    """One record, ready to be stored.

    Attributes:
        values: Column name to the row's value; bulky columns only where there is something.
        diagnoses: Code without dot, and days from the visit or ``layout.UNKNOWN_DAYS``.
        flags: Kinds of what is wrong with the ECG, or was changed to bring it into form.
        details: The same with leads and values, for people.
        attributes: Further columns of the source.
    """

    values: dict[str, Any]
    diagnoses: tuple[tuple[bytes, int], ...]
    flags: tuple[str, ...]
    details: str
    attributes: dict[str, str | float]


def encode(subject: Subject, origin: str) -> Row:
    """Bring a subject, as its source gives it, into the form of the store.

    Ids, role, split and fold are not set here: they are no property of the recording.

    Args:
        subject: What ``Dataset.read`` returned.
        origin: ``SubjectRef.origin``.

    Raises:
        CohortError: If there is neither ECG nor cine, or a part cannot be stored.
        EcgError: If the ECG cannot be brought into canonical form.
    """
    if subject.ecg is None and subject.cine is None:
        raise CohortError("found neither an ECG nor a cine; needed at least one of them")
    ecg, flags, details = _ecg(subject.ecg)
    values: dict[str, Any] = {
        "subject/sex": layout.SEXES.index(subject.sex) if subject.sex else layout.UNKNOWN,
        "subject/age_years": np.float32(np.nan if subject.age_years is None else subject.age_years),
        "subject/origin": _origin(origin),
        "phenotypes/values": _phenotypes(subject.phenotypes),
        "cine/present": subject.cine is not None,
    }
    values |= ecg
    if not subject.diagnoses_known:
        if subject.diagnoses:
            raise CohortError("found diagnoses of a record whose diagnoses are not known")
        # Set only here: what older cohorts hold keeps its digest.
        values["diagnoses/known"] = False
    if subject.cine is not None:
        values["cine/frames"] = _cine(subject.cine)
    diagnoses = tuple(_diagnosis(diagnosis) for diagnosis in subject.diagnoses)
    attributes = _attributes(subject)
    values["subject/digest"] = _digest(values, diagnoses, flags, attributes)
    return Row(values, diagnoses, flags, details, attributes)


def _ecg(record: EcgRecord | None) -> tuple[dict[str, Any], tuple[str, ...], str]:
    """ECG columns of a row, kinds of quality flags, and the flags in words."""
    if record is None:
        return {"ecg/present": False, "quality/usable": False}, (), ""
    canonical = canonicalise(record)
    verdict = assess(canonical)
    counts, scale_mv = quantise(canonical.signal_mv, canonical.lsb_mv)
    values = {
        "ecg/signal": counts,
        "ecg/scale_mv": scale_mv,
        "ecg/lead_mask": canonical.lead_mask,
        "ecg/derived": np.isin(CANONICAL_LEADS, canonical.derived),
        "ecg/present": True,
        "ecg/fingerprint": np.uint64(ecg_fingerprint(canonical.signal_mv)),
        "quality/usable": verdict.usable,
    }
    kinds = {flag.name for flag in verdict.flags} | set(canonical.adjusted)
    return values, tuple(sorted(kinds)), "; ".join(str(flag) for flag in verdict.flags)


def _cine(cine: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A cine, checked."""
    if cine.shape != layout.CINE_SHAPE or cine.dtype != np.uint8:
        raise CohortError(
            f"found a cine of shape {cine.shape} and type {cine.dtype}; needed "
            f"{layout.CINE_SHAPE} (frames, height, width) and uint8"
        )
    return cine


def _phenotypes(phenotypes: Mapping[int, float]) -> NDArray[np.float32]:
    """Phenotypes in field order, (82,); NaN where not measured."""
    values = np.full(len(FIELD_IDS), np.nan, dtype=np.float32)
    for field_id, value in phenotypes.items():
        if field_id not in _FIELD_ROW:
            raise CohortError(
                f"found a phenotype of field {field_id}; needed one of {FIELD_IDS[0]} "
                f"to {FIELD_IDS[-1]}; other numbers belong into the attributes"
            )
        values[_FIELD_ROW[field_id]] = value if abs(value) <= _LARGEST_PHENOTYPE else np.nan
    return values


def _diagnosis(diagnosis: Diagnosis) -> tuple[bytes, int]:
    """Code and days of one diagnosis, as stored."""
    code = diagnosis.icd10.strip().replace(".", "").upper()
    if not _ICD10.fullmatch(code):
        raise CohortError(
            "found a diagnosis that is no ICD-10 code; needed a letter and up to seven digits or "
            "letters"
        )
    days = diagnosis.days_from_visit
    return code.encode(), layout.UNKNOWN_DAYS if days is None else int(days)


def _attributes(subject: Subject) -> dict[str, str | float]:
    """Extra columns: text as it is, numbers as float; the source's ids may not be among them."""
    columns: dict[str, str | float] = {}
    for name, value in subject.attributes.items():
        if not _ATTRIBUTE_NAME.fullmatch(name):
            raise CohortError(f"{name!r} cannot name a column; needed letters, digits, - and _")
        if value in (subject.subject_id, subject.record_id):
            raise CohortError(f"attribute {name!r} holds the source's own id; leave it out")
        columns[name] = value if isinstance(value, str) else float(value)
    return columns


def _origin(origin: str) -> bytes:
    """Origin as stored."""
    encoded = origin.encode()
    if len(encoded) > layout.ORIGIN_BYTES:
        raise CohortError(
            f"found an origin of {len(encoded)} bytes; needed at most {layout.ORIGIN_BYTES}"
        )
    return encoded


def _digest(
    values: Mapping[str, Any],
    diagnoses: tuple[tuple[bytes, int], ...],
    flags: tuple[str, ...],
    attributes: Mapping[str, str | float],
) -> NDArray[np.uint8]:
    """SHA-256 of everything a row holds, truncated; the file's content hash is made of these."""
    digest = hashlib.sha256()
    for name in sorted(values):
        dtype = layout.COLUMN[name].dtype.newbyteorder("<")
        digest.update(name.encode() + b"\0" + np.asarray(values[name], dtype=dtype).tobytes())
    rest = [[(code.decode(), days) for code, days in diagnoses], list(flags), dict(attributes)]
    digest.update(json.dumps(rest, sort_keys=True).encode())
    return np.frombuffer(digest.digest()[: layout.DIGEST_BYTES], dtype=np.uint8)
