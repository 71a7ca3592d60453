"""Units of voltage, however a file spells them."""

from __future__ import annotations

from cardionets_core.errors import EcgError

# Keys without case: the CinC files write "mv", and nobody has recorded an ECG in megavolts.
_MV_PER_UNIT = {
    "v": 1e3,
    "volt": 1e3,
    "mv": 1.0,
    "millivolt": 1.0,
    "uv": 1e-3,
    "microv": 1e-3,
    "microvolt": 1e-3,
    "nv": 1e-6,
    "nanovolt": 1e-6,
}
_MICRO_SIGNS = str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})


def mv_per(unit: str) -> float:
    """Return how many mV one ``unit`` is.

    Args:
        unit: ``mV``, ``uV``, ``V`` or ``nV`` in any case, with either micro sign, or in words.

    Raises:
        EcgError: If the unit is none of these.
    """
    name = unit.strip().translate(_MICRO_SIGNS).lower().removesuffix("s")
    if name not in _MV_PER_UNIT:
        # Not quoted: in a broken file anything may stand in its place.
        raise EcgError("an unknown unit; needed mV, uV, V or nV: declare units='mV' or the like")
    return _MV_PER_UNIT[name]
