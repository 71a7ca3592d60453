from __future__ import annotations

import pytest

from cardionets_core.ecg.units import mv_per
from cardionets_core.errors import EcgError


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("mV", 1.0),
        ("mv", 1.0),
        ("MV", 1.0),
        ("millivolts", 1.0),
        ("uV", 1e-3),
        ("\N{MICRO SIGN}V", 1e-3),
        ("\N{GREEK SMALL LETTER MU}V", 1e-3),
        ("V", 1e3),
        ("nV", 1e-6),
    ],
)
def test_units_of_voltage_are_understood_however_they_are_spelt(unit: str, factor: float):
    assert mv_per(unit) == factor


@pytest.mark.parametrize("unit", ["mmHg", "", "pm", "adu"])
def test_what_is_no_voltage_is_refused(unit: str):
    with pytest.raises(EcgError, match="needed mV"):
        mv_per(unit)
