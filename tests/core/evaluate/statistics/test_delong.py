"""DeLong's interval and test where they are special."""

import itertools

import numpy as np
import pytest

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics import StatisticsWarning, delong_ci, delong_test


def slow_variance(y, score):
    """The definition: variances of placements over all pairs of a case and a control."""
    cases, controls = score[y == 1], score[y == 0]
    wins = np.array(
        [
            [(c > d) + 0.5 * (c == d) for d, c in itertools.product(controls, [case])]
            for case in cases
        ]
    )
    return wins.mean(axis=1).var(ddof=1) / len(cases) + wins.mean(axis=0).var(ddof=1) / len(
        controls
    )


def test_the_variance_is_that_of_all_pairs(cases):
    found = delong_test(cases.y, cases.a, cases.b)
    assert found.variance_a == pytest.approx(slow_variance(cases.y, cases.a), rel=1e-12)
    assert found.variance_b == pytest.approx(slow_variance(cases.y, cases.b), rel=1e-12)


def test_models_of_different_scales_compare_by_their_order(cases):
    assert delong_test(cases.y, cases.a, cases.b) == delong_test(
        cases.y, 100 * cases.a - 3, cases.b**3
    )


def test_a_model_does_not_differ_from_itself(cases):
    found = delong_test(cases.y, cases.a, cases.a)
    assert (found.difference, found.z, found.p) == (0, 0, 1)


def test_two_perfect_models_do_not_differ():
    found = delong_test([0, 0, 1, 1], [1, 2, 3, 4], [1, 1, 2, 2])
    assert (found.auc_a, found.auc_b, found.z, found.p) == (1, 1, 0, 1)


def test_perfect_against_reversed_is_infinitely_many_standard_errors():
    found = delong_test([0, 0, 1, 1], [1, 2, 3, 4], [4, 3, 2, 1])
    assert (found.difference, found.z, found.p) == (1, np.inf, 0)


def test_an_auc_of_one_has_an_interval_without_width_and_a_warning():
    with pytest.warns(StatisticsWarning, match="AUC of 1"):
        found = delong_ci([0, 0, 1, 1], [1, 2, 3, 4])
    assert (found.estimate, found.low, found.high) == (1, 1, 1)


def test_limits_stay_within_0_and_1():
    found = delong_ci([0, 0, 1, 1], [1, 3, 2, 4])
    assert 0 <= found.low < found.estimate < found.high == 1


@pytest.mark.parametrize(
    ("y", "score", "message"),
    [
        ([1, 1, 1], [1, 2, 3], "one class only: 3 cases and 0 controls"),
        ([0, 0, 1], [1, 2, 3], "needs two of each"),
        ([0, 1, 1], [1, np.nan, 3], "NaN or infinite"),
        ([0, 1], [1, 2, 3], "lengths differ"),
        ([0, 1], np.eye(2), "scores of one output"),
        ([[0, 1], [1, 0]], [1, 2], "labels of one output"),
    ],
)
def test_delong_refuses_what_has_no_variance(y, score, message):
    with pytest.raises(EvaluationError, match=message):
        delong_ci(y, score)


def test_many_cases_take_less_than_all_pairs_would():
    rng = np.random.default_rng(0)
    y = np.arange(200_000) % 2
    # 10 thousand million pairs; the order alone takes a fraction of a second.
    found = delong_ci(y, rng.normal(size=len(y)) + y)
    assert found.high - found.low < 0.005
