"""Metrics of a task: right numbers, and a reason where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, r2_score
from sklearn.metrics import roc_auc_score as sk_auc

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.task_metrics import task_metrics

N = 120


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def binary(rng):
    y = (rng.random(N) < 0.3).astype(float)
    return y, 1 / (1 + np.exp(-(y + rng.normal(size=N) - 1)))


def by_name(rows):
    return {row.name: row for row in rows}


def metrics(*args, **options):
    return by_name(task_metrics(*args, **{"resamples": 200, **options}))


def test_binary_metrics_equal_scikit_learn(binary):
    y, score = binary
    rows = metrics("binary", y[:, None], score[:, None], threshold=(0.4,), outputs=("cm",))
    said = score >= 0.4
    assert rows["auc"].estimate == pytest.approx(sk_auc(y, score))
    assert rows["map"].estimate == pytest.approx(average_precision_score(y, score))
    assert rows["balanced_accuracy"].estimate == pytest.approx(balanced_accuracy_score(y, said))
    assert rows["sensitivity"].estimate == said[y == 1].mean()
    assert rows["ppv"].estimate == y[said].mean()
    assert rows["ppv"].n == said.sum()
    assert rows["brier"].estimate == pytest.approx(((score - y) ** 2).mean())
    assert rows["auc"].method == "DeLong"
    assert rows["ppv"].method == "Wilson"
    assert all(row.low <= row.estimate <= row.high for row in rows.values() if row.method)


def test_ppv_npv_and_f1_name_their_prevalence(binary):
    y, score = binary
    rows = metrics("binary", y, score, outputs=("cm",))
    for name in ("ppv", "npv", "f1"):
        assert f"prevalence of {100 * y.mean():.3g} %" in rows[name].note
    assert "prevalence" not in rows["sensitivity"].note


def test_unknown_targets_are_left_out(binary):
    y, score = binary
    some = y.copy()
    some[:7] = np.nan
    rows = metrics("binary", some, score, outputs=("cm",))
    assert rows == metrics("binary", y[7:], score[7:], outputs=("cm",))
    assert rows["auc"].n == N - 7


def test_metrics_of_folds_are_means_over_folds(binary):
    y, score = binary
    fold = np.arange(N) % 3
    rows = metrics("binary", y, score, outputs=("cm",), cells=fold)
    means = np.mean([sk_auc(y[fold == f], score[fold == f]) for f in range(3)])
    assert rows["auc"].estimate == pytest.approx(means)
    pooled = metrics("binary", y, score, outputs=("cm",))
    assert rows["sensitivity"] == pooled["sensitivity"]


def test_repeated_subjects_widen_the_interval_of_the_auc(binary):
    y, score = (np.repeat(values, 4) for values in binary)
    alone = metrics("binary", y, score, outputs=("cm",))["auc"]
    together = metrics(
        "binary", y, score, outputs=("cm",), clusters=np.repeat(np.arange(N), 4), resamples=1000
    )["auc"]
    assert together.method == "bootstrap"
    assert together.high - together.low > 1.6 * (alone.high - alone.low)


@pytest.mark.parametrize("cases", [0, 10])
def test_one_class_gives_reasons_and_no_crash(cases):
    y = np.zeros(10)
    y[:cases] = 1
    rows = metrics("binary", y, np.linspace(0.1, 0.9, 10), outputs=("cm",))
    for name in ("auc", "map", "balanced_accuracy", "calibration_slope"):
        assert math.isnan(rows[name].estimate)
        assert rows[name].note
    assert math.isfinite(rows["accuracy"].estimate)


def test_a_single_case_still_has_an_auc():
    y, score = np.eye(1, 20)[0], np.linspace(1, 0, 20)
    row = metrics("binary", y, score, outputs=("cm",))["auc"]
    assert (row.estimate, row.method) == (1.0, "bootstrap")


def test_no_known_target_at_all_gives_reasons():
    rows = metrics("binary", np.full(5, np.nan), np.full(5, 0.5), outputs=("cm",))
    assert {row.note for row in rows.values()} == {"there is no record with a known label"}


def test_an_auc_of_one_warns_in_its_note():
    y = np.repeat([0.0, 1.0], 10)
    row = metrics("binary", y, y, outputs=("cm",))["auc"]
    assert (row.estimate, row.low, row.high) == (1.0, 1.0, 1.0)
    assert "variance is 0" in row.note


def test_three_classes_are_one_against_the_rest(rng):
    y = rng.integers(0, 3, N)
    score = rng.dirichlet([1, 1, 1], N)
    rows = metrics("multiclass", y[:, None], score, outputs=("dcm", "hcm", "rcm"))
    assert rows["auc"].estimate == pytest.approx(sk_auc(y, score, multi_class="ovr"))
    assert rows["auc[hcm]"].estimate == pytest.approx(sk_auc(y == 1, score[:, 1]))
    assert rows["accuracy"].estimate == (score.argmax(1) == y).mean()
    decided = balanced_accuracy_score(y, score.argmax(1))
    assert rows["balanced_accuracy"].estimate == pytest.approx(decided)


def test_an_absent_class_is_named(rng):
    y, score = rng.integers(0, 2, 30), rng.dirichlet([1, 1, 1], 30)
    rows = metrics("multiclass", y, score, outputs=("dcm", "hcm", "rcm"))
    assert rows["auc"].note == "no record of class rcm"
    assert math.isfinite(rows["auc[dcm]"].estimate)
    assert math.isnan(rows["auc[rcm]"].estimate)


def test_labels_have_their_own_thresholds_and_a_mean(rng):
    y = (rng.random((N, 3)) < (0.4, 0.3, 0)).astype(float)
    y[0, 1] = np.nan
    score = rng.random((N, 3))
    rows = metrics("multilabel", y, score, threshold=(0.2, 0.8, 0.5), outputs=("a", "b", "c"))
    known = ~np.isnan(y[:, 1])
    aucs = [sk_auc(y[:, 0], score[:, 0]), sk_auc(y[known, 1], score[known, 1])]
    assert rows["auc"].estimate == pytest.approx(np.mean(aucs))
    assert rows["auc"].note == "mean over 2 of 3 labels"
    assert rows["auc[b]"].estimate == pytest.approx(aucs[1])
    assert math.isnan(rows["auc[c]"].estimate)
    assert rows["sensitivity[a]"].estimate == (score[y[:, 0] == 1, 0] >= 0.2).mean()
    assert rows["sensitivity[b]"].estimate == (score[y[:, 1] == 1, 1] >= 0.8).mean()


def test_regression_has_r2_of_each_output_and_their_mean(rng):
    y = rng.normal(size=(N, 3))
    score = 0.7 * y + rng.normal(size=(N, 3))
    y[:4, 0] = np.nan
    rows = metrics("regression", y, score, outputs=("lvedv", "lvesv", "lvef"))
    each = [r2_score(y[4:, 0], score[4:, 0]), *(r2_score(y[:, i], score[:, i]) for i in (1, 2))]
    assert rows["r2"].estimate == pytest.approx(np.mean(each))
    assert rows["r2[lvedv]"].estimate == pytest.approx(each[0])
    assert rows["r2[lvedv]"].n == N - 4
    assert rows["r2"].low < rows["r2"].estimate < rows["r2"].high
    assert "mae" not in rows


def test_one_quantity_has_errors_in_its_unit(rng):
    y, score = rng.normal(size=N), rng.normal(size=N)
    rows = metrics("regression", y, score, outputs=("lvedv",))
    assert rows["mae"].estimate == pytest.approx(np.abs(y - score).mean())
    assert rows["rmse"].estimate == pytest.approx(np.sqrt(((y - score) ** 2).mean()))


def test_an_output_without_spread_is_left_out_of_the_mean(rng):
    y, score = rng.normal(size=(N, 2)), rng.normal(size=(N, 2))
    y[:, 1] = 5
    rows = metrics("regression", y, score, outputs=("a", "b"))
    assert rows["r2"].note == "mean over 1 of 2 outputs"
    assert rows["r2"].estimate == pytest.approx(rows["r2[a]"].estimate)
    assert "without spread" in rows["r2[b]"].note


@pytest.mark.parametrize(
    ("kind", "y", "score", "options", "message"),
    [
        ("binary", np.zeros((4, 1)), np.zeros((4, 2)), {}, "a binary task of 1 outputs needs"),
        ("binary", [0, 1], [0.5, np.nan], {}, "1 of 2 scores are not finite"),
        ("binary", [0, 2], [0.5, 0.5], {}, "labels other than 0 and 1"),
        ("binary", [0, 1], [0.5, 0.5], {"threshold": (0.1, 0.2)}, "2 thresholds for 1 outputs"),
    ],
)
def test_what_does_not_fit_is_refused(kind, y, score, options, message):
    with pytest.raises(EvaluationError, match=message):
        task_metrics(kind, y, score, outputs=("cm",), **options)
