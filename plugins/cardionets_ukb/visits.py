"""One visit of one participant: where its files are, and what the tables say of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from cardionets_ukb.facts import Facts


@dataclass(frozen=True)
class Visit:
    """All that reading a visit takes; small, and sent to a worker process.

    Attributes:
        ecg: File of the ECG below the source, or None.
        cine: File of the long-axis cines, likewise.
        sex: By the table.
        age_years: By the table, rounded down.
        day: Of the visit, by the table.
        phenotypes: By field id.
        diagnoses: ICD-10 codes with days from the visit; None where they are not known.
    """

    ecg: str | None = None
    cine: str | None = None
    sex: Literal["female", "male"] | None = None
    age_years: float | None = None
    day: date | None = None
    phenotypes: tuple[tuple[int, float], ...] = ()
    diagnoses: tuple[tuple[str, int], ...] | None = None


def visit_of(ecg: str | None, cine: str | None, facts: Facts) -> Visit:
    """Put together files and facts; diagnoses are not known without a date of the visit."""
    diagnoses = None
    if facts.visit_day is not None and facts.dated_codes is not None:
        diagnoses = tuple((code, when - facts.visit_day) for code, when in facts.dated_codes)
    return Visit(
        ecg=ecg,
        cine=cine,
        sex=facts.sex,
        age_years=facts.age_years,
        day=None if facts.visit_day is None else date.fromordinal(facts.visit_day),
        phenotypes=tuple(facts.phenotypes.items()),
        diagnoses=diagnoses,
    )
