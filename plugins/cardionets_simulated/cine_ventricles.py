"""Left and right ventricle in a 4-chamber plane, as intervals over the cardiac cycle."""

from dataclasses import dataclass

import numpy as np

from cardionets_simulated.cine_intervals import ROWS_MM, Interval, narrowed, row_share
from cardionets_simulated.cine_time import Cycle
from cardionets_simulated.disease import Disease
from cardionets_simulated.heart import Heart
from cardionets_simulated.streams import Array

# AHA segments that a 4-chamber plane cuts, apex to base.
_SEPTAL = np.array([14, 9, 3]) - 1
_LATERAL = np.array([16, 12, 6]) - 1
# Widest level of the LV, as distance from the apex over length.
_WIDEST = 0.62
# LBBB: the septum leads and the lateral wall lags, in shares of the cycle.
_SEPTAL_LEAD, _LATERAL_LAG = 0.05, 0.07


@dataclass(frozen=True, eq=False)
class Ventricles:
    """Intervals of both ventricles; planes are (frames, 1).

    Attributes:
        lv_blood: LV cavity.
        lv_wall: LV cavity and myocardium together.
        rv_blood: RV cavity.
        rv_wall: RV cavity and free wall together.
        mitral_mm: Mitral plane.
        tricuspid_mm: Tricuspid plane.
        length_mm: End-diastolic LV length.
        base_half_mm: End-diastolic half-width of the LV at its base.
    """

    lv_blood: Interval
    lv_wall: Interval
    rv_blood: Interval
    rv_wall: Interval
    mitral_mm: Array
    tricuspid_mm: Array
    length_mm: float
    base_half_mm: float


def lv_length_mm(heart: Heart, disease: Disease, height_cm: float) -> float:
    """End-diastolic LV length."""
    length = 93.0 * (heart.lv_edv_ml / 140.0) ** 0.30 * (height_cm / 170.0) ** 0.5
    spread = np.exp(0.035 * heart.lv_length_score)
    return float(length * spread * (1.0 - 0.02 * disease.dcm))


def lv_area_mm2(volume_ml: Array, length_mm: Array | float) -> Array:
    """Area of an LV whose area-length volume, 8 A^2 / (3 pi L), is volume_ml."""
    return np.sqrt(3.0 * np.pi * volume_ml * 1000.0 * length_mm / 8.0)


def make_ventricles(
    heart: Heart, disease: Disease, height_cm: float, cycle: Cycle, phase: Array
) -> Ventricles:
    """Both ventricles at phases of the cycle, (frames,)."""
    c = cycle.contraction(phase)[:, None]
    lv = _LeftVentricle(heart, disease, height_cm, cycle, phase[:, None])
    blood, wall = lv.intervals()
    # The tricuspid ring travels further the better the right ventricle ejects.
    tricuspid_mm = 4.0 + c * (11.0 + 14.0 * float(heart.rv_ef_percent) / 56.0)
    rv_blood, rv_wall = _right_ventricle(heart, disease, lv, c, tricuspid_mm)
    return Ventricles(
        lv_blood=blood,
        lv_wall=wall,
        rv_blood=rv_blood,
        rv_wall=rv_wall,
        mitral_mm=lv.mitral_mm,
        tricuspid_mm=tricuspid_mm,
        length_mm=lv.length_ed_mm,
        base_half_mm=float(lv.half_mm(np.array([[1.0]]), 0.0)[0, 0]),
    )


def _profile(u: Array) -> Array:
    """Relative half-width of the LV, u from the apex (0) to the base (1)."""
    below = 1.0 - ((_WIDEST - u) / _WIDEST) ** 2
    above = 1.0 - 0.36 * ((u - _WIDEST) / (1.0 - _WIDEST)) ** 2
    return np.sqrt(np.clip(np.where(u < _WIDEST, below, above), 0.0, None))


# Mean of the profile over u: a quarter circle and an arc of an ellipse, in closed form.
_PROFILE_MEAN = _WIDEST * np.pi / 4.0 + (1.0 - _WIDEST) * 0.5 * (0.8 + np.arcsin(0.6) / 0.6)


def _along(u: Array, apex_mid_base: Array) -> Array:
    """Interpolate three segment values along u."""
    apex, mid, base = apex_mid_base
    to_mid = np.clip((u - 0.20) / 0.30, 0.0, 1.0)
    to_base = np.clip((u - 0.50) / 0.33, 0.0, 1.0)
    return apex + (mid - apex) * to_mid + (base - mid) * to_base


class _LeftVentricle:
    """The LV's shape as a function of u (apex 0, base 1), frame by frame."""

    def __init__(
        self, heart: Heart, disease: Disease, height_cm: float, cycle: Cycle, phase: Array
    ) -> None:
        lbbb = float(heart.lbbb)
        self.heart = heart
        self.c = cycle.contraction(phase)
        self.c_septal = cycle.contraction(phase + _SEPTAL_LEAD * lbbb)
        self.c_lateral = cycle.contraction(phase - _LATERAL_LAG * lbbb)
        self.length_ed_mm = lv_length_mm(heart, disease, height_cm)
        self.length_mm = self._length_mm(self.c)
        self.mitral_mm = self.length_ed_mm - self.length_mm
        # Pressure from the right flattens the septum, most at end systole.
        self.flattening = 0.55 * float(disease.ph) * (0.5 + 0.5 * self.c)

    def _length_mm(self, c: Array | float) -> Array:
        return np.asarray(self.length_ed_mm * (1.0 + float(self.heart.ell_percent) / 100.0 * c))

    def area_mm2(self, c: Array | float) -> Array:
        """Cavity area at contraction c."""
        volume_ml = self.heart.lv_edv_ml - self.heart.lv_stroke_volume_ml * c
        return lv_area_mm2(volume_ml, self._length_mm(c))

    def half_mm(self, u: Array, c: Array | float) -> Array:
        """Half-width at level u if the wall moved evenly."""
        return self.area_mm2(c) / (2.0 * self._length_mm(c) * _PROFILE_MEAN) * _profile(u)

    def _halves_mm(self, u: Array) -> tuple[Array, Array]:
        """Septal and lateral half-width before the area is set right."""
        relaxed = self.half_mm(u, 0.0)
        function = self.heart.function
        inward = relaxed - self.half_mm(u, self.c_septal)
        septal = np.clip(relaxed - _along(u, function[_SEPTAL]) * inward, 0.5, None)
        inward = relaxed - self.half_mm(u, self.c_lateral)
        lateral = np.clip(relaxed - _along(u, function[_LATERAL]) * inward, 0.5, None)
        moved = septal * self.flattening
        return septal - moved, lateral + 0.8 * moved

    def _thickness_mm(self, u: Array, segments: Array, c: Array) -> Array:
        thickening = 0.9 * float(self.heart.err_percent) / 100.0 * c
        function = _along(u, self.heart.function[segments])
        return _along(u, self.heart.wall_mm[segments]) * (1.0 + thickening * function)

    def intervals(self) -> tuple[Interval, Interval]:
        """Cavity, and cavity with myocardium."""
        u = np.clip((self.length_ed_mm - ROWS_MM) / self.length_mm, 0.0, 1.0)
        septal, lateral = self._halves_mm(u)
        share = row_share(self.mitral_mm, self.length_ed_mm)
        # Regional motion, flattening and the grid change the area; the volume fixes it.
        scale = self.area_mm2(self.c) / ((septal + lateral) * share).sum(axis=1, keepdims=True)
        blood = narrowed(-septal * scale, lateral * scale, share)
        return blood, self._wall(scale)

    def _wall(self, scale: Array) -> Interval:
        apex_u = np.zeros((1, 1))
        septal = self._thickness_mm(apex_u, _SEPTAL, self.c)
        apical = 0.5 * (septal + self._thickness_mm(apex_u, _LATERAL, self.c))
        outer_apex_mm = self.length_ed_mm + apical
        u = np.clip((outer_apex_mm - ROWS_MM) / (self.length_mm + apical), 0.0, 1.0)
        septal, lateral = self._halves_mm(u)
        # Rounds the outer contour off at the apex.
        closing = np.sqrt(1.0 - (1.0 - np.minimum(u / 0.25, 1.0)) ** 2)
        septal = septal * scale + closing * self._thickness_mm(u, _SEPTAL, self.c_septal)
        lateral = lateral * scale + closing * self._thickness_mm(u, _LATERAL, self.c_lateral)
        share = row_share(self.mitral_mm, outer_apex_mm)
        self.outer_septal_mm = -septal
        return narrowed(-septal, lateral, (share > 0).astype(np.float64))


def _right_ventricle(
    heart: Heart, disease: Disease, lv: _LeftVentricle, c: Array, tricuspid_mm: Array
) -> tuple[Interval, Interval]:
    """RV cavity, and cavity with free wall, lying against the septum."""
    ph = float(disease.ph)
    volume_ml = heart.rv_edv_ml - heart.rv_stroke_volume_ml * c
    area_mm2 = 2550.0 * (volume_ml / 155.0) ** 0.72
    apex_mm = (0.93 + 0.06 * ph) * lv.length_ed_mm
    w = np.clip((apex_mm - ROWS_MM) / (apex_mm - tricuspid_mm), 0.0, 1.0)
    shape = w**0.8 * (1.0 - 0.22 * w**4) + 0.35 * ph * np.sin(np.pi * w)
    share = row_share(tricuspid_mm, apex_mm)
    width = shape * area_mm2 / (shape * share).sum(axis=1, keepdims=True)
    septum = lv.outer_septal_mm
    blood = narrowed(septum - width, septum, share)
    wall_mm = (2.8 + 3.2 * ph) * (1.0 + 0.25 * c)
    return blood, narrowed(septum - width - wall_mm, septum, (share > 0).astype(np.float64))
