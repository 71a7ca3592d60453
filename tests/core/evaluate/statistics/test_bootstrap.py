"""Bootstrap intervals: what is resampled with what."""

import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate import statistics as st
from cardionets_core.evaluate.statistics import cells as engine
from cardionets_core.evaluate.statistics.draws import Draws, Units, units_of


def limits(interval):
    return interval.low, interval.high


def scikit_auc(y, score, weight):
    return roc_auc_score(y, score, sample_weight=weight)


def scikit_average_precision(y, score, weight):
    return average_precision_score(y, score, sample_weight=weight)


def scikit_r2(y, score, weight):
    return r2_score(y, score, sample_weight=weight)


@pytest.mark.parametrize(
    ("name", "function"),
    [("auc", scikit_auc), ("map", scikit_average_precision), ("r2", scikit_r2)],
)
@pytest.mark.parametrize("two_models", [False, True])
def test_blocks_give_the_limits_of_a_loop_over_scikit_learn(cases, name, function, two_models):
    scores = (cases.a, cases.b) if two_models else (cases.a,)
    # Regression resamples without strata, and a function of 0/1 labels would have some.
    rules = {"resamples": 200, "seed": 4, "stratified": name != "r2"}
    found = st.bootstrap_ci(name, cases.y, *scores, **rules)
    slow = st.bootstrap_ci(function, cases.y, *scores, **rules)
    assert found.estimate == pytest.approx(slow.estimate, abs=1e-12)
    assert limits(found) == pytest.approx(limits(slow), abs=1e-12)


def test_draws_are_as_many_as_the_stratum_has_and_fair():
    units = Units(np.arange(7), (4, 3))
    counts = Draws(units, 20_000, np.random.default_rng(0)).counts(20_000)
    assert (counts[:, :4].sum(axis=1) == 4).all()
    assert (counts[:, 4:].sum(axis=1) == 3).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(7), abs=0.03)
    assert counts[:, :4].var(axis=0) == pytest.approx(np.full(4, 3 / 4), abs=0.03)


def test_the_result_follows_from_the_seed_and_not_from_threads(cases, monkeypatch):
    monkeypatch.setattr(engine, "ROUNDS_PER_BLOCK", 1)
    monkeypatch.setattr(engine, "ELEMENTS_AT_ONCE", 5_000)
    first = st.bootstrap_ci("auc", cases.y, cases.a, resamples=500, seed=1)
    assert first != st.bootstrap_ci("auc", cases.y, cases.a, resamples=500, seed=2)
    monkeypatch.setattr(engine, "THREADS", 1)
    assert first == st.bootstrap_ci("auc", cases.y, cases.a, resamples=500, seed=1)


def test_the_order_of_rows_does_not_matter_without_ties():
    rng = np.random.default_rng(0)
    y, score = np.arange(80) % 2, rng.random(80)
    shuffled = rng.permutation(80)
    found = st.bootstrap_ci("auc", y, score, resamples=300)
    assert found == st.bootstrap_ci("auc", y[shuffled], score[shuffled], resamples=300)


def test_the_estimate_is_the_mean_over_cells(cases):
    cells = np.array(["one", "two", "three"])[np.arange(len(cases.y)) % 3]
    each = [st.auc(cases.y[cells == c], cases.a[cells == c]) for c in np.unique(cells)]
    found = st.bootstrap_ci("auc", cases.y, cases.a, cells=cells, resamples=100)
    assert found.estimate == pytest.approx(np.mean(each), abs=1e-12)


def test_cells_of_other_scales_do_not_disturb_each_other(cases):
    """Each fold's scores are ranked among themselves, which pooling would not do."""
    fold = np.arange(len(cases.y)) % 2
    found = st.bootstrap_ci("auc", cases.y, cases.a + 10 * fold, cells=fold, resamples=200)
    assert found == st.bootstrap_ci("auc", cases.y, cases.a, cells=fold, resamples=200)


def test_rows_are_drawn_within_their_cell_and_class():
    cells, classes = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 1, 0, 0, 1])
    units = units_of(None, cells, classes, np.arange(6))
    assert units.sizes == (1, 2, 2, 1)
    assert units.of_row.tolist() == [0, 1, 2, 3, 4, 5]


def test_subjects_are_drawn_whole_by_their_first_label():
    owner, classes = np.array([0, 0, 1, 1, 2]), np.array([1, 0, 0, 0, 1])
    units = units_of(owner, np.zeros(5, int), classes, np.arange(5))
    # Subject 1 is the only control; subjects 0 and 2 are cases by their first rows.
    assert units.sizes == (1, 2)
    assert units.of_row.tolist() == [1, 1, 0, 0, 2]


def test_subjects_are_drawn_within_folds_that_all_seeds_share():
    subjects = np.tile(np.arange(4), 2)
    folds = np.array([0, 0, 1, 1, 2, 2, 3, 3])  # folds 0 and 1 of one seed, 2 and 3 of another
    assert units_of(subjects, folds, None, np.arange(8)).sizes == (2, 2)
    crossing = np.array([0, 0, 1, 1, 2, 3, 2, 3])
    assert units_of(subjects, crossing, None, np.arange(8)).sizes == (4,)


def test_repeating_every_row_under_its_subject_changes_nothing(cases):
    subjects = np.arange(len(cases.y))
    once = st.bootstrap_ci("auc", cases.y, cases.a, clusters=subjects, resamples=500)
    twice = st.bootstrap_ci(
        "auc",
        np.tile(cases.y, 2),
        np.tile(cases.a, 2),
        clusters=np.tile(subjects, 2),
        resamples=500,
    )
    assert limits(twice) == pytest.approx(limits(once), abs=1e-12)


def test_the_same_seed_run_twice_does_not_narrow_the_interval(cases):
    """One weight per subject in all cells: copies of a run bring no new subjects."""
    two = {
        "clusters": np.tile(np.arange(len(cases.y)), 2),
        "cells": np.repeat([0, 1], len(cases.y)),
    }
    once = st.bootstrap_ci("auc", cases.y, cases.a, clusters=np.arange(len(cases.y)))
    copies = st.bootstrap_ci("auc", np.tile(cases.y, 2), np.tile(cases.a, 2), **two)
    assert limits(copies) == pytest.approx(limits(once), abs=1e-12)


def test_seeds_that_differ_widen_the_interval(cases):
    y, subjects = np.tile(cases.y, 3), np.tile(np.arange(len(cases.y)), 3)
    seeds = np.repeat([11, 12, 13], len(cases.y))
    noise = np.random.default_rng(0).random(len(cases.y))
    score = np.r_[cases.a, (cases.a + noise) / 2, noise]
    fixed = st.bootstrap_ci("auc", y, score, cells=seeds, clusters=subjects)
    drawn = st.bootstrap_ci("auc", y, score, clusters=subjects, seeds=seeds)
    assert drawn.estimate == pytest.approx(fixed.estimate, abs=1e-12)
    assert drawn.high - drawn.low > 1.3 * (fixed.high - fixed.low)


def test_seeds_are_drawn_with_all_their_folds(cases):
    """Two seeds, one always right and one always wrong: only their mixtures can come up."""
    y = np.tile([0, 0, 1, 1], 4)
    fold, seed = np.tile(np.repeat([0, 1], 4), 2), np.repeat([0, 1], 8)
    subjects = np.tile(np.arange(8), 2)
    score = np.where(seed == 0, y, 1 - y)
    found = st.bootstrap_ci("auc", y, score, cells=fold, seeds=seed, clusters=subjects)
    assert (found.estimate, found.low, found.high) == (0.5, 0.0, 1.0)


def test_an_interval_of_means_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(100):
        y = np.arange(60) % 2
        score = rng.normal(size=60) + y
        found = st.bootstrap_ci("auc", y, score, resamples=300, seed=trial)
        # The normal distribution function at 1 / sqrt(2).
        hits += found.low <= 0.7602 <= found.high
    assert 85 <= hits <= 100


def test_resamples_of_one_class_are_left_out_and_counted():
    y, score = [1, 0, 0, 0, 0, 0], [6, 1, 2, 3, 4, 5]
    with pytest.warns(st.StatisticsWarning, match="undefined in"):
        found = st.bootstrap_ci("auc", y, score, stratified=False, resamples=2000)
    assert found.resamples == 2000
    assert found.skipped / 2000 == pytest.approx((5 / 6) ** 6, abs=0.05)
    assert st.bootstrap_ci("auc", y, score, resamples=2000).skipped == 0


def test_a_share_of_nobody_has_no_interval(cases):
    found = st.bootstrap_ci("ppv", cases.y, cases.a, threshold=2.0, resamples=50)
    assert np.isnan([found.estimate, found.low, found.high]).all()


def test_each_model_has_its_own_threshold(cases):
    found = st.bootstrap_ci(
        "sensitivity",
        cases.y,
        cases.a,
        100 * cases.a,
        threshold=0.4,
        threshold_b=40.0,
        resamples=50,
    )
    assert (found.estimate, found.low, found.high) == (0, 0, 0)


def test_82_outputs_of_a_regression_are_averaged():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(60, 82))
    predicted = y + rng.normal(size=y.shape)
    found = st.bootstrap_ci("r2", y, predicted, resamples=100)
    slow = st.bootstrap_ci(scikit_r2, y, predicted, resamples=100)
    assert found.estimate == pytest.approx(r2_score(y, predicted), abs=1e-12)
    assert limits(found) == pytest.approx(limits(slow), abs=1e-12)


def test_classes_are_resampled_apart():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [40, 20, 2])
    score = rng.dirichlet([1, 1, 1], len(y)) + 0.3 * np.eye(3)[y]
    found = st.bootstrap_ci("auc", y, score, resamples=500)
    assert found.skipped == 0
    assert found.low < found.estimate < found.high


def test_memory_stays_bounded():
    rng = np.random.default_rng(0)
    y, score = np.arange(20_000) % 2, rng.random(20_000)
    st.bootstrap_ci("map", y, score, resamples=10)
    tracemalloc.start()
    st.bootstrap_ci("map", y, score, resamples=300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All weights at once would be 24 MB in their narrowest form.
    assert peak < 12e6


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"cells": np.repeat([3, 4], 60), "y": np.repeat([0, 1], 60)}, "one class only in cell 3"),
        ({"seeds": np.repeat([3, 4], 60)}, "seeds without clusters"),
        ({"cells": [1, 2]}, "lengths differ"),
        ({"clusters": np.ones((120, 2))}, "one label per case"),
        ({"score": np.full(120, np.nan)}, "NaN or infinite"),
        ({"score_b": np.zeros(119)}, "lengths differ"),
        ({"metric": "nothing"}, "no metric 'nothing'"),
        ({"metric": scikit_auc, "threshold": 0.5}, "does not reach a metric that is a function"),
    ],
)
def test_what_cannot_be_resampled_is_refused(cases, rules, message):
    given = {"metric": "auc", "y": cases.y, "score": cases.a, "resamples": 10} | rules
    with pytest.raises(EvaluationError, match=message):
        st.bootstrap_ci(**given)


@pytest.mark.parametrize("rules", [{"resamples": 0}, {"confidence": 1.0}])
def test_numbers_out_of_range_are_refused(cases, rules):
    with pytest.raises(ValueError, match="="):
        st.bootstrap_ci("auc", cases.y, cases.a, **rules)
