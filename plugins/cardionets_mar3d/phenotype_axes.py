"""Free coordinates of the 82 phenotypes: whatever their values, the phenotypes obey physiology.

Volumes, areas and thicknesses are positive, the smallest of a chamber or vessel is below its
largest, and what follows from others is computed from them: stroke volume, ejection fraction,
cardiac output (from a heart rate) and distensibility (from a pulse pressure).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from cardionets_core.cmr.phenotypes import FIELD_IDS

# First column of (largest volume, smallest volume, stroke volume, ejection fraction).
_CHAMBERS = tuple(FIELD_IDS.index(field) for field in (24100, 24106, 24110, 24114))
_LV, _RV = _CHAMBERS[:2]
_OUTPUT, _MASS = FIELD_IDS.index(24104), FIELD_IDS.index(24105)
# First column of (largest area, smallest area, distensibility).
_VESSELS = tuple(FIELD_IDS.index(field) for field in (24118, 24121))
_WALLS = slice(FIELD_IDS.index(24124), FIELD_IDS.index(24140))
_WALL = FIELD_IDS.index(24140)
# Segments, and the global one that follows them: circumferential, radial, longitudinal.
_STRAINS = tuple(
    (slice(FIELD_IDS.index(first), FIELD_IDS.index(last)), FIELD_IDS.index(last))
    for first, last in ((24141, 24157), (24158, 24174), (24175, 24181))
)
_POSITIVE = (
    *(column for first in _CHAMBERS for column in range(first, first + 4)),
    _OUTPUT,
    _MASS,
    *(column for first in _VESSELS for column in range(first, first + 3)),
    *range(_WALLS.start, _WALL + 1),
)
AXES = 74


def plausible(phenotypes: Tensor) -> Tensor:
    """Which rows of phenotypes (n, 82) a living heart could have, (n,).

    All are finite; volumes, areas, masses and thicknesses are above 0, strains within 100 %, and
    what is smallest is below what is largest, so that ejection fractions are between 0 and 100 %.
    """
    strains = phenotypes[:, _STRAINS[0][0].start :]
    sound = phenotypes.isfinite().all(dim=1) & (phenotypes[:, _POSITIVE] > 0).all(dim=1)
    sound &= (strains.abs() < 100).all(dim=1)
    for first in (*_CHAMBERS, *_VESSELS):
        sound &= phenotypes[:, first + 1] < phenotypes[:, first]
    return sound


def to_axes(phenotypes: Tensor) -> Tensor:
    """Plausible phenotypes (n, 82) in field order and units to coordinates (n, 74).

    Stroke volumes and ejection fractions are not looked at.
    """
    p = phenotypes
    columns = []
    for first in _CHAMBERS:
        columns += _largest_and_ratio(p[:, first], p[:, first + 1])
    left, right = (p[:, first] - p[:, first + 1] for first in (_LV, _RV))
    # Both ventricles eject nearly the same, which two volumes and two ratios would not keep.
    columns[2 * _CHAMBERS.index(_RV)] = (right / left).log()
    columns += [(p[:, _OUTPUT] / left).log(), p[:, _MASS].log()]
    for first in _VESSELS:
        largest, smallest, distensibility = p[:, first : first + 3].unbind(dim=1)
        columns += _largest_and_ratio(largest, smallest)
        columns.append(((largest / smallest - 1) / distensibility).log())
    walls = p[:, _WALLS]
    parts = [torch.stack(columns, 1), walls.log(), (p[:, [_WALL]] / _mean(walls)).log()]
    for segments, whole in _STRAINS:
        parts += [p[:, segments], p[:, [whole]] - _mean(p[:, segments])]
    return torch.cat(parts, dim=1)


def from_axes(axes: Tensor) -> Tensor:
    """Coordinates (n, 74) to phenotypes (n, 82) in field order and units."""
    chambers, others, vessels, walls, wall, *strains = torch.split_with_sizes(
        axes, [2 * len(_CHAMBERS), 2, 3 * len(_VESSELS), 16, 1, 16, 1, 16, 1, 6, 1], dim=1
    )
    p = axes.new_zeros(len(axes), len(FIELD_IDS))
    for first, (size, ratio) in zip(_CHAMBERS, _groups(chambers, 2), strict=True):
        # The right ventricle's size stands as its stroke volume over the left one's.
        right = first == _RV
        log_largest = p[:, _LV + 2].log() + size - logsigmoid(-ratio) if right else size
        largest, smallest = _from_ratio(log_largest, ratio)
        stroke_volume = largest - smallest
        p[:, first : first + 4] = torch.stack(
            [largest, smallest, stroke_volume, 100 * stroke_volume / largest], dim=1
        )
    p[:, _OUTPUT] = others[:, 0].exp() * p[:, _LV + 2]
    p[:, _MASS] = others[:, 1].exp()
    for first, (log_largest, ratio, pressure) in zip(_VESSELS, _groups(vessels, 3), strict=True):
        largest, smallest = _from_ratio(log_largest, ratio)
        distensibility = (largest / smallest - 1) / pressure.exp()
        p[:, first : first + 3] = torch.stack([largest, smallest, distensibility], dim=1)
    p[:, _WALLS] = walls.exp()
    p[:, [_WALL]] = wall.exp() * _mean(walls.exp())
    for (segments, whole), own, beyond in zip(_STRAINS, strains[::2], strains[1::2], strict=True):
        p[:, segments], p[:, [whole]] = own, _mean(own) + beyond
    return p


def _groups(columns: Tensor, size: int) -> list[tuple[Tensor, ...]]:
    """Columns (n, k * size) as k tuples of ``size`` columns (n,)."""
    return [
        group.unbind(dim=1)
        for group in columns.split_with_sizes([size] * (columns.shape[1] // size), dim=1)
    ]


def _largest_and_ratio(largest: Tensor, smallest: Tensor) -> list[Tensor]:
    """Logarithm of the largest (n,), and logit of the part of it that the smallest is."""
    return [largest.log(), torch.logit(smallest / largest)]


def _mean(segments: Tensor) -> Tensor:
    return segments.mean(dim=1, keepdim=True)


def _from_ratio(log_largest: Tensor, ratio: Tensor) -> tuple[Tensor, Tensor]:
    """Largest and smallest (n,), from what ``_largest_and_ratio`` gives."""
    largest = log_largest.exp()
    return largest, largest * ratio.sigmoid()
