"""The waves of one heart beat as vectors in Frank's axes (x left, y down, z back)."""

from dataclasses import dataclass

import numpy as np

from cardionets_simulated.disease import Disease
from cardionets_simulated.ecg_parameters import EcgParameters
from cardionets_simulated.heart import Heart
from cardionets_simulated.streams import Array

TYPICAL_QRS_MS = 92.0
# Notches are slurs of a few milliseconds however wide the QRS is.
_NOTCH_WIDTH_MS = 4.5
# Half of the typical QRS; the R instant lies in the middle.
_HALF_QRS_MS = 46.0

# Where each artery's muscle lies, seen from the middle of the heart.
_TERRITORY_DIRECTIONS = np.array([[0.15, 0.0, -1.0], [0.95, 0.05, 0.3], [-0.05, 1.0, 0.25]])


@dataclass(frozen=True, eq=False)
class Waves:
    """Waves of a mean beat.

    Attributes:
        p: Times (ms from R), widths (ms) and vectors (mV, x y z) of the P waves, (2, 5).
        qrs: The same of the QRS waves, (waves, 5).
        t_vector_mv: T wave, (3,).
        st_vector_mv: ST segment, (3,).
        half_qrs_ms: From QRS onset to R, and from R to the J point.
    """

    p: Array
    qrs: Array
    t_vector_mv: Array
    st_vector_mv: Array
    half_qrs_ms: float


def rotation(axis_degrees: float, yaw_degrees: float, pitch_degrees: float) -> Array:
    """Rz(axis) Ry(yaw) Rx(pitch); positive angles turn x to y, x to z and y to z."""
    angles = np.radians([axis_degrees, yaw_degrees, pitch_degrees])
    (cz, cy, cx), (sz, sy, sx) = np.cos(angles), np.sin(angles)
    rz = np.array([[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]])
    ry = np.array([[cy, 0.0, -sy], [0.0, 1.0, 0.0], [sy, 0.0, cy]])
    rx = np.array([[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]])
    return np.asarray(rz @ ry @ rx)


def make_waves(ecg: EcgParameters, heart: Heart, disease: Disease) -> Waves:
    """The waves of one subject's mean beat."""
    k = float(ecg.qrs_ms) / TYPICAL_QRS_MS
    direction = np.array([disease.lad, disease.lcx, disease.rca]) @ _TERRITORY_DIRECTIONS
    turn = rotation(
        float(ecg.axis_degrees) - 42.0, float(ecg.yaw_degrees), float(ecg.pitch_degrees)
    )
    qrs = np.array(_qrs_waves(ecg, heart, disease, direction))
    widening = np.where(qrs[:, 1] == _NOTCH_WIDTH_MS, 1.0, k)
    qrs[:, 0] *= k
    qrs[:, 1] *= widening
    qrs[:, 2:] = qrs[:, 2:] @ turn.T
    area = (qrs[:, 1:2] * qrs[:, 2:]).sum(axis=0)
    qrs_direction = area / np.sqrt((area * area).sum())
    t_vector, st_vector = _repolarisation(ecg, heart, disease, direction, qrs_direction)
    return Waves(_p_waves(ecg, k), qrs, t_vector, st_vector, _HALF_QRS_MS * k)


def _p_waves(ecg: EcgParameters, k: float) -> Array:
    onset_ms = -_HALF_QRS_MS * k - ecg.pr_ms
    width_ms = 0.17 * ecg.p_ms
    right, left = ecg.p_right_mv, ecg.p_left_mv
    return np.array(
        [
            [onset_ms + 0.36 * ecg.p_ms, width_ms, 0.45 * right, right, -0.55 * right],
            [onset_ms + 0.66 * ecg.p_ms, width_ms, 1.15 * left, 0.75 * left, 0.95 * left],
        ]
    )


def _qrs_waves(
    ecg: EcgParameters, heart: Heart, disease: Disease, direction: Array
) -> list[list[float]]:
    """Time, width and vector of each QRS wave before widening and rotation."""
    v, s = float(ecg.voltage), float(ecg.septal_force)
    waves = [[-26.0, 8.0, -0.15 * s, -0.06 * s, -0.25 * s]]
    waves += _lbbb_waves(v) if heart.lbbb else _main_waves(v, float(ecg.anterior_force))
    if heart.rbbb:
        waves.append([40.0, 11.5, -0.60, 0.02, -0.62])
    r = float(ecg.rv_load)
    waves.append([6.0, 12.0, -0.75 * r, 0.25 * r, -0.80 * r])
    waves.append([28.0, 11.0, -0.55 * r, 0.05 * r, -0.05 * r])
    if disease.infarct:
        early = -0.85 * disease.infarct * v**0.5 * direction * np.array([0.75, 0.45, 0.62])
        later = -0.35 * disease.infarct * v * direction
        waves += [[-21.0, 9.5, *early], [0.0, 13.0, *later]]
    n = float(ecg.notch)
    waves.append([18.0, _NOTCH_WIDTH_MS, 0.22 * n * 0.8, -0.22 * n * 0.5, 0.22 * n * 0.3])
    waves.append([30.0, _NOTCH_WIDTH_MS, -0.16 * n * 0.5, 0.16 * n * 0.6, -0.16 * n * 0.3])
    return waves


def _main_waves(v: float, posterior: float) -> list[list[float]]:
    basal = v**0.7
    return [
        [-7.0, 9.5, 0.62 * v, 0.50 * v, (-0.14 + posterior) * v],
        [7.0, 10.0, 0.72 * v, 0.58 * v, (0.65 + posterior) * v],
        [27.0, 9.0, -0.14 * basal, -0.18 * basal, 0.34 * basal],
    ]


def _lbbb_waves(v: float) -> list[list[float]]:
    return [
        [-16.0, 10.0, 0.30 * v, 0.15 * v, 0.42 * v],
        [2.0, 14.0, 0.62 * v, 0.30 * v, 0.80 * v],
        [24.0, 12.5, 0.60 * v, 0.12 * v, 0.72 * v],
    ]


def _repolarisation(
    ecg: EcgParameters, heart: Heart, disease: Disease, direction: Array, qrs_direction: Array
) -> tuple[Array, Array]:
    """T and ST vectors in mV."""
    root_v = np.sqrt(ecg.voltage)
    turn = rotation(
        0.5 * (float(ecg.axis_degrees) - 42.0) + float(ecg.t_direction_degrees),
        0.4 * float(ecg.yaw_degrees),
        0.5 * float(ecg.pitch_degrees),
    )
    t = ecg.t_mv * (turn @ np.array([0.75, 0.55, -0.42]))
    # Against the QRS: repolarisation runs the wrong way in strain and in bundle branch block.
    t = t - 0.62 * ecg.strain * root_v * qrs_direction * np.array([1.0, 0.8, 0.35])
    st = -0.085 * ecg.strain * root_v * qrs_direction * np.array([1.0, 0.8, 0.5])
    if heart.lbbb:
        t = 0.25 * t - 0.40 * root_v * qrs_direction
        st = st - 0.13 * root_v * qrs_direction
    if heart.rbbb:
        t = t + np.array([0.08, 0.0, 0.13])
    t = t + ecg.rv_load * np.array([0.16, -0.22, 0.42])
    st = st + ecg.rv_load * np.array([0.02, -0.07, 0.06])
    t = t - (0.30 * disease.infarct + 0.20 * disease.ischaemia) * direction
    st = st + 0.04 * disease.infarct * direction
    st = st - 0.055 * disease.ischaemia * np.array([0.8, 0.5, -0.5])
    return t, st + ecg.j_point_mv * np.array([0.5, 0.5, -0.9]) + 0.10 * t
