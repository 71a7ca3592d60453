"""Chambers, walls, strains, conduction, aorta and filling: the latent heart.

The coefficients are the cohort's definition: tuned so that ECG and cine carry about the information
reported for UK Biobank, not estimated from patients.
"""

from dataclasses import dataclass

import numpy as np

from cardionets_simulated.body import Body
from cardionets_simulated.columns import Columns, by_sex, mean_of_rows
from cardionets_simulated.disease import Disease, logistic, territory
from cardionets_simulated.streams import Array, Draws

# Segment means, AHA 1 to 16, of UK Biobank fields 24124-24139 (estimates in the reference table).
WALL_MEANS_MM = np.array(
    [6.0, 6.9, 6.8, 6.0, 5.6, 5.7, 5.3, 6.2, 6.5, 5.6, 5.3, 5.2, 5.0, 5.6, 5.1, 4.9]
)
WALL_PATTERN = WALL_MEANS_MM / WALL_MEANS_MM.mean()
# Where hypertrophy thickens: the septum fully, the anterior wall by a third.
HCM_PATTERN = np.zeros(16)
HCM_PATTERN[np.array([2, 3, 8, 9, 14]) - 1] = 1.0
HCM_PATTERN[np.array([1, 7, 13]) - 1] = 0.35

# Rows of the repeated normals.
_WALL_ROWS = slice(0, 16)
_HCM_ROWS = slice(16, 32)
_FUNCTION_ROWS = slice(32, 48)
_LENGTH_ROW = 48


@dataclass(frozen=True, eq=False)
class Heart(Columns):
    """The latent heart; fields are (n,), those per AHA segment (16, n).

    Attributes:
        heart_rate_bpm: Heart rate at the ECG.
        lv_edv_ml: LV end-diastolic volume.
        lv_ef_percent: LV ejection fraction.
        lv_mass_g: LV mass.
        rv_edv_ml: RV end-diastolic volume.
        rv_ef_percent: RV ejection fraction.
        af: 1 in atrial fibrillation.
        la_max_ml: Largest LA volume.
        la_ef_percent: LA ejection fraction.
        ra_max_ml: Largest RA volume.
        ra_ef_percent: RA ejection fraction.
        wall_mm: End-diastolic wall thickness per AHA segment, (16, n).
        function: Regional function per AHA segment, mean 1, (16, n) [g].
        ecc_percent: Global circumferential strain.
        err_percent: Global radial strain.
        ell_percent: Global longitudinal strain.
        lbbb: 1 with left bundle branch block.
        rbbb: 1 with right bundle branch block.
        ascending_area_mm2: Largest ascending aortic area.
        descending_area_mm2: Largest descending aortic area.
        ascending_distensibility: In 1e-3/mmHg.
        descending_distensibility: In 1e-3/mmHg.
        pulse_pressure_mmhg: Pulse pressure.
        early_filling: Share of LV filling before atrial contraction [E].
        lv_length_score: Deviation of LV length from that of its volume, standard normal.
    """

    heart_rate_bpm: Array
    lv_edv_ml: Array
    lv_ef_percent: Array
    lv_mass_g: Array
    rv_edv_ml: Array
    rv_ef_percent: Array
    af: Array
    la_max_ml: Array
    la_ef_percent: Array
    ra_max_ml: Array
    ra_ef_percent: Array
    wall_mm: Array
    function: Array
    ecc_percent: Array
    err_percent: Array
    ell_percent: Array
    lbbb: Array
    rbbb: Array
    ascending_area_mm2: Array
    descending_area_mm2: Array
    ascending_distensibility: Array
    descending_distensibility: Array
    pulse_pressure_mmhg: Array
    early_filling: Array
    lv_length_score: Array

    @property
    def lv_stroke_volume_ml(self) -> Array:
        """LV stroke volume."""
        return self.lv_edv_ml * self.lv_ef_percent / 100.0

    @property
    def rv_stroke_volume_ml(self) -> Array:
        """RV stroke volume."""
        return self.rv_edv_ml * self.rv_ef_percent / 100.0


def make_heart(draws: Draws, body: Body, disease: Disease) -> Heart:
    """The heart that body and disease give."""
    heart_rate = _heart_rate(draws, body, disease)
    size = 0.12 * draws.z("lv_size") + 0.055 * body.fitness
    lv_edv, lv_ef, lv_mass = _left_ventricle(draws, body, disease, heart_rate, size)
    rv_edv, rv_ef = _right_ventricle(draws, body, disease, lv_edv * lv_ef / 100.0)
    af = _atrial_fibrillation(draws, body, disease)
    la_max, la_ef = _left_atrium(draws, body, disease, size=size, lv_ef=lv_ef, af=af)
    ra_max, ra_ef = _right_atrium(draws, body, disease, size=size, rv_ef=rv_ef, af=af)
    lbbb, rbbb = _bundle_branch_block(draws, body, disease)
    return Heart(
        heart_rate_bpm=heart_rate,
        lv_edv_ml=lv_edv,
        lv_ef_percent=lv_ef,
        lv_mass_g=lv_mass,
        rv_edv_ml=rv_edv,
        rv_ef_percent=rv_ef,
        af=af,
        la_max_ml=la_max,
        la_ef_percent=la_ef,
        ra_max_ml=ra_max,
        ra_ef_percent=ra_ef,
        wall_mm=_walls(draws, disease, lv_mass, lv_edv),
        function=_regional_function(draws, disease, lbbb),
        lbbb=lbbb,
        rbbb=rbbb,
        early_filling=_early_filling(draws, body, disease, af),
        lv_length_score=draws.repeated[_LENGTH_ROW],
        **_strains(draws, body, disease, lv_ef),
        **_aorta(draws, body),
    )


def _heart_rate(draws: Draws, body: Body, d: Disease) -> Array:
    rate = 62.0 - 3.5 * body.fitness + 1.2 * body.bmi_score + 8.0 * draws.z("heart_rate")
    rate = rate + 8.0 * d.dcm + 6.0 * d.hfr + 7.0 * d.ph + 5.0 * d.rcm - 2.0 * d.ischaemia
    return np.clip(rate, 42.0, 115.0)


def _left_ventricle(
    draws: Draws, body: Body, d: Disease, heart_rate: Array, size: Array
) -> tuple[Array, Array, Array]:
    """End-diastolic volume in mL, ejection fraction in % and mass in g."""
    log_edv = np.log(by_sex(body.male, 158.0, 121.0)) + 0.85 * body.size_score + size
    log_edv = log_edv - 0.03 * body.age_score - 0.035 * (heart_rate - 62.0) / 10.0
    log_edv = log_edv + 0.55 * d.dcm - 0.20 * d.hcm - 0.08 * d.rcm - 0.14 * d.ph
    log_edv = log_edv + 0.22 * d.infarct + 0.32 * d.hfr - 0.03 * d.hfp
    ef = by_sex(body.male, 58.5, 61.0) + 4.2 * draws.z("contractility") + 0.4 * body.age_score
    ef = ef - 0.8 * body.fitness + body.remodelling - 33.0 * d.dcm + 7.0 * d.hcm - 5.0 * d.rcm
    ef = ef - 4.0 * d.ph - 17.0 * d.infarct - 19.0 * d.hfr - 2.0 * d.hfp
    # A straight line would drive the worst hearts below any EF seen in a living person.
    compressed = 25.0 - 8.0 * (1.0 - np.exp(-np.clip(25.0 - ef, 0.0, None) / 8.0))
    ef = np.where(ef < 25.0, compressed, ef)
    log_mass = np.log(by_sex(body.male, 101.0, 70.0)) + 0.7 * body.size_score + 0.55 * size
    log_mass = log_mass + 0.09 * draws.z("lv_mass") + 0.035 * body.pressure_score
    log_mass = log_mass + 0.08 * body.remodelling + 0.30 * d.dcm + 0.50 * d.hcm + 0.10 * d.rcm
    log_mass = log_mass + 0.05 * d.infarct + 0.20 * d.hfr + 0.18 * d.hfp
    return np.exp(log_edv), ef, np.exp(log_mass)


def _right_ventricle(
    draws: Draws, body: Body, d: Disease, lv_stroke_volume: Array
) -> tuple[Array, Array]:
    """End-diastolic volume in mL and ejection fraction in %."""
    own = 0.45 * draws.z("contractility") + 0.89 * draws.z("rv_contractility")
    ef = by_sex(body.male, 54.0, 58.0) + 4.6 * own - 22.0 * d.ph - 16.0 * d.dcm - 6.0 * d.rcm
    ef = np.clip(ef - 6.0 * d.hfr - 2.0 * d.infarct, 15.0, 78.0)
    # No shunt: both ventricles eject the same, so a weak right ventricle must dilate.
    stroke_volume = lv_stroke_volume * np.exp(0.05 * draws.z("rv_stroke_volume"))
    return 100.0 * stroke_volume / ef, ef


def _atrial_fibrillation(draws: Draws, body: Body, d: Disease) -> Array:
    risk = -4.0 + 0.6 * body.age_score + 0.4 * draws.z("la_size") + 1.3 * d.dcm + 0.9 * d.hcm
    risk = risk + 2.6 * d.rcm + 1.9 * d.hfp + 1.6 * d.hfr + d.ph
    return (draws.u("af") < logistic(risk)).astype(np.float64)


def _left_atrium(
    draws: Draws, body: Body, d: Disease, *, size: Array, lv_ef: Array, af: Array
) -> tuple[Array, Array]:
    """Largest volume in mL and ejection fraction in %."""
    log_max = np.log(by_sex(body.male, 70.0, 61.0)) + 0.55 * body.size_score + 0.5 * size
    log_max = log_max + 0.15 * draws.z("la_size") + 0.03 * body.age_score
    log_max = log_max + 0.03 * body.pressure_score + 0.05 * body.remodelling
    log_max = log_max + 0.36 * (d.dcm + d.hcm + d.hfp) + 0.68 * d.rcm + 0.25 * d.hfr
    log_max = log_max + 0.3 * af + 0.08 * d.infarct
    ef = 60.0 + 4.5 * draws.z("la_function") + 1.2 * body.fitness + 1.2 * draws.z("contractility")
    ef = ef - 2.0 * body.age_score + 0.125 * (lv_ef - 60.0) - 16.0 * d.dcm - 12.0 * d.hcm
    ef = ef - 24.0 * d.rcm - 12.0 * d.hfp - 10.0 * d.hfr - 18.0 * af
    return np.exp(log_max), np.clip(ef, 8.0, 80.0)


def _right_atrium(
    draws: Draws, body: Body, d: Disease, *, size: Array, rv_ef: Array, af: Array
) -> tuple[Array, Array]:
    """Largest volume in mL and ejection fraction in %."""
    log_max = np.log(by_sex(body.male, 90.0, 68.0)) + 0.55 * body.size_score + 0.5 * size
    log_max = log_max + 0.15 * draws.z("ra_size") + 0.48 * d.ph + 0.62 * d.rcm + 0.15 * d.dcm
    log_max = log_max + 0.25 * af + 0.1 * d.hfp
    ef = 45.0 + 6.0 * draws.z("ra_function") + body.fitness - 1.2 * body.age_score
    ef = ef + by_sex(body.male, -1.6, 1.6) + 0.3 * (rv_ef - 56.0)
    ef = ef - 14.0 * d.ph - 18.0 * d.rcm - 8.0 * d.dcm - 14.0 * af
    return np.exp(log_max), np.clip(ef, 6.0, 75.0)


def _walls(draws: Draws, d: Disease, lv_mass: Array, lv_edv: Array) -> Array:
    """End-diastolic wall thickness in mm, (16, n)."""
    global_mm = 6.0 * (lv_mass / 84.0) ** 0.9 * (lv_edv / 138.0) ** -0.52
    global_mm = global_mm * np.exp(0.04 * draws.z("wall"))
    pattern = WALL_PATTERN[:, None] * (1.0 + 0.035 * draws.repeated[_WALL_ROWS])
    growth = (1.15 * HCM_PATTERN[:, None] - 0.10) * (1.0 + 0.15 * draws.repeated[_HCM_ROWS])
    scar = 1.0 - 0.35 * d.infarct * territory(d)
    return global_mm * pattern * (1.0 + d.hcm * growth) * scar


def _regional_function(draws: Draws, d: Disease, lbbb: Array) -> Array:
    """Regional function, mean 1 over the segments, (16, n)."""
    septal = HCM_PATTERN[:, None]
    loss = 0.75 * d.infarct * territory(d) + 0.35 * d.hcm * septal + 0.20 * lbbb * septal
    function = np.clip(1.0 - loss, 0.12, None) * (1.0 + 0.045 * draws.repeated[_FUNCTION_ROWS])
    return function / mean_of_rows(function)


def _strains(draws: Draws, body: Body, d: Disease, lv_ef: Array) -> dict[str, Array]:
    """Global strains, by field of Heart."""
    e = lv_ef / 60.0
    con = draws.z("contractility")
    ecc = 1.0 + 0.045 * draws.z("ecc") + by_sex(body.male, -0.025, 0.025) + 0.015 * con
    ecc = -22.0 * e**0.95 * ecc * (1.0 - 0.05 * d.hcm)
    err = 1.0 + 0.06 * draws.z("err") + by_sex(body.male, -0.03, 0.03) + 0.02 * con
    err = 45.0 * e**1.2 * err
    ell = 1.0 + 0.05 * draws.z("ell") + 0.03 * body.fitness + by_sex(body.male, -0.035, 0.035)
    ell = -18.5 * e**0.85 * ell * (1.0 - 0.30 * d.hcm - 0.32 * d.rcm)
    ell = ell * (1.0 - 0.015 * body.age_score)
    return {"ecc_percent": ecc, "err_percent": err, "ell_percent": ell}


def _bundle_branch_block(draws: Draws, body: Body, d: Disease) -> tuple[Array, Array]:
    age_factor = np.exp(0.3 * body.age_score)
    p_left = 0.006 * age_factor + 0.38 * d.dcm + 0.15 * d.hfr + 0.04 * d.infarct + 0.03 * d.hcm
    left = draws.u("lbbb") < p_left
    right = ~left & (draws.u("rbbb") < 0.025 * age_factor + 0.15 * d.ph + 0.05 * d.rcm)
    return left.astype(np.float64), right.astype(np.float64)


def _aorta(draws: Draws, body: Body) -> dict[str, Array]:
    """Aortic areas, distensibilities and pulse pressure, by field of Heart."""
    a, s, b = body.age_score, body.pressure_score, body.size_score
    z1, z2 = draws.z("aortic_size"), draws.z("aortic_stiffness")
    ascending = by_sex(body.male, 880.0, 700.0) * np.exp(0.3 * b + 0.06 * a + 0.03 * s + 0.15 * z1)
    descending = by_sex(body.male, 560.0, 440.0) * np.exp(
        0.3 * b + 0.06 * a + 0.09 * z1 + 0.10 * draws.z("descending_size")
    )
    soft_ascending = 1.6 * np.exp(-0.30 * a - 0.12 * s + 0.35 * z2)
    soft_descending = 2.4 * np.exp(
        -0.22 * a - 0.10 * s + 0.175 * z2 + 0.22 * draws.z("descending_stiffness")
    )
    # The line through the means goes negative for the lowest pressures.
    pulse = np.clip(50.0 + 0.45 * (body.sbp_mmhg - 136.0) + 3.0 * a, 20.0, None)
    return {
        "ascending_area_mm2": ascending,
        "descending_area_mm2": descending,
        "ascending_distensibility": soft_ascending,
        "descending_distensibility": soft_descending,
        "pulse_pressure_mmhg": pulse,
    }


def _early_filling(draws: Draws, body: Body, d: Disease, af: Array) -> Array:
    early = 0.68 - 0.09 * body.age_score + 0.05 * body.fitness - 0.10 * body.remodelling
    early = early - 0.12 * d.hcm - 0.15 * d.hfp + 0.22 * d.rcm + 0.05 * draws.z("early_filling")
    # Without atrial contraction nearly all filling is early.
    return np.where(af > 0, 0.97, np.clip(early, 0.30, 0.92))
