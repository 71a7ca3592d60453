"""Sex, age, size, fitness and blood pressure: what a subject is before any disease."""

from dataclasses import dataclass

import numpy as np

from cardionets_simulated.columns import Columns, by_sex
from cardionets_simulated.streams import Array, Draws


@dataclass(frozen=True, eq=False)
class Body(Columns):
    """The body, each field (n,).

    Scores are differences from a typical subject in units of about one SD; the letters in brackets
    are those of the cohort's definition.

    Attributes:
        male: 1 for men, 0 for women [m].
        age_years: Age at the visit.
        age_score: (age - 64) / 7.7 [A].
        height_cm: Height.
        bmi: Body mass index in kg/m2.
        bmi_score: (BMI - 26.6) / 4 [B].
        bsa_m2: Body surface area, Mosteller 1987.
        size_score: Logarithm of BSA over the sex's typical BSA [b].
        fitness: Fitness, about one SD per unit [f].
        sbp_mmhg: Systolic blood pressure.
        pressure_score: (SBP - 136) / 16 [S].
        remodelling: Hypertensive remodelling, 0 to 3 [t].
    """

    male: Array
    age_years: Array
    age_score: Array
    height_cm: Array
    bmi: Array
    bmi_score: Array
    bsa_m2: Array
    size_score: Array
    fitness: Array
    sbp_mmhg: Array
    pressure_score: Array
    remodelling: Array


def make_body(draws: Draws) -> Body:
    """Sex, age, size, fitness and pressure of every subject."""
    male = (draws.u("sex") < 0.48).astype(np.float64)
    age = np.clip(64.0 + 7.7 * draws.z("age"), 45.0, 82.0)
    age_score = (age - 64.0) / 7.7
    height_cm = by_sex(male, 176.0, 163.0) + by_sex(male, 6.6, 6.2) * draws.z("height")
    bmi = np.clip(26.6 * np.exp(0.145 * draws.z("bmi") - 0.01), 17.0, 45.0)
    bmi_score = (bmi - 26.6) / 4.0
    weight_kg = bmi * (height_cm / 100.0) * (height_cm / 100.0)
    bsa_m2 = np.sqrt(height_cm * weight_kg / 3600.0)
    sbp = 136.0 + 3.0 * age_score + 3.0 * bmi_score + 14.5 * draws.z("sbp")
    pressure_score = (sbp - 136.0) / 16.0
    return Body(
        male=male,
        age_years=age,
        age_score=age_score,
        height_cm=height_cm,
        bmi=bmi,
        bmi_score=bmi_score,
        bsa_m2=bsa_m2,
        size_score=np.log(bsa_m2 / by_sex(male, 2.00, 1.74)),
        fitness=draws.z("fitness") - 0.25 * bmi_score,
        sbp_mmhg=sbp,
        pressure_score=pressure_score,
        remodelling=np.clip(pressure_score - 0.8, 0.0, 3.0),
    )
