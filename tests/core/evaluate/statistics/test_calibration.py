"""Calibration: slope, intercept, bins."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate import statistics as st


@pytest.fixture
def calibrated():
    """Labels drawn from their risks."""
    rng = np.random.default_rng(5)
    logit = rng.normal(-1, 1.5, 4000)
    risk = 1 / (1 + np.exp(-logit))
    return (rng.random(4000) < risk).astype(int), risk, logit


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def test_true_risks_have_a_slope_of_one_and_an_intercept_of_zero(calibrated):
    y, risk, _ = calibrated
    assert st.calibration_slope(y, risk) == pytest.approx(1, abs=0.1)
    assert st.calibration_intercept(y, risk) == pytest.approx(0, abs=0.1)


def test_the_slope_is_that_of_an_unpenalised_logistic_regression(calibrated):
    y, risk, logit = calibrated
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    model = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000)
    model.fit(logit[:, None], y, sample_weight=weight)
    assert st.calibration_slope(y, risk, weight) == pytest.approx(model.coef_[0, 0], abs=1e-6)


def test_scaled_and_shifted_logits_scale_and_shift_the_result(calibrated):
    y, risk, logit = calibrated
    slope = st.calibration_slope(y, risk)
    assert st.calibration_slope(y, sigmoid(2 * logit - 1)) == pytest.approx(slope / 2, abs=1e-6)
    intercept = st.calibration_intercept(y, risk)
    found = st.calibration_intercept(y, sigmoid(logit + 0.7))
    assert found == pytest.approx(intercept - 0.7, abs=1e-6)


def test_the_intercept_brings_the_mean_risk_to_the_share_of_cases(calibrated):
    y, _, logit = calibrated
    shift = st.calibration_intercept(y, sigmoid(3 * logit + 1))
    assert sigmoid(3 * logit + 1 + shift).mean() == pytest.approx(y.mean(), abs=1e-9)


def test_probabilities_of_exactly_0_and_1_are_fitted_all_the_same():
    y, risk = [0, 1, 0, 1, 1, 0], [0, 1, 1, 0.8, 1, 0.1]
    assert np.isfinite(st.calibration_slope(y, risk))
    assert np.isfinite(st.calibration_intercept(y, risk))


def test_parted_classes_have_an_infinite_slope_and_a_warning():
    for risk, slope in (([0.1, 0.2, 0.8, 0.9], np.inf), ([0.9, 0.8, 0.2, 0.1], -np.inf)):
        with pytest.warns(st.StatisticsWarning, match="parts cases from controls"):
            assert st.calibration_slope([0, 0, 1, 1], risk) == slope


def test_equal_probabilities_have_no_slope_but_an_intercept():
    assert np.isnan(st.calibration_slope([0, 0, 0, 1], [0.5] * 4))
    assert st.calibration_intercept([0, 0, 0, 1], [0.5] * 4) == pytest.approx(np.log(1 / 3))


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_bins_hold_everyone_once_and_observe_what_they_foretell(calibrated, strategy):
    y, risk, _ = calibrated
    found = st.reliability_bins(y, risk, strategy=strategy)
    assert found.counts.sum() == len(y)
    assert (found.observed * found.counts).sum() == pytest.approx(y.sum())
    assert (found.predicted * found.counts).sum() == pytest.approx(risk.sum())
    assert (np.diff(found.predicted) > 0).all()
    assert ((found.low <= found.observed) & (found.observed <= found.high)).all()
    assert np.abs(found.predicted - found.observed).max() < 0.1
    if strategy == "quantile":
        assert np.ptp(found.counts) <= 1


def test_bins_of_few_probabilities_leave_out_empty_ones():
    found = st.reliability_bins([0, 1, 1], [0.0, 1.0, 1.0])
    assert found.predicted.tolist() == [0, 1]
    assert found.counts.tolist() == [1, 2]
    one = st.reliability_bins([0, 1], [0.3, 0.3], strategy="quantile")
    assert one.counts.tolist() == [2]


@pytest.mark.parametrize("function", [st.calibration_slope, st.calibration_intercept])
def test_calibration_refuses_logits_and_one_class(function):
    with pytest.raises(EvaluationError, match="no probabilities"):
        function([0, 1], [-1.0, 2.0])
    with pytest.raises(EvaluationError, match="one class only"):
        function([1, 1], [0.1, 0.2])
