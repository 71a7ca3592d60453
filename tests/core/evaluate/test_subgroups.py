"""Subgroups: the metric of just these people, and nothing of few of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.compare import CompareOptions
from cardionets_core.evaluate.plots import calibration_figure, subgroup_figure
from cardionets_core.evaluate.subgroups import (
    ROUNDED,
    TOO_FEW,
    calibration_table,
    figure_rows,
    subgroup_table,
)

N = 240
FAST = CompareOptions(resamples=100)


@pytest.fixture
def frame():
    """Scores of two variants as a study writes them."""
    rng = np.random.default_rng(0)
    y = (rng.random(N) < 0.4).astype(float)
    sex = np.where(np.arange(N) < 100, "female", "male")
    age = np.tile([45.0, 50.0, 59.9, 60.0, 69.0, 70.0, 90.0, np.nan], N // 8)
    parts = [
        pd.DataFrame(
            {
                "subject_id": [f"s{i}" for i in range(N)],
                "record_id": [f"r{i}" for i in range(N)],
                "task": "cm",
                "variant": variant,
                "fold": np.arange(N) % 2,
                "seed": 0,
                "split": "test",
                "sex": sex,
                "age_years": age,
                "target": [[value] for value in y],
                "score": [[value] for value in 1 / (1 + np.exp(-(y + rng.normal(size=N))))],
                "threshold": [[0.6]] * N,
            }
        )
        for variant in ("scratch", "ssl")
    ]
    return pd.concat(parts, ignore_index=True)


def row_of(table, **wanted):
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


def values(rows):
    y = np.array([target[0] for target in rows["target"]])
    return y, np.array([score[0] for score in rows["score"]])


def test_each_level_has_the_metric_of_its_own_records(frame):
    options = CompareOptions(resamples=100, pooled=True)
    table = subgroup_table(frame, ["auc", "sensitivity"], hide=False, options=options)
    women = frame[(frame["variant"] == "ssl") & (frame["sex"] == "female")]
    found = row_of(table, variant="ssl", subgroup="sex", level="female", metric="auc")
    y, score = values(women)
    assert found["estimate"] == pytest.approx(roc_auc_score(y, score))
    assert (found["n"], found["cases"]) == (100, y.sum())
    decided = row_of(table, variant="ssl", level="female", metric="sensitivity")
    assert decided["estimate"] == (score[y == 1] >= 0.6).mean()
    whole = row_of(table, variant="ssl", subgroup="all", metric="auc")
    assert whole["n"] == N


def test_folds_are_averaged_within_a_level(frame):
    table = subgroup_table(frame, ["auc"], ["sex"], hide=False, options=FAST)
    men = frame[(frame["variant"] == "scratch") & (frame["sex"] == "male")]
    aucs = [roc_auc_score(*values(rows)) for _, rows in men.groupby("fold")]
    found = row_of(table, variant="scratch", level="male")
    assert found["estimate"] == pytest.approx(np.mean(aucs))


def test_age_bands_begin_at_50_60_and_70_and_the_unknown_come_last(frame):
    table = subgroup_table(frame, ["auc"], ["age_band"], hide=False, options=FAST)
    bands = table[(table["variant"] == "ssl") & (table["subgroup"] == "age_band")]
    assert bands["level"].tolist() == ["<50", "50-59", "60-69", "70+", "unknown"]
    assert bands["n"].tolist() == [N / 8, N / 4, N / 4, N / 4, N / 8]


def test_fewer_than_ten_of_a_class_are_not_told_of(frame):
    y = np.array([target[0] for target in frame["target"]])
    nine = np.flatnonzero(y[:N] == 1)[:9]
    rare = np.concatenate([nine, np.flatnonzero(y[:N] == 0)[:40]])
    frame["centre"] = np.where(np.isin(np.arange(2 * N) % N, rare), "small", "large")
    hidden = subgroup_table(frame, ["auc"], ["centre"], hide=True, options=FAST)
    small = row_of(hidden, variant="ssl", level="small")
    assert small["note"] == TOO_FEW
    assert small[["n", "cases", "estimate", "low", "high"]].isna().all()
    shown = subgroup_table(frame, ["auc"], ["centre"], hide=False, options=FAST)
    assert row_of(shown, variant="ssl", level="small")["cases"] == 9


def test_a_hidden_count_does_not_follow_from_the_others(frame):
    frame["centre"] = np.where(np.arange(2 * N) % N < 12, "small", "large")
    table = subgroup_table(frame, ["auc"], ["centre"], hide=True, options=FAST)
    large = row_of(table, variant="ssl", level="large")
    assert large["n"] == 220
    assert large["cases"] % 10 == 0
    assert ROUNDED in large["note"]
    assert np.isfinite(large["estimate"])


def test_a_level_without_a_class_in_a_fold_says_which_folds_count(frame):
    y = np.array([target[0] for target in frame["target"]])
    frame["ward"] = np.where((frame["fold"] == 1) & (y == 1), "other", "own")
    table = subgroup_table(frame, ["auc"], ["ward"], hide=False, options=FAST)
    own = row_of(table, variant="ssl", level="own")
    assert "of 1 of 2 folds" in own["note"]
    first = frame[(frame["variant"] == "ssl") & (frame["fold"] == 0)]
    assert own["estimate"] == pytest.approx(roc_auc_score(*values(first)))


def test_other_splits_are_passed_over(frame):
    more = frame.assign(split="val")
    both = pd.concat([frame, more])
    expected = subgroup_table(frame, ["auc"], ["sex"], hide=False, options=FAST)
    found = subgroup_table(both, ["auc"], ["sex"], hide=False, options=FAST)
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    ("by", "message"),
    [("centre", "no column 'centre'; there are"), ("record", "more than|different values")],
)
def test_a_column_that_makes_no_subgroups_is_refused(frame, by, message):
    frame["record"] = frame["record_id"]
    with pytest.raises(EvaluationError, match=message):
        subgroup_table(frame, ["auc"], [by], hide=False, options=FAST)


def test_the_table_can_be_drawn(frame, tmp_path):
    frame["centre"] = np.where(np.arange(2 * N) % N < 12, "small", "large")
    table = subgroup_table(frame, ["auc"], ["sex", "centre"], hide=True, options=FAST)
    subgroup_figure(figure_rows(table, "auc"), tmp_path / "s", metric="auc", simulated=True)
    assert (tmp_path / "s.png").stat().st_size > 1000


def test_calibration_bins_hold_every_record_and_can_be_drawn(tmp_path):
    rng = np.random.default_rng(1)
    score = rng.random(300)
    y = (rng.random(300) < score).astype(float)
    table = calibration_table(y, score, bins=5, variant="ssl")
    assert table["count"].tolist() == [60] * 5
    order = np.argsort(score)
    assert table["observed"].iloc[0] == y[order[:60]].mean()
    assert table["predicted"].iloc[0] == pytest.approx(score[order[:60]].mean())
    calibration_figure(table, tmp_path / "c", simulated=True)
    assert (tmp_path / "c.svg").exists()
