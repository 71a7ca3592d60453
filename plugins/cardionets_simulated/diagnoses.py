"""ICD-10 codes of the simulated diseases, with first dates relative to the imaging visit."""

from math import log
from typing import NamedTuple

from cardionets_simulated.disease import Disease
from cardionets_simulated.streams import Stream, generator

# A hundredth of the codes is first recorded after the visit, so that a rule that rejects such codes
# has something to reject.
LATE_FRACTION = 0.01
_MEAN_DAYS_BEFORE = 1800.0
_MOST_DAYS_BEFORE = 12_000
_MOST_DAYS_AFTER = 2_000
# Four diseases, each with a uniform for the code, for the delay and for being late.
_N_DRAWS = 12


class Diagnosis(NamedTuple):
    """A diagnosis.

    Attributes:
        icd10: Code with its dot, such as "I42.0".
        days_from_visit: First date, in days from the visit; negative before it.
    """

    icd10: str
    days_from_visit: int


def simulate_diagnoses(
    seed: int, index: int, disease: Disease, late_fraction: float = LATE_FRACTION
) -> tuple[Diagnosis, ...]:
    """The diagnoses of one subject.

    Args:
        seed: The cohort's seed.
        index: The subject's index.
        disease: Its diseases, scalars.
        late_fraction: Share of codes whose first date lies after the visit.

    Returns:
        At most one code each of coronary disease, heart failure, cardiomyopathy, pulmonary
        hypertension, in this order.

    Raises:
        ValueError: If late_fraction is not between 0 and 1.
    """
    if not 0.0 <= late_fraction <= 1.0:
        raise ValueError(f"late_fraction {late_fraction} is not a share; use 0 to 1")
    draws = generator(seed, index, Stream.DIAGNOSES).random(_N_DRAWS).reshape(-1, 3)
    present = (disease.cad, disease.heart_failure, disease.cm, disease.ph)
    codes = (_coronary_code, _failure_code, _cardiomyopathy_code, _pulmonary_code)
    return tuple(
        Diagnosis(code(disease, float(u[0])), _days(float(u[1]), bool(u[2] < late_fraction)))
        for has, code, u in zip(present, codes, draws, strict=True)
        if has
    )


def _days(u: float, late: bool) -> int:
    if late:
        return 1 + int(u * _MOST_DAYS_AFTER)
    return -1 - min(int(-_MEAN_DAYS_BEFORE * log(1.0 - u)), _MOST_DAYS_BEFORE)


def _coronary_code(disease: Disease, u: float) -> str:
    if disease.infarct:
        return "I21.9" if u < 0.6 else "I25.2"
    return "I25.1" if u < 0.6 else "I20.9"


def _failure_code(disease: Disease, u: float) -> str:
    if disease.hfr:
        return "I50.1"
    return "I50.0" if u < 0.5 else "I50.9"


def _cardiomyopathy_code(disease: Disease, u: float) -> str:
    if disease.dcm:
        return "I42.0"
    if disease.rcm:
        return "I42.5"
    return "I42.1" if u < 0.3 else "I42.2"


def _pulmonary_code(_disease: Disease, u: float) -> str:
    return "I27.0" if u < 0.2 else "I27.2"
