"""The whole heart of a 4-chamber plane: ventricles, atria, valves, papillary muscle and fat."""

from dataclasses import dataclass

import numpy as np

from cardionets_simulated.cine_intervals import ROWS_MM, Interval, narrowed, row_share
from cardionets_simulated.cine_time import Cycle
from cardionets_simulated.cine_ventricles import Ventricles, make_ventricles
from cardionets_simulated.disease import Disease
from cardionets_simulated.heart import Heart
from cardionets_simulated.streams import Array

_ASPECT = 1.12
# Exponent of the atrial contour: 2 is an ellipse, more is boxier.
_ROUNDNESS = 2.3
_SEPTUM_MM = 3.2
_ATRIAL_WALL_MM = 2.0
_VALVE_MM = 2.2
_VALVE_GAP_MM = 1.5


@dataclass(frozen=True, eq=False)
class HeartShape:
    """Everything that moves, as intervals, and what depends on time.

    Attributes:
        ventricles: Both ventricles.
        fat: Ventricles with epicardial fat.
        la_blood: LA cavity.
        la_wall: LA cavity and wall.
        ra_blood: RA cavity.
        ra_wall: RA cavity and wall.
        papillary: Lateral papillary muscle.
        jet: Dark outflow of the LV.
        mitral: Mitral valve.
        tricuspid: Tricuspid valve.
        valve_opacity: 1 while the valves are shut, 0.25 when open, (frames,).
        ejection: Outflow, 0 to 1, (frames,).
    """

    ventricles: Ventricles
    fat: Interval
    la_blood: Interval
    la_wall: Interval
    ra_blood: Interval
    ra_wall: Interval
    papillary: Interval
    jet: Interval
    mitral: Interval
    tricuspid: Interval
    valve_opacity: Array
    ejection: Array


def make_heart_shape(
    heart: Heart, disease: Disease, *, height_cm: float, fat_mm: float, cycle: Cycle, phase: Array
) -> HeartShape:
    """The heart at phases of the cycle, (frames,)."""
    c = cycle.contraction(phase)[:, None]
    v = make_ventricles(heart, disease, height_cm, cycle, phase)
    septum_mm = -0.67 * v.base_half_mm
    la_low = septum_mm + 0.5 * _SEPTUM_MM
    ra_high = septum_mm - 0.5 * _SEPTUM_MM
    la_volume = _atrial_volume_ml(heart.la_max_ml, heart.la_ef_percent, c)
    ra_volume = _atrial_volume_ml(heart.ra_max_ml, heart.ra_ef_percent, c)
    la_area = 2050.0 * (la_volume / 66.0) ** 0.70
    ra_area = 1950.0 * (ra_volume / 80.0) ** 0.70
    la_blood, la_wall = _atrium(la_area, v.mitral_mm - _VALVE_GAP_MM, la_low, 1.0)
    ra_blood, ra_wall = _atrium(ra_area, v.tricuspid_mm - _VALVE_GAP_MM, ra_high, -1.0)
    shut = np.where(phase < cycle.systolic_fraction, 1.0, 0.25)
    return HeartShape(
        ventricles=v,
        fat=_fat(v, fat_mm),
        la_blood=la_blood,
        la_wall=la_wall,
        ra_blood=ra_blood,
        ra_wall=ra_wall,
        papillary=_papillary(v, c),
        jet=_jet(v),
        mitral=_valve(v.lv_blood, v.mitral_mm),
        tricuspid=_valve(v.rv_blood, v.tricuspid_mm),
        valve_opacity=shut,
        ejection=cycle.ejection(phase),
    )


def _atrial_volume_ml(largest: Array, ef_percent: Array, c: Array) -> Array:
    """Atria fill while the ventricles empty."""
    return np.asarray(largest * (1.0 - ef_percent / 100.0 * (1.0 - c)))


def _atrium(
    area_mm2: Array, plane_mm: Array, septum_mm: float, side: float
) -> tuple[Interval, Interval]:
    """Cavity, and cavity with wall, behind a valve plane and beside the atrial septum.

    Args:
        area_mm2: Cavity area, (frames, 1).
        plane_mm: Valve plane, (frames, 1).
        septum_mm: The septum's surface in r.
        side: 1 for the atrium lateral of the septum, -1 for the other.

    Returns:
        Both intervals.
    """
    half_width = np.sqrt(area_mm2 / (np.pi * _ASPECT))
    half_length = _ASPECT * half_width
    from_middle = (ROWS_MM - (plane_mm - half_length)) / half_length
    inside = np.clip(1.0 - np.abs(from_middle) ** _ROUNDNESS, 0.0, None)
    shape = inside ** (1.0 / _ROUNDNESS)
    half = shape * 0.5 * area_mm2 / shape.sum(axis=1, keepdims=True)
    middle = septum_mm + side * half_width
    blood = narrowed(middle - half, middle + half, (shape > 0).astype(np.float64))
    # The septum has a thickness of its own: the wall is drawn on the free side.
    outer = middle + side * (half + _ATRIAL_WALL_MM)
    inner = middle - side * half
    present = (shape > 0).astype(np.float64)
    return blood, narrowed(np.minimum(inner, outer), np.maximum(inner, outer), present)


def _fat(v: Ventricles, fat_mm: float) -> Interval:
    """A layer around both ventricles."""
    low = np.minimum(v.rv_wall.low_mm, v.lv_wall.low_mm)
    has_rv = v.rv_wall.high_mm > v.rv_wall.low_mm
    low = np.where(has_rv, low, v.lv_wall.low_mm)
    has_lv = (v.lv_wall.high_mm > v.lv_wall.low_mm).astype(np.float64)
    return narrowed(low - fat_mm, v.lv_wall.high_mm + fat_mm, has_lv)


def _papillary(v: Ventricles, c: Array) -> Interval:
    """An ellipse near the lateral wall, thicker in systole."""
    length_mm = v.length_mm - v.mitral_mm
    middle_a = v.length_mm - 0.47 * length_mm
    half = (2.6 + 0.8 * c) * np.sqrt(np.clip(1.0 - ((ROWS_MM - middle_a) / 6.0) ** 2, 0.0, None))
    middle_r = 0.62 * v.lv_blood.high_mm
    return narrowed(middle_r - half, middle_r + half, (half > 0).astype(np.float64))


def _jet(v: Ventricles) -> Interval:
    """The outflow tract, on the septal side of the base."""
    share = row_share(v.mitral_mm, v.mitral_mm + 0.30 * v.length_mm)
    return narrowed(0.70 * v.lv_blood.low_mm, 0.0 * v.lv_blood.low_mm, share)


def _valve(blood: Interval, plane_mm: Array) -> Interval:
    """A line across the inlet, as wide as the first full row of the ventricle."""
    first = np.clip(np.ceil(plane_mm - ROWS_MM[0]).astype(np.intp) + 1, 0, len(ROWS_MM) - 1)
    low = np.take_along_axis(blood.low_mm, first, axis=1)
    high = np.take_along_axis(blood.high_mm, first, axis=1)
    near = np.abs(ROWS_MM - plane_mm) <= 0.5 * _VALVE_MM
    return narrowed(low + 0.0 * ROWS_MM, high + 0.0 * ROWS_MM, near.astype(np.float64))
