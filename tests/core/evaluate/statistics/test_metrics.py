"""Metrics on all cases, weighted or not, against scikit-learn and against repeated rows."""

import numpy as np
import pytest
from sklearn import metrics as sk

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate import statistics as st


def test_binary_metrics_equal_scikit_learn_with_weights_and_ties(cases):
    weight = np.random.default_rng(0).uniform(0.1, 3, len(cases.y))
    called = cases.a >= 0.4
    expected = {
        "auc": sk.roc_auc_score(cases.y, cases.a, sample_weight=weight),
        "map": sk.average_precision_score(cases.y, cases.a, sample_weight=weight),
        "accuracy": sk.accuracy_score(cases.y, called, sample_weight=weight),
        "balanced_accuracy": sk.balanced_accuracy_score(cases.y, called, sample_weight=weight),
        "sensitivity": sk.recall_score(cases.y, called, sample_weight=weight),
        "specificity": sk.recall_score(cases.y, called, sample_weight=weight, pos_label=0),
        "ppv": sk.precision_score(cases.y, called, sample_weight=weight),
        "npv": sk.precision_score(cases.y, called, sample_weight=weight, pos_label=0),
        "f1": sk.f1_score(cases.y, called, sample_weight=weight),
        "cohen_kappa": sk.cohen_kappa_score(cases.y, called, sample_weight=weight),
        "brier": sk.brier_score_loss(cases.y, cases.a, sample_weight=weight),
    }
    for name, value in expected.items():
        found = st.evaluate_metric(name, cases.y, cases.a, threshold=0.4, weight=weight)
        assert found == pytest.approx(value, abs=1e-12), name
    assert {name for name, m in st.METRICS.items() if m.target == "labels"} == set(expected)


def test_regression_metrics_equal_scikit_learn_with_weights():
    rng = np.random.default_rng(1)
    y = rng.normal(100, 5, (50, 4))
    predicted = y + rng.normal(0, 3, y.shape)
    weight = rng.uniform(0.1, 3, 50)
    given = {"sample_weight": weight}
    assert st.r2(y, predicted, weight) == pytest.approx(
        sk.r2_score(y, predicted, **given), abs=1e-12
    )
    assert st.mae(y, predicted, weight) == pytest.approx(
        sk.mean_absolute_error(y, predicted, **given), abs=1e-12
    )
    assert st.rmse(y, predicted, weight) == pytest.approx(
        sk.root_mean_squared_error(y, predicted, **given), abs=1e-12
    )


@pytest.mark.parametrize("name", list(st.METRICS))
def test_counts_of_cases_equal_rows_written_out_as_often(cases, name):
    counts = np.random.default_rng(2).integers(0, 4, len(cases.y))
    rows = np.repeat(np.arange(len(cases.y)), counts)
    weighted = st.evaluate_metric(name, cases.y, cases.a, weight=counts)
    assert weighted == pytest.approx(
        st.evaluate_metric(name, cases.y[rows], cases.a[rows]), abs=1e-12
    )


def test_several_labels_are_averaged_and_unknown_ones_left_out():
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, (60, 3)).astype(float)
    score = rng.random((60, 3)) + 0.3 * y
    y[:20, 0] = np.nan
    each = [sk.roc_auc_score(y[20:, 0], score[20:, 0])]
    each += [sk.roc_auc_score(y[:, k], score[:, k]) for k in (1, 2)]
    assert st.auc(y, score) == pytest.approx(np.mean(each), abs=1e-12)
    assert st.per_output("auc", y, score) == pytest.approx(each, abs=1e-12)
    limits = (0.4, 0.6, 0.8)
    each = [
        sk.recall_score(y[known, k], score[known, k] >= limits[k])
        for k in range(3)
        for known in [~np.isnan(y[:, k])]
    ]
    assert st.sensitivity(y, score, limits) == pytest.approx(np.mean(each), abs=1e-12)


def test_an_unknown_value_counts_for_its_own_output_only():
    y = np.array([[1.0, 10.0], [2.0, np.nan], [3.0, 30.0], [4.0, 35.0]])
    predicted = np.array([[1.5, 12.0], [2.0, 99.0], [2.0, 28.0], [4.0, 31.0]])
    known = [0, 2, 3]
    expected = [
        sk.r2_score(y[:, 0], predicted[:, 0]),
        sk.r2_score(y[known, 1], predicted[known, 1]),
    ]
    assert st.r2(y, predicted) == pytest.approx(np.mean(expected), abs=1e-12)


def test_a_single_column_is_one_output(cases):
    assert st.auc(cases.y[:, None], cases.a[:, None]) == st.auc(cases.y, cases.a)


def test_a_threshold_may_differ_from_case_to_case(cases):
    limits = np.where(np.arange(len(cases.y)) % 2, 0.3, 0.6)
    expected = sk.recall_score(cases.y, cases.a >= limits)
    assert st.sensitivity(cases.y, cases.a, limits) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("threshold", "undefined"), [(2.0, ("ppv", "cohen_kappa")), (-1.0, ("npv", "cohen_kappa"))]
)
def test_shares_of_nobody_are_undefined(cases, threshold, undefined):
    for name in undefined:
        assert np.isnan(st.evaluate_metric(name, cases.y, cases.a, threshold=threshold))
    assert st.balanced_accuracy(cases.y, cases.a, threshold) == 0.5


def test_a_truth_without_spread_scores_as_in_scikit_learn():
    flat = np.full(5, 7.3)
    assert st.r2(flat, flat) == sk.r2_score(flat, flat) == 1.0
    assert st.r2(flat, flat + 1) == sk.r2_score(flat, flat + 1) == 0.0
    assert np.isnan(st.pearson(flat, np.arange(5)))


def test_the_roc_curve_is_that_of_scikit_learn(cases):
    found = st.roc_curve(cases.y, cases.a)
    fpr, tpr, thresholds = sk.roc_curve(cases.y, cases.a, drop_intermediate=False)
    assert found.false_positive_rate == pytest.approx(fpr)
    assert found.sensitivity == pytest.approx(tpr)
    assert found.thresholds == pytest.approx(thresholds)


def test_the_decision_curve_counts_what_its_formula_says(cases):
    curve = st.decision_curve(cases.y, cases.a, [0.1, 0.4])
    for place, threshold in enumerate((0.1, 0.4)):
        acted = cases.a >= threshold
        tp, fp = (acted & (cases.y == 1)).mean(), (acted & (cases.y == 0)).mean()
        odds = threshold / (1 - threshold)
        assert curve.net_benefit[place] == pytest.approx(tp - fp * odds)
        share = cases.y.mean()
        assert curve.treat_all[place] == pytest.approx(share - (1 - share) * odds)


def test_holm_steps_down_and_never_falls_back():
    found = st.holm([0.01, 0.04, np.nan, 0.03, 0.9])
    assert found == pytest.approx([0.04, 0.09, np.nan, 0.09, 0.9], nan_ok=True)
    assert st.holm([0.5, 0.6]).tolist() == [1.0, 1.0]
    assert st.holm([]).tolist() == []


def test_an_effect_without_spread_is_infinite_or_undefined():
    assert st.cohens_d([1, 2], [0, 1], paired=True) == np.inf
    assert np.isnan(st.cohens_d([1, 2], [1, 2], paired=True))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: st.auc([1, 1], [0.2, 0.3]), "one class only: 2 cases and 0 controls"),
        (lambda: st.balanced_accuracy([0, 0], [0.2, 0.3]), "one class only"),
        (lambda: st.auc([0, 1], [0.2, np.nan]), "1 of 2 values are NaN or infinite"),
        (lambda: st.auc([0, 1, 1], [0.2, 0.3]), r"lengths differ \(y 3, score 2\)"),
        (lambda: st.auc([0, 2], [0.2, 0.3]), "y holds 2, but labels are 0 and 1"),
        (lambda: st.auc([0, np.nan], [0.2, 0.3]), "y: 1 of 2 values are NaN"),
        (lambda: st.auc([0, 3], np.eye(2)), "class numbers 0 to 1"),
        (lambda: st.auc(["a", "b"], [0.2, 0.3]), "y: not an array of numbers"),
        (lambda: st.auc([], []), "one row per case"),
        (lambda: st.accuracy([0, 1], np.eye(2), 0.5), "scores of several classes"),
        (lambda: st.accuracy([0, 1], [0.1, 0.2], np.nan), "the threshold is NaN"),
        (lambda: st.accuracy([0, 1], [0.1, 0.2], [0.1, 0.2, 0.3]), "do not fit"),
        (lambda: st.auc([0, 1], [0.1, 0.2], [1, -1]), "none below 0"),
        (lambda: st.brier([0, 1], [0.1, 1.2]), "no probabilities"),
        (lambda: st.r2([0, 1], np.eye(2)), "one prediction per value"),
        (lambda: st.evaluate_metric("auroc", [0, 1], [0, 1]), "no metric 'auroc'; there are auc"),
        (lambda: st.holm([0.1, 1.1]), "p-values from 0.1 to 1.1"),
        (lambda: st.cohens_d([1], [1, 2]), "one value has no spread"),
        (lambda: st.cohens_d([1, 2, 3], [1, 2], paired=True), "do not pair up"),
        (lambda: st.decision_curve([0, 1], [0.1, 0.2], [1.0]), "thresholds have to lie"),
        (lambda: st.decision_curve([0, 1], [0.1, 2.0]), "not the probabilities"),
        (lambda: st.confusion_matrix([0, 3], [0, 1], 2), "class numbers from 0 to 1"),
        (lambda: st.one_vs_rest([0, 1], [0.1, 0.2]), "give class numbers"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_one_line(call, message):
    with pytest.raises(EvaluationError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
