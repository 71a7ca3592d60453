"""The Wilson interval."""

import json
import os
from pathlib import Path

import pytest

from cardionets_core.evaluate.statistics import wilson_interval


@pytest.mark.parity("stats")
def test_wilson_interval_matches_r():
    root = os.environ.get("CARDIONETS_REFERENCE")
    if not root:
        pytest.skip("CARDIONETS_REFERENCE is unset: no reference values to compare with")
    cases = json.loads((Path(root) / "stats" / "expected.json").read_text())["wilson"]
    assert cases
    for case in cases:
        found = wilson_interval(case["x"], case["n"], case["confidence"])
        assert found == pytest.approx((case["lower"], case["upper"]), rel=0, abs=1e-12)


def test_wilson_interval_of_the_reader_study_is_that_of_the_paper():
    assert wilson_interval(97, 111) == pytest.approx((0.7994, 0.9234), abs=5e-5)


def test_wilson_interval_ends_are_exact():
    assert wilson_interval(0, 10)[0] == 0.0
    assert wilson_interval(10, 10)[1] == 1.0


def test_wilson_interval_takes_shared_successes():
    low, high = wilson_interval(2.5, 10)
    assert wilson_interval(2, 10)[0] < low < 0.25 < high < wilson_interval(3, 10)[1]


@pytest.mark.parametrize(
    ("k", "n", "confidence", "message"),
    [
        (1, 0, 0.95, "at least one trial"),
        (11, 10, 0.95, "between 0 and n = 10"),
        (-1, 10, 0.95, "between 0 and n = 10"),
        (float("nan"), 10, 0.95, "between 0 and n = 10"),
        (1, 10, 1.0, "between 0 and 1"),
    ],
)
def test_wilson_interval_refuses_what_is_no_proportion(k, n, confidence, message):
    with pytest.raises(ValueError, match=message):
        wilson_interval(k, n, confidence)
