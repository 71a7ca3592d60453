"""What lies around the heart: chest wall, lung, liver, mediastinum, spine, descending aorta."""

import numpy as np

from cardionets_simulated.cine_intervals import PIXEL_MM, SIZE, Image
from cardionets_simulated.streams import Array

_CHEST_RADIUS_MM = 150.0
_MUSCLE_MM = 11.0
_MUSCLE, _LUNG, _AIR = 0.24, 0.06, 0.02
_N_SPECKS = 14
_TEXTURE_NODES = 9
_COLUMNS = np.arange(SIZE, dtype=np.float64)
_ROWS = _COLUMNS[:, None]


def _hat_basis() -> Array:
    """Smooth interpolation from texture nodes to pixels, (96, nodes)."""
    nodes = np.linspace(0.0, SIZE - 1.0, _TEXTURE_NODES)
    distance = np.abs(_COLUMNS[:, None] - nodes) / (nodes[1] - nodes[0])
    weight = np.where(distance < 1.0, 0.5 + 0.5 * np.cos(np.pi * np.minimum(distance, 1.0)), 0.0)
    return np.asarray(weight)


_TEXTURE_BASIS = _hat_basis()


def make_background(
    rng: np.random.Generator,
    fat_value: float,
    blood_value: float,
    bmi_score: float,
    aorta_area_mm2: float,
) -> Image:
    """Draw the background.

    Args:
        rng: The subject's cine stream; always the same number of draws.
        fat_value: Brightness of fat.
        blood_value: Brightness of slow blood.
        bmi_score: (BMI - 26.6) / 4: thickens the fat under the skin.
        aorta_area_mm2: Area of the descending aorta.

    Returns:
        Brightness between 0 and 1, (96, 96).
    """
    z = rng.standard_normal(12)
    specks = rng.random((_N_SPECKS, 4))
    nodes = rng.standard_normal((_TEXTURE_NODES, _TEXTURE_NODES))
    image = _soft_tissue(_LUNG + _specks(specks), z)
    texture = np.einsum("ri,ij,cj->rc", _TEXTURE_BASIS, nodes, _TEXTURE_BASIS)
    image = image * np.exp(0.12 * texture)
    radius = np.sqrt(aorta_area_mm2 / np.pi) / PIXEL_MM
    aorta = _ellipse(55.5 + z[7], 87.0 + z[8], radius, radius)
    image = _blend(image, 0.20, _ellipse(55.5 + z[7], 87.0 + z[8], radius + 0.8, radius + 0.8), 1.0)
    image = _blend(image, blood_value, aorta, 1.0)
    return _chest_wall(image, fat_value, bmi_score, z[9:12]).astype(np.float32)


def _soft_tissue(image: Array, z: Array) -> Array:
    """Mediastinum, liver and spine."""
    image = _blend(image, 0.27, _ellipse(34.0 + z[0], 83.0 + z[1], 24.0, 15.0), 3.0)
    liver = 0.36 * np.exp(0.08 * z[2])
    image = _blend(image, liver, _ellipse(2.0 + 2.0 * z[3], 98.0 + 2.0 * z[4], 36.0, 37.0), 1.2)
    return _blend(image, 0.34, _ellipse(39.0 + z[5], 94.0 + z[6], 9.0, 8.0), 1.2)


def _ellipse(column: float, row: float, half_width: float, half_height: float) -> Array:
    """About the distance inside an ellipse, in pixels, (96, 96); negative outside."""
    x, y = (_COLUMNS - column) / half_width, (_ROWS - row) / half_height
    return (1.0 - np.sqrt(x * x + y * y)) * min(half_width, half_height)


def _blend(image: Array, value: float, inside_px: Array, edge_px: float) -> Array:
    """Paint a value where inside_px is positive, over an edge of edge_px."""
    share = np.clip(0.5 + inside_px / edge_px, 0.0, 1.0)
    return image + share * (value - image)


def _specks(u: Array) -> Array:
    """Lung vessels in cross-section, (96, 96)."""
    width = 0.7 + 0.6 * u[:, 2]
    x = np.exp(-0.5 * ((_COLUMNS - SIZE * u[:, :1]) / width[:, None]) ** 2)
    y = np.exp(-0.5 * ((_COLUMNS - SIZE * u[:, 1:2]) / width[:, None]) ** 2)
    return np.einsum("k,kr,kc->rc", 0.05 + 0.18 * u[:, 3] ** 2, y, x)


def _chest_wall(image: Array, fat_value: float, bmi_score: float, z: Array) -> Array:
    """Muscle with ribs, fat and air as arcs around the lung."""
    x_mm = (_COLUMNS - 64.0 - 1.2 * z[0]) * PIXEL_MM
    y_mm = (_ROWS - 85.0 - 1.2 * z[1]) * PIXEL_MM
    outside_mm = np.sqrt(x_mm * x_mm + y_mm * y_mm) - _CHEST_RADIUS_MM
    angle = np.arctan2(y_mm, x_mm)
    depth = (outside_mm - 0.5 * _MUSCLE_MM) / (0.3 * _MUSCLE_MM)
    ribs = np.exp(-depth * depth) * np.clip(np.cos(13.0 * angle + z[2]), 0.0, 1.0)
    fat_mm = max(9.0 + 2.4 * bmi_score, 2.0)
    image = image + np.clip(0.5 + outside_mm / PIXEL_MM, 0.0, 1.0) * (_MUSCLE + 0.16 * ribs - image)
    for from_mm, value in ((_MUSCLE_MM, fat_value), (_MUSCLE_MM + fat_mm, _AIR)):
        image = _blend(image, value, (outside_mm - from_mm) / PIXEL_MM, 1.0)
    return image
