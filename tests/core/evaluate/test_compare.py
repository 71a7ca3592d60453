"""Comparing two models: the right statistics on the right records."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import log_loss, r2_score

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.errors import EvaluationError, UsageError
from cardionets_core.evaluate.compare import CompareOptions, compare_scores
from cardionets_core.evaluate.compare_json import comparison_json, write_json
from cardionets_core.evaluate.score_files import read_scores
from cardionets_core.evaluate.statistics import (
    bootstrap_ci,
    cohens_d,
    delong_test,
    holm,
    paired_permutation_test,
)

N = 200
FAST = CompareOptions(resamples=200, permutations=200)


@pytest.fixture
def made():
    """Labels and probabilities of two models."""
    rng = np.random.default_rng(1)
    y = (rng.random(N) < 0.35).astype(int)
    shared = rng.normal(size=N)
    scores = [1 / (1 + np.exp(-(lift * y + shared + rng.normal(size=N)))) for lift in (2.0, 0.8)]
    return y, *scores


@pytest.fixture
def scores(tmp_path):
    """Scores read from a CSV of these columns."""

    def read(name, **columns):
        path = tmp_path / f"{name}.csv"
        ids = columns.pop("id", [f"p{i}" for i in range(len(columns["label"]))])
        pd.DataFrame({"id": ids, **columns}).to_csv(path, index=False)
        return read_scores(path)

    return read


def lines(found):
    return {line.name: line for line in found.metrics}


def flat(a, b=None, options=FAST):
    return comparison_json(compare_scores(a, b, options))


def test_auc_difference_and_p_are_delongs(scores, made):
    y, one, other = made
    found = flat(scores("a", label=y, score=one), scores("b", label=y, score=other))
    expected = delong_test(y, one, other)
    assert found["auc_a"] == pytest.approx(expected.auc_a)
    assert found["auc_difference_low"] == pytest.approx(expected.low)
    assert found["delong_z"] == pytest.approx(expected.z)
    assert found["delong_p"] == pytest.approx(expected.p)
    assert found["permutation_p_auc"] is None
    assert found["reasons"]["permutation_p_auc"]


def test_other_metrics_have_bootstrap_intervals_and_permutation_p_values(scores, made):
    y, one, other = made
    found = flat(scores("a", label=y, score=one), scores("b", label=y, score=other))
    test = paired_permutation_test("map", y, one, other, permutations=200)
    interval = bootstrap_ci("map", y, one, other, resamples=200)
    assert found["permutation_p_map"] == test.p
    assert found["map_difference"] == pytest.approx(test.difference)
    assert (found["map_difference_low"], found["map_difference_high"]) == (
        interval.low,
        interval.high,
    )
    balanced = paired_permutation_test("balanced_accuracy", y, one, other, permutations=200)
    assert found["permutation_p_balanced_accuracy"] == balanced.p


def test_holm_runs_over_the_tests_of_the_table(scores, made):
    y, one, other = made
    found = flat(scores("a", label=y, score=one), scores("b", label=y, score=other))
    names = ["delong_p", "permutation_p_map", "permutation_p_balanced_accuracy"]
    adjusted = holm([found[name] for name in names])
    assert [found[f"{name}_holm"] for name in names] == adjusted.tolist()


def test_the_order_of_rows_does_not_matter(scores, made):
    y, one, other = made
    shuffled = np.random.default_rng(0).permutation(N)
    ids = np.array([f"p{i}" for i in range(N)])
    a = scores("a", label=y, score=one)
    b = scores("b", label=y, score=other)
    mixed = scores("b", id=ids[shuffled], label=y[shuffled], score=other[shuffled])
    assert flat(a, mixed) == flat(a, b)


def test_swapping_the_models_turns_the_signs(scores, made):
    y, one, other = made
    a, b = scores("a", label=y, score=one), scores("b", label=y, score=other)
    there, back = flat(a, b), flat(b, a)
    for name in ("auc_difference", "map_difference", "delong_z", "d_z"):
        assert there[name] == pytest.approx(-back[name])
    assert there["delong_p"] == pytest.approx(back["delong_p"])


def test_d_z_is_that_of_the_log_loss_per_subject(scores, made):
    y, one, other = made
    person = [f"s{i // 2}" for i in range(N)]
    a = scores("a", label=y, score=one, subject=person)
    b = scores("b", label=y, score=other)
    losses = [
        np.array([log_loss([t], [s], labels=[0, 1]) for t, s in zip(y, p, strict=True)])
        .reshape(-1, 2)
        .mean(axis=1)
        for p in (one, other)
    ]
    found = flat(a, b)
    assert found["loss"] == "log loss"
    assert found["d_z"] == pytest.approx(cohens_d(losses[1], losses[0], paired=True))
    assert found["d_z"] > 0
    assert found["loss_a"] == pytest.approx(losses[0].mean())


def test_folds_of_one_file_make_means_over_folds(scores, made):
    y, one, other = made
    fold = np.arange(N) % 4
    found = flat(scores("a", label=y, score=one, fold=fold), scores("b", label=y, score=other))
    tests = [delong_test(y[fold == f], one[fold == f], other[fold == f]) for f in range(4)]
    assert found["folds"] == 4
    assert found["auc_b"] == pytest.approx(np.mean([test.auc_b for test in tests]))
    error = math.sqrt(
        sum(t.variance_a + t.variance_b - 2 * t.covariance for t in tests) / len(tests) ** 2
    )
    assert found["delong_z"] == pytest.approx(found["auc_difference"] / error)


def test_pooled_takes_the_records_of_all_folds_as_one(scores, made):
    y, one, other = made
    a = scores("a", label=y, score=one, fold=np.arange(N) % 4)
    b = scores("b", label=y, score=other)
    found = flat(a, b, CompareOptions(resamples=200, permutations=200, pooled=True))
    assert found["delong_p"] == pytest.approx(delong_test(y, one, other).p)
    assert "pooled" in found["notes"][0]


def test_repeated_subjects_leave_delong_out(scores, made):
    y, one, other = made
    person = [f"s{i // 2}" for i in range(N)]
    found = flat(scores("a", label=y, score=one, subject=person), scores("b", label=y, score=other))
    assert found["delong_p"] is None
    assert "one record per subject" in found["reasons"]["delong_p"]
    assert 0 < found["permutation_p_auc"] <= 1
    assert found["subjects"] == N // 2


def test_seeds_repeat_records_and_are_resampled(scores, made):
    y, one, other = made
    ids, seed = [f"p{i % N}" for i in range(2 * N)], np.arange(2 * N) // N
    both = np.tile(y, 2)
    a = scores("a", id=ids, label=both, score=np.r_[one, other], seed=seed)
    b = scores("b", id=ids, label=both, score=np.r_[other, one], seed=seed)
    found = flat(a, b)
    assert found["subjects"] == N
    assert found["auc_difference"] == pytest.approx(0)
    assert found["delong_p"] is None


def test_scores_of_any_scale_have_an_auc_but_no_decisions(scores, made):
    y, one, other = made
    wide = scores("a", label=y, score=100 * one - 7)
    found = flat(wide, scores("b", label=y, score=other))
    assert found["delong_p"] == pytest.approx(delong_test(y, one, other).p)
    for name in ("balanced_accuracy_a", "sensitivity_a", "brier_a", "loss_a", "d_z"):
        assert found[name] is None
        assert found["reasons"][name]
    assert found["brier_b"] is not None
    given = flat(wide, options=CompareOptions(threshold=43, resamples=100))
    assert given["sensitivity_a"] == (one[y == 1] >= 0.5).mean()


def test_ranks_put_models_of_different_scales_on_one_for_the_permutation(scores, made):
    y, one, other = made
    wide = scores("a", label=y, score=100 * one - 7)
    narrow = flat(scores("c", label=y, score=one), scores("b", label=y, score=other))
    found = flat(wide, scores("b", label=y, score=other))
    assert found["map_difference"] == pytest.approx(narrow["map_difference"])
    assert found["permutation_p_map"] < 0.05


def test_a_threshold_column_decides_each_record(scores, made):
    y, one, _ = made
    limit = np.where(np.arange(N) % 2, 0.3, 0.7)
    found = flat(scores("a", label=y, score=one, threshold=limit))
    assert found["sensitivity_a"] == (one >= limit)[y == 1].mean()
    assert found["threshold_a"] is None
    assert "column 'threshold'" in found["threshold_a_source"]


def test_one_model_has_no_names_of_a_second(scores, made):
    y, one, _ = made
    found = flat(scores("a", label=y, score=one))
    assert not any(name.endswith(("_b", "_difference")) for name in found if name != "name_b")
    assert "delong_p" not in found
    assert found["auc_a"] is not None


def test_identical_models_do_not_differ(scores, made):
    y, one, _ = made
    a = scores("a", label=y, score=one)
    found = flat(a, scores("b", label=y, score=one))
    assert (found["auc_difference"], found["delong_z"], found["delong_p"]) == (0, 0, 1)
    assert found["permutation_p_map"] == 1
    assert found["d_z"] is None


def test_perfect_models_have_numbers_or_reasons_but_no_nan(scores, tmp_path):
    y = np.repeat([0, 1], 20)
    a = scores("a", label=y, score=0.1 + 0.8 * y)
    b = scores("b", label=y, score=0.9 - 0.8 * y)
    found = flat(a, b)
    assert (found["auc_a"], found["auc_b"], found["delong_p"]) == (1, 0, None)
    assert found["reasons"]["delong_p"] == "the difference has no variance"
    write_json(tmp_path / "r.json", found)
    text = (tmp_path / "r.json").read_text()
    assert "NaN" not in text
    assert json.loads(text) == found


def test_regression_compares_r2(scores):
    rng = np.random.default_rng(0)
    y = rng.normal(100, 20, N)
    near, far = y + rng.normal(0, 8, N), y + rng.normal(0, 16, N)
    found = flat(scores("a", label=y, score=near), scores("b", label=y, score=far))
    assert found["kind"] == "regression"
    assert found["r2_a"] == pytest.approx(r2_score(y, near))
    assert found["permutation_p_r2"] < 0.05
    assert found["loss"] == "squared error"
    assert found["loss_b"] == pytest.approx(((y - far) ** 2).mean())


def test_classes_are_compared_by_macro_metrics(scores):
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, N)
    names = np.array(["dcm", "hcm", "rcm"])
    p = rng.dirichlet([1, 1, 1], N)
    sharp = 0.5 * p + 0.5 * np.eye(3)[label]
    a, b = (
        scores(n, label=names[label], **{f"score_{c}": q[:, i] for i, c in enumerate(names)})
        for n, q in (("a", sharp), ("b", p))
    )
    found = flat(a, b)
    assert found["auc_a"] == 1
    assert found["accuracy_b"] == (p.argmax(1) == label).mean()
    assert found["auc_dcm_a"] == 1
    assert found["permutation_p_auc"] < 0.05
    assert found["loss_a"] < found["loss_b"]


def test_only_the_metrics_asked_for_are_computed(scores, made):
    y, one, other = made
    options = CompareOptions(resamples=50, permutations=50, metrics=("map", "brier"))
    found = compare_scores(
        scores("a", label=y, score=one), scores("b", label=y, score=other), options
    )
    assert list(lines(found)) == ["map", "brier"]
    with pytest.raises(UsageError, match="no metric 'r2' for binary targets; there are auc"):
        compare_scores(scores("a", label=y, score=one), None, CompareOptions(metrics=("r2",)))


def study_table(path, task="cm", variants=("scratch", "ssl"), outputs=1, settings=("all",)):
    rng = np.random.default_rng(0)
    n = 60
    y = rng.random((n, outputs)) if outputs > 1 else (np.arange(n) % 3 == 0)[:, None] * 1.0
    rows = [
        {
            "subject_id": f"s{i}",
            "record_id": f"r{i}",
            "task": task,
            "variant": variant,
            "fold": i % 2,
            "seed": 11,
            "split": split,
            "sex": "male",
            "age_years": 60.0,
            "target": y[i].tolist(),
            "score": np.clip(0.5 * y[i] + 0.5 * rng.random(outputs), 0, 1).tolist(),
            "threshold": [0.4 + 0.1 * (i % 2)] if outputs == 1 else [math.nan] * outputs,
            "setting": setting,
        }
        for variant in variants
        for setting in settings
        for split in ("val", "test")
        for i in range(n)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_a_study_compares_two_of_its_variants(tmp_path):
    path = study_table(tmp_path / "scores.parquet", settings=("all", "0.1"))
    (tmp_path / "study.json").write_text('{"cohort": {"simulated": true}}')
    a = read_scores(tmp_path, task="cm", variant="scratch")
    b = read_scores(path, variant="ssl")
    found = flat(a, b)
    assert (found["n"], found["folds"], found["simulated"]) == (60, 2, True)
    assert "column 'threshold'" in found["threshold_a_source"]
    assert len(read_scores(path, variant="ssl", setting="0.1").y) == 60


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("people", [True, False])
def test_real_people_stay_real_whatever_their_weights_descend_from(tmp_path, people, weights):
    path = study_table(tmp_path / "scores.parquet", variants=("ssl",))
    told = {"data": {"simulated": people}, "lineage": [{"simulated": weights}]}
    (tmp_path / "run.json").write_text(json.dumps(told))
    (tmp_path / "results.json").write_text(json.dumps({"simulated": people or weights}))
    found = read_scores(path)
    assert found.simulated is people
    assert (found.notes == ("cm, ssl: weights trained on simulated data",)) is weights


def test_a_target_is_for_a_csv_alone(tmp_path):
    path = study_table(tmp_path / "scores.parquet", variants=("ssl",))
    with pytest.raises(EvaluationError, match="--target says what the labels of a CSV are"):
        read_scores(path, target="binary")


def test_phenotypes_of_a_study_are_named(tmp_path):
    path = study_table(
        tmp_path / "scores.parquet", task="phenotypes", variants=("ssl",), outputs=len(PHENOTYPES)
    )
    found = compare_scores(read_scores(path), None, CompareOptions(resamples=20))
    assert f"r2[{PHENOTYPES[0].name}]" in lines(found)
    assert found.loss_name == "squared error in SDs of each target"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "2 variants; choose one with --variant: scratch, ssl"),
        ({"variant": "sls"}, "no variant 'sls'"),
        ({"variant": "ssl", "task": "hf"}, "no task 'hf'; choose one with --task: cm"),
        ({"variant": "ssl", "setting": "0.5"}, "no setting '0.5'"),
    ],
)
def test_a_choice_from_a_study_has_to_be_one(tmp_path, options, message):
    path = study_table(tmp_path / "scores.parquet")
    with pytest.raises(EvaluationError, match=message):
        read_scores(path, **options)


def reference():
    root = os.environ.get("CARDIONETS_REFERENCE")
    if root is None:
        pytest.skip("CARDIONETS_REFERENCE is not set")
    folder = Path(root) / "stats"
    return json.loads((folder / "expected.json").read_text())["delong"], np.load(
        folder / "data.npz"
    )


@pytest.mark.parity("stats")
def test_csv_files_give_the_delong_statistics_of_proc(scores):
    expected, data = reference()
    options = CompareOptions(metrics=("auc",))
    for name, case in expected.items():
        y = data[f"{name}.y"].astype(int)
        one, other = (data[f"{name}.{model}"].astype(float) for model in "ab")
        found = flat(scores("a", label=y, score=one), scores("b", label=y, score=other), options)
        assert found["auc_a"] == pytest.approx(case["auc_a"], rel=1e-9)
        assert found["auc_b"] == pytest.approx(case["auc_b"], rel=1e-9)
        limits = [found["auc_difference_low"], found["auc_difference_high"]]
        assert limits == pytest.approx(case["ci95_diff"], rel=1e-9)
        assert found["delong_p"] == pytest.approx(case["p_from_formula"], rel=1e-6)
