"""The 82 phenotypes of UK Biobank category 157, measured with noise from the latent heart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cardionets_simulated.columns import mean_of_rows
from cardionets_simulated.physiology import Latents
from cardionets_simulated.streams import Array, Stream, draw_normals

FIRST_FIELD_ID = 24100
N_PHENOTYPES = 82
FIELD_IDS = tuple(range(FIRST_FIELD_ID, FIRST_FIELD_ID + N_PHENOTYPES))

# Segment means of UK Biobank fields 24141-24156, 24158-24173, 24175-24180 (estimates in the
# reference table); only their ratios are used.
_ECC_MEANS = np.array(
    [20.5, 18.5, 19.5, 20.5, 23.5, 24.0, 21.5, 20.0, 21.5, 22.5, 24.0, 24.0, 24.5, 25.0, 24.5, 25.0]
)
_ERR_MEANS = np.array(
    [44.0, 38.0, 38.0, 42.0, 50.0, 50.0, 44.0, 42.0, 44.0, 46.0, 52.0, 50.0, 46.0, 42.0, 46.0, 46.0]
)
_ELL_MEANS = np.array([18.0, 17.0, 17.0, 20.0, 19.0, 20.0])
# The six long-axis segments, as AHA segments.
ELL_SEGMENTS = np.array([3, 9, 14, 16, 12, 6])

# Rows of the measurement noise, in the order in which they are drawn.
_VOLUMES = slice(0, 9)
_AORTA = slice(9, 13)
_HEART_RATE = 13
_WALL = slice(14, 30)
_ECC = slice(30, 46)
_ERR = slice(46, 62)
_ELL = slice(62, 68)
_GLOBAL = slice(68, 71)
_N_NOISE = 71
# Coefficients of variation: LV EDV, ESV, mass; RV EDV, ESV; LA max, min; RA max, min.
_VOLUME_CV = np.array([0.035, 0.055, 0.045, 0.05, 0.075, 0.08, 0.11, 0.08, 0.09])
# Area and distensibility, ascending then descending.
_AORTA_CV = np.array([0.04, 0.25, 0.04, 0.25])
# An atrium that hardly empties must still not measure larger when it is smallest.
_MAX_MIN_RATIO = 0.98


def simulate_phenotypes(
    seed: int,
    indices: Sequence[int] | NDArray[np.int64],
    latents: Latents,
    strain_noise_scale: float = 1.0,
) -> Array:
    """Measure the 82 phenotypes.

    Args:
        seed: The cohort's seed.
        indices: Subject indices, (n,), those of latents.
        latents: Their latent physiology.
        strain_noise_scale: Multiplies the noise of segment strains. At 1 a small model can learn
            something; at 2.8 the segment SDs are those of UK Biobank.

    Returns:
        Phenotypes in UK Biobank field order 24100..24181 and units, (n, 82).
    """
    noise = draw_normals(seed, indices, Stream.PHENOTYPES, _N_NOISE)
    rows = [
        *_volume_rows(latents, noise),
        *_aorta_rows(latents, noise),
        *_wall_rows(latents, noise),
        *_strain_rows(latents, noise, strain_noise_scale),
    ]
    return np.ascontiguousarray(np.stack(rows).T)


def _volume_rows(latents: Latents, noise: Array) -> list[Array]:
    """Fields 24100-24117. Stroke volume, EF and output come from the noisy volumes."""
    heart = latents.heart
    true = np.stack(
        [
            heart.lv_edv_ml,
            heart.lv_edv_ml - heart.lv_stroke_volume_ml,
            heart.lv_mass_g,
            heart.rv_edv_ml,
            heart.rv_edv_ml - heart.rv_stroke_volume_ml,
            heart.la_max_ml,
            heart.la_max_ml * (1.0 - heart.la_ef_percent / 100.0),
            heart.ra_max_ml,
            heart.ra_max_ml * (1.0 - heart.ra_ef_percent / 100.0),
        ]
    )
    measured = true * np.exp(_VOLUME_CV[:, None] * noise[_VOLUMES])
    lv_edv, lv_esv, mass, rv_edv, rv_esv, la_max, la_min, ra_max, ra_min = measured
    lv = _with_stroke_volume(lv_edv, lv_esv)
    output_l_min = lv[2] * (heart.heart_rate_bpm + 3.5 * noise[_HEART_RATE]) / 1000.0
    return [
        *lv,
        output_l_min,
        mass,
        *_with_stroke_volume(rv_edv, rv_esv),
        *_with_stroke_volume(la_max, la_min),
        *_with_stroke_volume(ra_max, ra_min),
    ]


def _with_stroke_volume(largest: Array, smallest: Array) -> list[Array]:
    """Largest and smallest volume, stroke volume and ejection fraction in %."""
    smallest = np.minimum(smallest, _MAX_MIN_RATIO * largest)
    stroke_volume = largest - smallest
    return [largest, smallest, stroke_volume, 100.0 * stroke_volume / largest]


def _aorta_rows(latents: Latents, noise: Array) -> list[Array]:
    """Fields 24118-24123: largest and smallest area, distensibility; ascending, descending."""
    heart = latents.heart
    true = np.stack(
        [
            heart.ascending_area_mm2,
            heart.ascending_distensibility,
            heart.descending_area_mm2,
            heart.descending_distensibility,
        ]
    )
    measured = true * np.exp(_AORTA_CV[:, None] * noise[_AORTA])
    rows = []
    for area, distensibility in (measured[:2], measured[2:]):
        smallest = area / (1.0 + 1e-3 * distensibility * heart.pulse_pressure_mmhg)
        rows += [area, smallest, distensibility]
    return rows


def _wall_rows(latents: Latents, noise: Array) -> list[Array]:
    """Fields 24124-24140: 16 segments and their mean, in mm."""
    walls = latents.heart.wall_mm * np.exp(0.055 * noise[_WALL])
    return [*walls, mean_of_rows(walls)]


def _strain_rows(latents: Latents, noise: Array, scale: float) -> list[Array]:
    """Fields 24141-24181: segments and global of Ecc, Err and Ell, in %."""
    heart = latents.heart
    own = heart.function
    long_axis = np.ascontiguousarray(own[ELL_SEGMENTS - 1])
    rows: list[Array] = []
    for strain, regional, means, segment_noise, segment_sd, global_noise, global_sd in (
        (heart.ecc_percent, own, _ECC_MEANS, noise[_ECC], 1.5, noise[_GLOBAL][0], 0.45),
        (heart.err_percent, own**1.2, _ERR_MEANS, noise[_ERR], 4.2, noise[_GLOBAL][1], 1.3),
        (heart.ell_percent, long_axis**0.7, _ELL_MEANS, noise[_ELL], 1.6, noise[_GLOBAL][2], 0.45),
    ):
        pattern = (means / means.mean())[:, None]
        segments = strain * regional * pattern + scale * segment_sd * segment_noise
        rows += [*segments, mean_of_rows(segments) + global_sd * global_noise]
    return rows
