"""Paired permutation tests: what is exchanged with what."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate import statistics as st

Y = np.array([0, 1, 0, 1, 1, 0, 0, 1, 0])
A = np.array([0.1, 0.8, 0.4, 0.7, 0.3, 0.2, 0.6, 0.9, 0.35])
B = np.array([0.3, 0.6, 0.4, 0.2, 0.7, 0.5, 0.1, 0.8, 0.65])


def p_of_all_exchanges(metric, y, a, b, groups):
    """A loop over every way to exchange whole groups."""
    observed, hits, names = metric(y, a) - metric(y, b), 0, np.unique(groups)
    for coins in itertools.product([False, True], repeat=len(names)):
        exchange = np.array(coins)[np.searchsorted(names, groups)]
        first, second = np.where(exchange, b, a), np.where(exchange, a, b)
        hits += abs(metric(y, first) - metric(y, second)) >= abs(observed) - 1e-12
    return hits / 2 ** len(names)


@pytest.mark.parametrize("name", [n for n, m in st.METRICS.items() if m.target == "labels"])
def test_all_exchanges_of_labels_equal_a_loop_over_them(name):
    def metric(y, score):
        return st.evaluate_metric(name, y, score)

    found = st.paired_permutation_test(name, Y, A, B)
    assert found.exact
    assert found.p == pytest.approx(p_of_all_exchanges(metric, Y, A, B, np.arange(9)), abs=1e-12)


@pytest.mark.parametrize("name", [n for n, m in st.METRICS.items() if m.target == "values"])
def test_all_exchanges_of_values_equal_a_loop_over_them(name):
    truth = 100 + 10 * Y + np.arange(9)
    a, b = truth + 20 * (A - 0.5), truth + 30 * (B - 0.5)

    def metric(y, score):
        return st.evaluate_metric(name, y, score)

    found = st.paired_permutation_test(name, truth, a, b)
    assert found.p == pytest.approx(
        p_of_all_exchanges(metric, truth, a, b, np.arange(9)), abs=1e-12
    )


def test_a_function_is_tested_like_the_metric_of_that_name():
    def scikit(y, score, weight):
        return roc_auc_score(y, score, sample_weight=weight)

    slow, found = (st.paired_permutation_test(m, Y, A, B) for m in (scikit, "auc"))
    assert (slow.difference, slow.p) == pytest.approx((found.difference, found.p), abs=1e-12)


def test_a_subject_is_exchanged_in_all_of_its_rows():
    subjects = np.array([0, 1, 2, 3, 4, 0, 1, 2, 3])
    found = st.paired_permutation_test("auc", Y, A, B, clusters=subjects)
    assert found.permutations == 2**5
    assert found.p == pytest.approx(p_of_all_exchanges(roc_auc_score, Y, A, B, subjects), abs=1e-12)


def test_cells_are_averaged_and_a_subject_is_exchanged_in_each():
    fold = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])

    def mean_over_folds(y, score):
        return np.mean([average_precision_score(y[fold == f], score[fold == f]) for f in (0, 1)])

    found = st.paired_permutation_test("map", Y, A, B, cells=fold)
    expected = p_of_all_exchanges(mean_over_folds, Y, A, B, np.arange(9))
    assert found.difference == pytest.approx(mean_over_folds(Y, A) - mean_over_folds(Y, B))
    assert found.p == pytest.approx(expected, abs=1e-12)


def test_seeds_are_cells_in_which_subjects_stay_the_same():
    y, subjects = np.tile(Y, 2), np.tile(np.arange(9), 2)
    a, b, seeds = np.r_[A, A[::-1]], np.r_[B, A], np.repeat([1, 2], 9)
    by_seed = st.paired_permutation_test("auc", y, a, b, seeds=seeds, clusters=subjects)
    by_cell = st.paired_permutation_test("auc", y, a, b, cells=seeds, clusters=subjects)
    assert by_seed == by_cell
    assert by_seed.permutations == 2**9


def test_random_exchanges_come_near_all_of_them():
    exact = st.paired_permutation_test("map", Y, A, B)
    random = st.paired_permutation_test("map", Y, A, B, permutations=500, seed=3)
    assert not random.exact
    assert random.p == pytest.approx(exact.p, abs=4 * np.sqrt(exact.p * (1 - exact.p) / 500))


@pytest.mark.parametrize("name", ["auc", "map", "balanced_accuracy", "pearson"])
def test_a_model_does_not_differ_from_itself(cases, name):
    found = st.paired_permutation_test(name, cases.y, cases.a, cases.a, permutations=50)
    assert (found.difference, found.p) == (0, 1)


def test_p_is_uniform_when_models_are_alike():
    rng = np.random.default_rng(0)
    p = []
    for trial in range(200):
        y = np.arange(40) % 2
        signal = rng.normal(size=40) + y
        a, b = signal + rng.normal(size=(2, 40))
        p.append(st.paired_permutation_test("auc", y, a, b, permutations=199, seed=trial).p)
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.07)
    assert np.mean(p) == pytest.approx(0.5, abs=0.08)


def test_several_outputs_are_exchanged_together(cases):
    y = np.stack([cases.y, 1 - cases.y], axis=1)
    a, b = np.stack([cases.a, 1 - cases.a], axis=1), np.stack([cases.b, 1 - cases.b], axis=1)
    both = st.paired_permutation_test("auc", y, a, b, permutations=300)
    one = st.paired_permutation_test("auc", cases.y, cases.a, cases.b, permutations=300)
    assert both.difference == pytest.approx(one.difference)
    assert both.p == pytest.approx(one.p, abs=0.02)


def test_one_comparison_holds_the_interval_and_the_p_of_its_parts(cases):
    rules = {"cells": np.arange(len(cases.y)) % 2}
    found = st.compare_models(
        "auc", cases.y, cases.a, cases.b, resamples=200, permutations=200, **rules
    )
    interval = st.bootstrap_ci("auc", cases.y, cases.a, cases.b, resamples=200, **rules)
    test = st.paired_permutation_test("auc", cases.y, cases.a, cases.b, permutations=200, **rules)
    assert (found.low, found.high, found.p) == (interval.low, interval.high, test.p)
    assert found.difference == pytest.approx(interval.estimate, abs=1e-12)
    assert found.difference == pytest.approx(found.estimate_a - found.estimate_b, abs=1e-12)


def test_an_undefined_metric_is_refused(cases):
    with pytest.raises(EvaluationError, match="undefined"):
        st.paired_permutation_test("ppv", cases.y, cases.a, cases.b, threshold=2.0)
    with pytest.raises(ValueError, match="permutations = 0"):
        st.paired_permutation_test("auc", cases.y, cases.a, cases.b, permutations=0)


def test_statistics_come_without_torch():
    import subprocess
    import sys

    program = (
        "import sys, cardionets_core.evaluate.statistics\n"
        "sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
