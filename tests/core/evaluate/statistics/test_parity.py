"""Equality with R, scikit-learn and exact enumeration, as stored."""

import math

import numpy as np
import pytest

from cardionets_core.evaluate import statistics as st

BOOTSTRAP_METRICS = {"auc": "auc", "ba": "balanced_accuracy", "ap": "map"}


def null(value):
    """JSON's null, "inf" and "NaN" as numbers."""
    if value is None:
        return math.nan
    return float(value)


def close(expected, **tolerance):
    wanted = {"rel": 0, "abs": 0} | tolerance
    return pytest.approx(expected, nan_ok=True, **wanted)


@pytest.mark.parity("stats")
@pytest.mark.filterwarnings("ignore::cardionets_core.evaluate.statistics.StatisticsWarning")
def test_delong_matches_proc(reference):
    assert reference.expected["delong"]
    for name, wanted in reference.expected["delong"].items():
        y, a, b = (reference.data[f"{name}.{key}"] for key in "yab")
        test = st.delong_test(y, a, b)
        found = {
            "auc_a": test.auc_a,
            "auc_b": test.auc_b,
            "var_a": test.variance_a,
            "var_b": test.variance_b,
            "cov_ab": test.covariance,
            "z": test.z,
        }
        for key, value in found.items():
            assert value == close(null(wanted[key]), rel=1e-9, abs=1e-15), (name, key)
        for key in ("p", "p_from_formula"):
            assert test.p == close(null(wanted[key]), rel=1e-6), (name, key)
        assert (test.low, test.high) == close(wanted["ci95_diff"], rel=1e-9), name
        for score, confidence, key in (
            (a, 0.95, "ci95_a"),
            (b, 0.95, "ci95_b"),
            (a, 0.9, "ci90_a"),
        ):
            interval = st.delong_ci(y, score, confidence)
            assert (interval.low, interval.high) == close(wanted[key], rel=1e-9), (name, key)


def assert_binary(found, wanted, where):
    assert (found.tp, found.fp, found.tn, found.fn) == tuple(
        wanted[k] for k in ("tp", "fp", "tn", "fn")
    ), where
    for key in ("sensitivity", "specificity", "ppv", "npv", "accuracy"):
        share, stored = getattr(found, key), wanted[key]
        limits = stored["wilson95"] or [None, None]
        assert (share.k, share.n) == (stored["x"], stored["n"]), (where, key)
        assert share.value == close(null(stored["value"]), abs=1e-12), (where, key)
        assert (share.low, share.high) == close(tuple(map(null, limits)), abs=1e-12), (where, key)
    for key in ("f1", "balanced_accuracy", "cohen_kappa"):
        assert getattr(found, key) == close(null(wanted[key]), abs=1e-12), (where, key)


@pytest.mark.parity("stats")
def test_binary_metrics_match_scikit_learn_and_r(reference):
    sets = dict(reference.expected["binary_metrics"])
    cases = []
    for name in [name for name in sets if name.startswith("edge_")]:
        edge = sets.pop(name)
        cases.append((edge["dataset"], edge["score"], edge["metrics"]))
    cases += [(name, model, wanted) for name, two in sets.items() for model, wanted in two.items()]
    assert cases
    for name, model, wanted in cases:
        y, score = reference.data[f"{name}.y"], reference.data[f"{name}.{model}"]
        # A set of grades 0 to 5 was evaluated as fifths.
        highest = max(reference.data[f"{name}.{key}"].max() for key in "ab")
        score = score / 5 if highest > 1 else score
        where = (name, model)
        assert_binary(st.binary_metrics(y, score, wanted["threshold"]), wanted, where)
        assert st.auc(y, score) == close(wanted["auc"], abs=1e-12), where
        assert st.mean_average_precision(y, score) == close(
            wanted["average_precision"], abs=1e-12
        ), where
        assert st.brier(y, score) == close(wanted["brier"], abs=1e-12), where


@pytest.mark.parity("stats")
def test_three_classes_match_scikit_learn(reference):
    wanted = reference.expected["three_class"]
    y, p = reference.data["three_class.y"], reference.data["three_class.p"]
    classes = p.shape[1]
    assert st.auc(y, p) == close(wanted["auc_macro_ovr"], abs=1e-12)
    assert st.mean_average_precision(y, p) == close(wanted["mAP_macro"], abs=1e-12)
    for average in ("macro", "micro", "weighted"):
        found = st.average_precision_of_classes(y, p, average)
        assert found == close(wanted[f"mAP_{average}"], abs=1e-12)
    assert st.accuracy(y, p) == close(wanted["accuracy"], abs=1e-12)
    assert st.balanced_accuracy(y, p) == close(wanted["balanced_accuracy"], abs=1e-12)
    assert st.confusion_matrix(y, p, classes).tolist() == wanted["confusion_rows_true"]
    for by, key in (("argmax", "one_vs_rest_argmax"), ("threshold", "one_vs_rest_threshold_half")):
        for number, found in enumerate(st.one_vs_rest(y, p, by=by)):
            assert_binary(found, wanted[f"class{number}"][key], (by, number))


@pytest.mark.parity("stats")
def test_regression_matches_scikit_learn(reference):
    wanted = reference.expected["regression"]
    y, predicted = reference.data["regression.y_true"], reference.data["regression.y_pred"]
    for name in ("r2", "pearson", "mae", "rmse"):
        found = st.per_output(name, y, predicted)
        assert found == close([null(value) for value in wanted[name]], abs=1e-10), name
    assert st.r2(y, predicted) == close(wanted["r2_uniform_average"], abs=1e-10)
    assert st.mae(y, predicted) == close(wanted["mae_all"], abs=1e-10)
    everything = y.ravel(), predicted.ravel()
    assert st.rmse(*everything) == close(wanted["rmse_all"], abs=1e-10)


@pytest.mark.parity("stats")
def test_cohens_d_matches_its_formulas(reference):
    kinds = {"d_pooled": "pooled", "d_average_sd": "average", "hedges_g_exact": "hedges"}
    assert reference.expected["cohens_d"]
    for case in reference.expected["cohens_d"]:
        for key, kind in kinds.items():
            found = st.cohens_d(case["x"], case["y"], kind=kind)
            assert found == close(null(case[key]), abs=1e-12), key
        if "d_z_paired" in case:
            found = st.cohens_d(case["x"], case["y"], paired=True)
            assert found == close(null(case["d_z_paired"]), abs=1e-12)


def resampled_sets(reference):
    for name, wanted in reference.expected["resampling"].items():
        if f"{name}.y" in reference.data:
            y, a, b = (reference.data[f"{name}.{key}"] for key in "yab")
            divisor = 5 if wanted.get("scores_divided_by_5") else 1
            yield name, wanted, y, a / divisor, b / divisor


@pytest.mark.parity("stats")
@pytest.mark.parametrize("stratified", [False, True])
def test_bootstrap_limits_match_a_loop_over_scikit_learn(reference, stratified):
    compared = 0
    for name, wanted, y, a, b in resampled_sets(reference):
        kind = "bootstrap_stratified" if stratified else "bootstrap_plain"
        for key, stored in wanted.get(kind, {}).get("stats", {}).items():
            metric, of = key.split("_")
            pair = {"a": (a,), "b": (b,), "diff": (a, b)}[of]
            found = st.bootstrap_ci(
                BOOTSTRAP_METRICS[metric], y, *pair, stratified=stratified, seed=1
            )
            for limit, place in ((found.low, "p2_5"), (found.high, "p97_5")):
                error = stored[f"mc_se_of_{place}_with_1000"] / math.sqrt(10)
                assert limit == close(stored[place], abs=5 * error), (name, kind, key, place)
                compared += 1
    assert compared


@pytest.mark.parity("stats")
def test_permutation_p_values_match_many_and_all_exchanges(reference):
    compared = 0
    for name, wanted, y, a, b in resampled_sets(reference):
        for key, metric in (("auc", "auc"), ("map", "map"), ("ba_exact", "balanced_accuracy")):
            stored = wanted.get(f"permutation_{key}")
            if stored is None:
                continue
            found = st.paired_permutation_test(metric, y, a, b, seed=1)
            p = stored["p_two_sided"]
            error = stored.get("mc_se_with_10000", math.sqrt(p * (1 - p) / 10_000))
            assert found.difference == close(stored["observed"], abs=1e-12), (name, key)
            assert found.p == close(p, abs=4 * error + 1e-4), (name, key)
            compared += 1
    assert compared


@pytest.mark.parity("stats")
def test_all_arrangements_of_a_tiny_set_give_the_exact_p(reference):
    wanted = reference.expected["resampling"]["tiny_exact"]
    y, a, b = (reference.data[f"tiny.{key}"] for key in "yab")
    for key, metric in BOOTSTRAP_METRICS.items():
        found = st.paired_permutation_test(metric, y, a, b, permutations=wanted["arrangements"])
        assert found.exact
        assert found.permutations == wanted["arrangements"]
        assert found.difference == close(wanted[key]["observed"], abs=1e-12)
        assert found.p == close(wanted[key]["p_two_sided"], abs=1e-12), key
    random = st.paired_permutation_test("auc", y, a, b, permutations=10_000)
    p = wanted["auc"]["p_two_sided"]
    assert not random.exact
    assert random.p == close(p, abs=4 * np.sqrt(p * (1 - p) / 10_000) + 1e-4)
