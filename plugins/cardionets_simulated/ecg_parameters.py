"""The parameters of a subject's ECG, from the latent physiology; vectorised over subjects."""

from dataclasses import dataclass

import numpy as np

from cardionets_simulated.columns import Columns, by_sex, mean_of_rows
from cardionets_simulated.physiology import Latents
from cardionets_simulated.streams import NORMALS, UNIFORMS, Array

SEPTAL_SEGMENTS = np.array([2, 3, 8, 9, 14])
# Rows 0 to 48 of the repeated normals belong to the heart.
_NOTCH_ROW = 49


@dataclass(frozen=True, eq=False)
class EcgParameters(Columns):
    """What shapes one ECG; each field (n,).

    Attributes:
        heart_rate_bpm: Mean heart rate.
        qrs_ms: QRS duration.
        voltage: Amplitude of the main QRS forces [v].
        axis_degrees: Frontal QRS axis that is set.
        yaw_degrees: Rotation about the vertical.
        pitch_degrees: Rotation about the left-right line.
        p_ms: P duration.
        pr_ms: PR interval.
        p_left_mv: Left atrial P force; 0 in atrial fibrillation.
        p_right_mv: Right atrial P force; 0 in atrial fibrillation.
        qtc_ms: QT interval at 60/min.
        t_mv: T amplitude.
        strain: ST-T strain of hypertrophy.
        rv_load: Right ventricular load [r].
        septal_force: Initial septal force [s].
        j_point_mv: J point elevation.
        notch: QRS notching [n].
        rr_modulation: Respiratory modulation of the RR interval.
        t_skew: Asymmetry of T.
        t_direction_degrees: Extra rotation of T.
        anterior_force: Extra posterior part of the main forces [rho].
    """

    heart_rate_bpm: Array
    qrs_ms: Array
    voltage: Array
    axis_degrees: Array
    yaw_degrees: Array
    pitch_degrees: Array
    p_ms: Array
    pr_ms: Array
    p_left_mv: Array
    p_right_mv: Array
    qtc_ms: Array
    t_mv: Array
    strain: Array
    rv_load: Array
    septal_force: Array
    j_point_mv: Array
    notch: Array
    rr_modulation: Array
    t_skew: Array
    t_direction_degrees: Array
    anterior_force: Array


@dataclass(frozen=True, eq=False)
class _Ratios:
    """Sizes over those typical of the sex, and the ejection deficit; each (n,)."""

    mass: Array
    edv: Array
    rv_edv: Array
    ejection_deficit: Array


def _z(latents: Latents, name: str) -> Array:
    return latents.normals[NORMALS.index(name)]


def _ratios(latents: Latents) -> _Ratios:
    male, heart = latents.body.male, latents.heart
    return _Ratios(
        mass=heart.lv_mass_g / by_sex(male, 101.0, 70.0),
        edv=heart.lv_edv_ml / by_sex(male, 158.0, 121.0),
        rv_edv=heart.rv_edv_ml / by_sex(male, 170.0, 128.0),
        ejection_deficit=np.clip((55.0 - heart.lv_ef_percent) / 30.0, 0.0, 1.2),
    )


def ecg_parameters(latents: Latents) -> EcgParameters:
    """The ECG parameters of every subject in latents."""
    ratios = _ratios(latents)
    qrs_ms = _qrs_ms(latents, ratios)
    p_ms, pr_ms, p_left, p_right = _p_wave(latents)
    return EcgParameters(
        heart_rate_bpm=latents.heart.heart_rate_bpm,
        qrs_ms=qrs_ms,
        voltage=_voltage(latents, ratios),
        axis_degrees=_axis_degrees(latents, ratios),
        yaw_degrees=10.0 * _z(latents, "yaw") - 16.7 * np.log(ratios.edv),
        pitch_degrees=8.0 * _z(latents, "pitch"),
        p_ms=p_ms,
        pr_ms=pr_ms,
        p_left_mv=p_left,
        p_right_mv=p_right,
        qtc_ms=_qtc_ms(latents, qrs_ms),
        t_mv=_t_mv(latents, ratios),
        strain=_strain(latents, ratios),
        rv_load=0.85 * latents.disease.ph + 0.06 * np.clip(np.log(ratios.rv_edv) / 0.2, -1.0, 2.0),
        septal_force=_septal_force(latents),
        j_point_mv=_j_point_mv(latents),
        notch=_notch(latents, ratios),
        rr_modulation=_rr_modulation(latents, ratios),
        t_skew=0.8 * _z(latents, "t_skew")
        + 0.6 * (2.0 * latents.body.male - 1.0)
        + 0.4 * _z(latents, "contractility"),
        t_direction_degrees=11.0 * _z(latents, "t_direction") - 4.0 * latents.body.age_score,
        anterior_force=0.11 * _z(latents, "anterior_force") + 0.05 * latents.body.age_score,
    )


def _qrs_ms(latents: Latents, ratios: _Ratios) -> Array:
    male, heart, d = latents.body.male, latents.heart, latents.disease
    qrs = by_sex(male, 94.0, 87.0) + 0.09 * (heart.lv_edv_ml - by_sex(male, 158.0, 121.0))
    qrs = qrs + 0.07 * (heart.lv_mass_g - by_sex(male, 101.0, 70.0))
    qrs = qrs + 4.5 * _z(latents, "qrs_duration") + 48.0 * heart.lbbb + 40.0 * heart.rbbb
    qrs = qrs + 5.0 * ratios.ejection_deficit + 8.0 * d.ph + 7.0 * d.hcm
    return np.clip(qrs, 68.0, 190.0)


def _voltage(latents: Latents, ratios: _Ratios) -> Array:
    body, d = latents.body, latents.disease
    log_factor = -0.06 * body.bmi_score + 0.11 * _z(latents, "voltage") + 0.10 * d.hcm
    log_factor = log_factor - 0.80 * d.rcm - 0.10 * ratios.ejection_deficit - 0.03 * body.age_score
    return (by_sex(body.male, 1.0, 0.9) * ratios.mass) ** 0.60 * np.exp(log_factor)


def _axis_degrees(latents: Latents, ratios: _Ratios) -> Array:
    body, d = latents.body, latents.disease
    axis = 42.0 - 6.0 * body.age_score - 7.5 * body.bmi_score + 4.0 * body.fitness
    axis = axis - 7.0 * body.remodelling + 10.0 * _z(latents, "axis")
    axis = axis + 40.0 * np.log(ratios.rv_edv) + 65.0 * d.ph - 22.0 * latents.heart.lbbb
    axis = axis - 8.0 * d.hcm
    return axis + d.infarct * np.where(d.rca > 0, -14.0, 6.0)


def _p_wave(latents: Latents) -> tuple[Array, Array, Array, Array]:
    """P duration in ms, PR in ms, left and right atrial forces in mV."""
    body, heart, d = latents.body, latents.heart, latents.disease
    dilation = np.log(heart.la_max_ml / 65.0)
    p_ms = 104.0 + by_sex(body.male, 2.0, -2.0) + 26.0 * dilation + 2.5 * body.age_score
    p_ms = p_ms - 0.35 * (heart.la_ef_percent - 59.0) + 3.5 * _z(latents, "p_duration")
    pr_ms = 158.0 + 5.5 * body.age_score + by_sex(body.male, 3.0, -3.0) + 13.0 * _z(latents, "pr")
    pr_ms = pr_ms - 4.0 * (heart.heart_rate_bpm - 62.0) / 10.0 + 8.0 * d.rcm + 6.0 * d.dcm
    left = 0.55 * dilation - 0.012 * (heart.la_ef_percent - 59.0) + 0.15 * _z(latents, "p_left")
    right = 0.6 * np.log(heart.ra_max_ml / 78.0) + 0.3 * d.ph
    right = right + 0.010 * (heart.ra_ef_percent - 44.0) + 0.14 * _z(latents, "p_right")
    sinus = 1.0 - heart.af
    return (
        np.clip(p_ms, 75.0, 165.0),
        np.clip(pr_ms, 112.0, 280.0),
        0.052 * np.exp(left) * sinus,
        0.085 * np.exp(right) * sinus,
    )


def _qtc_ms(latents: Latents, qrs_ms: Array) -> Array:
    body, d = latents.body, latents.disease
    qtc = by_sex(body.male, 410.0, 423.0) + 9.0 * _z(latents, "qtc") + 3.0 * body.age_score
    qtc = qtc - 2.5 * _z(latents, "contractility") + 18.0 * d.dcm + 22.0 * d.hcm + 14.0 * d.hfr
    return qtc + 12.0 * d.infarct + 0.25 * (qrs_ms - 90.0)


def _t_mv(latents: Latents, ratios: _Ratios) -> Array:
    body, d = latents.body, latents.disease
    log_factor = 0.13 * _z(latents, "t_amplitude") + 0.19 * _z(latents, "contractility")
    log_factor = log_factor - 0.11 * body.age_score - 0.08 * body.bmi_score
    log_factor = log_factor + 0.10 * body.fitness - 0.10 * body.remodelling
    weakening = (1.0 - 0.55 * ratios.ejection_deficit) * (1.0 - 0.45 * d.rcm)
    weakening = weakening * (1.0 - 0.3 * d.ischaemia)
    return by_sex(body.male, 0.38, 0.26) * np.exp(log_factor) * weakening


def _strain(latents: Latents, ratios: _Ratios) -> Array:
    body, d = latents.body, latents.disease
    unspecific = latents.uniforms[UNIFORMS.index("strain_pattern")] < 0.03
    strain = 0.9 * d.hcm + 0.73 * body.remodelling * np.clip(ratios.mass - 0.95, 0.0, 1.0)
    strain = strain + 0.27 * d.hfp + 0.4 * d.dcm * (1.0 - latents.heart.lbbb)
    return strain + 0.2 * unspecific


def _septal_force(latents: Latents) -> Array:
    heart, d = latents.heart, latents.disease
    septum_mm = mean_of_rows(np.ascontiguousarray(heart.wall_mm[SEPTAL_SEGMENTS - 1]))
    force = 1.0 + 0.3 * _z(latents, "septal_force") + 0.66 * (septum_mm / 6.5 - 1.0)
    force = np.clip(force + 0.9 * d.hcm - 0.6 * d.infarct * d.lad, 0.05, 3.0)
    # In LBBB the septum is activated from right to left: the initial force all but vanishes.
    return force * np.where(heart.lbbb > 0, 0.15, 1.0)


def _j_point_mv(latents: Latents) -> Array:
    body = latents.body
    own = 0.014 * _z(latents, "j_point") + by_sex(body.male, 0.028, -0.028)
    return own + 0.012 * body.fitness - 0.008 * body.age_score


def _notch(latents: Latents, ratios: _Ratios) -> Array:
    d = latents.disease
    scarring = 0.5 * ratios.ejection_deficit + 0.45 * d.infarct + 0.3 * d.hcm
    return np.clip(scarring, 0.0, 1.0) * np.abs(latents.repeated[_NOTCH_ROW])


def _rr_modulation(latents: Latents, ratios: _Ratios) -> Array:
    log_factor = 0.28 * _z(latents, "rr_modulation") - 0.35 * latents.body.age_score
    log_factor = log_factor + 0.25 * latents.body.fitness - 0.6 * ratios.ejection_deficit
    return 0.035 * np.exp(log_factor)
