"""Regression of phenotypes, its R2, and paired differences."""

from __future__ import annotations

import numpy as np
import pytest

from cardionets_core.errors import EvaluationError
from cardionets_core.generate.evaluating.paired import (
    Resampling,
    mean_difference,
    mean_row,
    r2_difference,
    with_holm,
)
from cardionets_core.generate.evaluating.phenotypes import (
    MEAN_OF_DRAWS,
    ONE_DRAW,
    Truth,
    phenotype_table,
    r2_rows,
)
from cardionets_core.generate.evaluating.regression import PENALTIES, fit_ridge, learnable

PHENOTYPES = 82


def linear(n, seed=0, noise=0.1, width=6):
    """Features (n, width) and phenotypes (n, 82) that follow from them."""
    slopes = np.random.default_rng(99).normal(size=(width, PHENOTYPES))
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, width)) * 3 + 1
    targets = 50 + 10 * features @ slopes + noise * rng.normal(size=(n, PHENOTYPES))
    return features.astype(np.float32), targets.astype(np.float32)


def overall(rows):
    return {(r["method"], r["from"]): r["estimate"] for r in rows if r["structure"] == "all"}


def test_a_linear_relation_is_found_again_in_its_units():
    ridge = fit_ridge(linear(200), linear(50, 1), what="cines")
    features, targets = linear(80, 2)
    assert ridge.penalty == min(PENALTIES)
    assert ridge.val_r2 > 0.999
    assert ridge.predict(features) == pytest.approx(targets, abs=2.0)


def test_features_that_say_nothing_get_the_largest_penalty():
    rng = np.random.default_rng(0)
    _, targets = linear(60)
    train = rng.normal(size=(60, 200)).astype(np.float32), targets
    val = rng.normal(size=(40, 200)).astype(np.float32), linear(40, 1)[1]
    ridge = fit_ridge(train, val, what="cines")
    assert ridge.penalty == max(PENALTIES)
    assert ridge.predict(val[0]).std(axis=0).max() < 0.05 * targets.std()


def test_a_phenotype_that_is_missing_in_some_is_learnt_from_the_others():
    features, targets = linear(200)
    holed = targets.copy()
    holed[:120, 7] = np.nan
    holed[:195, 8] = np.nan
    assert learnable(holed)[7]
    assert not learnable(holed)[8]
    predicted = fit_ridge((features, holed), linear(50, 1), what="cines").predict(features)
    assert predicted[:, 7] == pytest.approx(targets[:, 7], abs=2.0)
    assert np.isnan(predicted[:, 8]).all()
    assert np.isfinite(np.delete(predicted, 8, axis=1)).all()


def test_no_phenotypes_and_broken_features_are_refused():
    features, targets = linear(30)
    nothing = np.full_like(targets, np.nan)
    with pytest.raises(EvaluationError, match="no phenotype has 10 values"):
        fit_ridge((features, nothing), (features, nothing), what="cines")
    features[3] = np.nan
    with pytest.raises(EvaluationError, match="features of cines are not finite"):
        fit_ridge((features, targets), (features, targets), what="cines")


def truth_of(values):
    subjects = np.arange(len(values)).astype(str)
    return Truth.of(values.astype(np.float32), subjects, np.ones(PHENOTYPES, dtype=bool))


def test_everybodys_mean_has_an_r2_of_zero_and_the_truth_one():
    _, values = linear(60)
    truth = truth_of(values)
    mean = np.repeat(truth.values.mean(axis=0)[None], 60, axis=0)
    predicted = {("mean", ONE_DRAW): mean, ("real", "true cine"): truth.values}
    rows = r2_rows(truth, predicted, resamples=50, seed=0)
    assert overall(rows)["mean", ONE_DRAW] == pytest.approx(0.0, abs=1e-9)
    assert overall(rows)["real", "true cine"] == pytest.approx(1.0)
    structures = [
        r["phenotypes"] for r in rows if r["method"] == "mean" and r["structure"] != "all"
    ]
    assert sum(structures) == PHENOTYPES


def test_phenotypes_that_nobody_learnt_or_that_are_alike_are_left_out():
    _, values = linear(20)
    values[:, 3], values[:, 4] = 7.0, np.nan
    learnt = np.ones(PHENOTYPES, dtype=bool)
    learnt[5] = False
    truth = Truth.of(values, np.arange(20).astype(str), learnt)
    assert set(range(PHENOTYPES)) - set(truth.columns.tolist()) == {3, 4, 5}
    with pytest.raises(EvaluationError, match="no phenotype differs"):
        Truth.of(np.ones((5, PHENOTYPES), np.float32), np.arange(5).astype(str), learnt)


def test_one_draw_of_a_calibrated_sampler_has_an_r2_of_twice_the_means_minus_one():
    rng = np.random.default_rng(0)
    known, rest = rng.normal(size=(2, 1500, PHENOTYPES))
    truth = truth_of(0.8 * known + 0.6 * rest)
    draws = 0.8 * known + 0.6 * rng.normal(size=(60, 1500, 1)) * np.ones(PHENOTYPES)
    predicted = {("s", ONE_DRAW): draws[0], ("s", MEAN_OF_DRAWS): draws.mean(axis=0)}
    found = overall(r2_rows(truth, predicted, resamples=20, seed=0))
    assert found["s", MEAN_OF_DRAWS] == pytest.approx(0.64, abs=0.02)
    assert found["s", ONE_DRAW] == pytest.approx(2 * 0.64 - 1, abs=0.05)


def test_the_table_of_phenotypes_states_units_and_errors_in_them():
    _, values = linear(40)
    truth = truth_of(values)
    table = phenotype_table(truth, {("off", ONE_DRAW): truth.values + 2.0})
    assert table["unit"].tolist()[:4] == ["mL", "mL", "mL", "%"]
    assert table["mae: off, one draw"].to_numpy() == pytest.approx(2.0, abs=1e-4)


def resampling(n, resamples=2000):
    return Resampling(np.arange(n).astype(str), resamples, seed=0)


@pytest.mark.parametrize("shift", [-3.0, 0.0, 20.0])
def test_a_mean_and_its_interval_are_those_of_the_values_whatever_their_sign(shift):
    values = np.random.default_rng(0).normal(shift, 1, 100)
    row = mean_row(values, resampling(100))
    error = values.std() / 10
    assert row["estimate"] == pytest.approx(values.mean())
    assert row["low"] == pytest.approx(values.mean() - 1.96 * error, abs=0.25 * error)
    assert row["high"] == pytest.approx(values.mean() + 1.96 * error, abs=0.25 * error)


def test_a_paired_difference_sees_what_unpaired_intervals_hide():
    rng = np.random.default_rng(0)
    base = rng.normal(0, 5, 80)
    found = mean_difference(base + 0.5 + 0.1 * rng.normal(size=80), base, resampling(80))
    assert found["difference"] == pytest.approx(0.5, abs=0.05)
    assert 0.4 < found["low"] < found["high"] < 0.6
    assert found["p"] < 0.001


def test_equal_methods_differ_by_nothing():
    values = np.random.default_rng(0).normal(size=30)
    found = mean_difference(values, values, resampling(30, 200))
    assert found["difference"] == found["low"] == found["high"] == 0
    assert found["p"] == 1
    table = np.random.default_rng(1).normal(size=(30, 4))
    assert r2_difference(table, table * 0.5, table * 0.5, resampling(30, 200))["difference"] == 0


def test_several_records_of_a_subject_count_as_one_subject():
    rng = np.random.default_rng(0)
    of_subject = rng.normal(size=20)
    values = of_subject.repeat(10)
    wide = mean_row(values, Resampling(np.arange(20).repeat(10).astype(str), 2000, 0))
    narrow = mean_row(values, resampling(200))
    assert wide["high"] - wide["low"] > 2.5 * (narrow["high"] - narrow["low"])


def test_p_values_are_adjusted_within_a_metric():
    rows = [
        {"metric": "ssim", "p": 0.01},
        {"metric": "mae", "p": 0.03},
        {"metric": "ssim", "p": 0.04},
    ]
    assert [row["p_holm"] for row in with_holm(rows)] == pytest.approx([0.02, 0.03, 0.04])
