from __future__ import annotations

from itertools import permutations

import pytest

from cardionets_core.errors import WeightsError
from cardionets_core.weights.licences import is_at_least_as_strict, strictest


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["MIT"], "MIT"),
        (["mit", "MIT"], "MIT"),
        (["MIT", "Apache-2.0"], "Apache-2.0"),
        (["MIT", "CC-BY-NC-4.0", "CC-BY-4.0"], "CC-BY-NC-4.0"),
        (["CC-BY-NC-4.0", "LicenseRef-credentialed"], "LicenseRef-credentialed"),
        (["LicenseRef-proprietary", "LicenseRef-credentialed"], "LicenseRef-proprietary"),
        (["CC-BY-SA-4.0", "CC-BY-NC-4.0"], "CC-BY-NC-SA-4.0"),
        (["ODbL-1.0", "MIT"], "ODbL-1.0"),
    ],
)
def test_strictest_licence_wins_in_any_order(licences: list[str], expected: str) -> None:
    assert {strictest(*order) for order in permutations(licences)} == {expected}


def test_unknown_licence_counts_as_stricter_than_any_known_one() -> None:
    assert strictest("LicenseRef-proprietary", "LicenseRef-hospital-x") == "LicenseRef-hospital-x"
    assert not is_at_least_as_strict("LicenseRef-proprietary", "LicenseRef-hospital-x")


def test_two_unknown_licences_cannot_be_told_apart() -> None:
    assert strictest("LicenseRef-a", "LicenseRef-b", "MIT") == "LicenseRef-unknown"


def test_child_may_be_stricter_but_not_freer_than_its_parents() -> None:
    assert is_at_least_as_strict("CC-BY-NC-4.0", "MIT")
    assert not is_at_least_as_strict("MIT", "CC-BY-NC-4.0")
    assert not is_at_least_as_strict("CC-BY-NC-4.0", "CC-BY-SA-4.0")


@pytest.mark.parametrize("licences", [[], [""], ["MIT", "  "]])
def test_missing_licence_is_refused(licences: list[str]) -> None:
    with pytest.raises(WeightsError, match="licence is"):
        strictest(*licences)
