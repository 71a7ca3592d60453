"""Tables that cannot be drawn are refused in a line that names the place; nothing is written."""

import numpy as np
import pandas as pd
import pytest

from cardionets_core.errors import EvaluationError, WeightsError

TABLES = {
    "bars": ("estimate", "low"),
    "ratios": ("ratio", "high"),
    "labels": ("labels", "estimate"),
    "forest": ("difference", "p"),
    "calibration": ("predicted", "count"),
    "decision": ("net_benefit", "treat_all"),
    "subgroups": ("estimate", "n"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_without_rows_without_a_column_or_with_a_gap_is_refused(
    tmp_path, name, draw, table
):
    own = table(name).reset_index(drop=True)
    with pytest.raises(EvaluationError, match=r"no rows.*needed; check"):
        draw(name, tmp_path / "figure", own.iloc[:0])
    for column in TABLES[name]:
        with pytest.raises(EvaluationError, match=f"columns {column} are missing among .*; add"):
            draw(name, tmp_path / "figure", own.drop(columns=column))
        gap = own.astype({column: float})
        gap.loc[1, column] = np.nan
        with pytest.raises(EvaluationError, match=f"column '{column}' has nan in row 1.*needed"):
            draw(name, tmp_path / "figure", gap)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["bars", "ratios", "labels", "forest", "decision", "subgroups"])
def test_two_rows_for_one_place_are_refused(tmp_path, name, draw, table):
    own = table(name)
    with pytest.raises(EvaluationError, match=r"two rows for .*aggregate or select"):
        draw(name, tmp_path / "figure", pd.concat([own, own.iloc[:1]]))


@pytest.mark.parametrize("name", ["bars", "ratios", "labels", "forest", "calibration", "subgroups"])
def test_an_interval_upside_down_is_refused(tmp_path, name, draw, table):
    own = table(name).rename(columns={"low": "high", "high": "low"})
    with pytest.raises(EvaluationError, match=r"low .* above high .*; swap"):
        draw(name, tmp_path / "figure", own)


@pytest.mark.parametrize("kind", ["text", "None", "infinite"])
def test_what_is_no_number_is_refused(tmp_path, kind, draw, table):
    value = {"text": "0.7", "None": None, "infinite": np.inf}[kind]
    own = table("bars").astype({"estimate": object})
    own.at[2, "estimate"] = value
    with pytest.raises(EvaluationError, match=r"column 'estimate' has .* in row 2"):
        draw("bars", tmp_path / "figure", own)


def test_heat_maps_with_gaps_or_double_columns_are_refused(tmp_path, draw, table):
    with pytest.raises(EvaluationError, match="no rows"):
        draw("heat", tmp_path / "figure", table("heat").iloc[:0])
    with pytest.raises(EvaluationError, match="column 'Scratch' has nan in row 0"):
        draw("heat", tmp_path / "figure", table("heat").mask(table("heat") == 0.21))
    with pytest.raises(EvaluationError, match="columns Scratch come twice"):
        draw("heat", tmp_path / "figure", table("heat")[["Scratch", "Scratch"]])


@pytest.mark.parametrize(
    ("false_positive", "true_positive", "message"),
    [
        ([0, 1], [0, 0.5, 1], r"shapes \(2,\) and \(3,\)"),
        ([0, 1], [0, np.nan], "1 of them not finite"),
        ([], [], "0 values"),
        ([0, 2], [0, 1], r"rates from 0 to 2, but rates in \[0, 1\]"),
    ],
)
def test_broken_roc_curves_are_refused(tmp_path, false_positive, true_positive, message, draw):
    with pytest.raises(EvaluationError, match=f"ROC of SSL, CM: .*{message}"):
        draw("roc", tmp_path / "figure", {"SSL": {"CM": (false_positive, true_positive, "")}})


@pytest.mark.parametrize("table", [{}, {"SSL": {}}])
def test_a_roc_figure_without_curves_is_refused(tmp_path, table, draw):
    with pytest.raises(EvaluationError, match="0 ROC curves"):
        draw("roc", tmp_path / "figure", table)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "no matrix"),
        ({"SSL": [[1, 2], [3, 4]]}, r"SSL: shape \(2, 2\)"),
        ({"SSL": -np.eye(3)}, "lowest -1"),
        ({"SSL": np.full((3, 3), np.nan)}, "9 of them not finite"),
    ],
)
def test_matrices_that_are_no_counts_per_class_are_refused(tmp_path, table, message, draw):
    with pytest.raises(EvaluationError, match=message):
        draw("confusion", tmp_path / "figure", table)


def test_a_seed_that_is_nan_is_refused(tmp_path, draw, table):
    own = table("bars")
    own.at[0, "points"] = [0.7, np.nan]
    with pytest.raises(EvaluationError, match="column 'points': 2 values, 1 of them not finite"):
        draw("bars", tmp_path / "figure", own)


def test_a_folder_that_is_missing_is_named_and_nothing_is_left(tmp_path, draw):
    with pytest.raises(WeightsError, match="cannot be written"):
        draw("bars", tmp_path / "missing" / "figure")
    assert not list(tmp_path.iterdir())


def test_an_old_figure_survives_a_table_that_is_refused(tmp_path, draw, table):
    old = draw("bars", tmp_path / "figure")
    with pytest.raises(EvaluationError):
        draw("bars", tmp_path / "figure", table("bars").drop(columns="low"))
    assert (tmp_path / "figure.svg").read_text(encoding="utf-8") == old
