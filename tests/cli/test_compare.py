"""``cardionets compare`` as a user meets it, with good files and every bad one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

FAST = ["--resamples", "100", "--permutations", "100"]
N = 60


def rows_of(lift=1.5, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(N) % 3 == 0
    score = 1 / (1 + np.exp(-(lift * y + rng.normal(size=N) - 0.5)))
    return [[f"patient{i}", str(int(y[i])), f"{score[i]:.6f}"] for i in range(N)]


def write(name, rows, header=("id", "label", "score"), separator=",", encoding="utf-8"):
    text = "".join(separator.join(row) + "\n" for row in [header, *rows])
    Path(name).write_bytes(text.encode(encoding))
    return name


@pytest.fixture
def two(command):
    """The files of two models, in the folder that the command runs in."""
    write("a.csv", rows_of(2.0))
    write("b.csv", rows_of(0.5, seed=1))
    return command


def one_line(ended):
    """The complaint, which is a single line and no traceback."""
    assert ended.code in {1, 2}, ended.out
    complaint = ended.err.strip()
    assert complaint.startswith("error: ")
    assert "\n" not in complaint
    assert "patient" not in complaint
    assert "should not have happened" not in complaint
    return complaint


def test_two_models_on_screen_and_in_json(two):
    ended = two("compare", "a.csv", "b.csv", "--json", "r.json", *FAST)
    assert ended.code == 0, ended.err
    for text in (
        "60 records of 60 subjects, 20 cases: prevalence 33.3 %, and PPV, NPV and F1 hold at this",
        "A: a.csv; threshold 0.5, the default, as none was given",
        "DeLong",
        "bootstrap; permutation",
        "Wilson",
        "p (Holm)",
        "of the log loss per subject",
    ):
        assert text in ended.out
    found = json.loads(Path("r.json").read_text())
    assert found["auc_a"] > found["auc_b"]
    assert 0 <= found["delong_p"] <= 1
    assert {"delong_z", "permutation_p_balanced_accuracy", "permutation_p_map", "d_z"} <= set(found)
    assert (found["n"], found["cases"], found["threshold_a"]) == (60, 20, 0.5)


def test_every_name_in_the_json_is_documented(two):
    two("compare", "a.csv", "b.csv", "--json", "r.json", *FAST)
    documented = (Path(__file__).parents[2] / "docs" / "compare.md").read_text()
    metrics = {"auc", "map", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv"}
    metrics |= {"accuracy", "f1", "brier", "calibration_slope"}
    for name in json.loads(Path("r.json").read_text()):
        metric = max((metric for metric in metrics if metric in name), key=len, default=None)
        general = name.replace(metric, "METRIC", 1) if metric else name
        assert f"`{general}`" in documented or f"`{name}`" in documented, name


def test_the_same_seed_gives_the_same_json(two):
    for name in ("1.json", "2.json"):
        two("compare", "a.csv", "b.csv", "--json", name, *FAST)
    assert Path("1.json").read_bytes() == Path("2.json").read_bytes()


def test_one_model_is_reported_alone(two):
    ended = two("compare", "a.csv", "--threshold", "0.3", "--metric", "npv", *FAST)
    assert ended.code == 0, ended.err
    assert "threshold 0.3, given" in ended.out
    assert "NPV" in ended.out
    assert "AUC" not in ended.out
    assert "A - B" not in ended.out


def test_figures_are_drawn(two):
    ended = two("compare", "a.csv", "b.csv", "--out", "figures", *FAST)
    assert ended.code == 0, ended.err
    names = {path.name for path in Path("figures").iterdir()}
    assert {"roc.png", "calibration.svg", "decision-curve.png"} <= names


def test_subgroups_hide_fewer_than_ten_unless_simulated(two):
    rows = [[*row, "f" if i < 24 else "m"] for i, row in enumerate(rows_of())]
    write("s.csv", rows, ("id", "label", "score", "sex"))
    ended = two("compare", "s.csv", "--by", "sex", "--json", "r.json", *FAST)
    assert "fewer than 10" in ended.out
    levels = json.loads(Path("r.json").read_text())["subgroups"]
    hidden = [row for row in levels if row["level"] == "f" and row["metric"] == "auc"]
    assert (hidden[0]["n"], hidden[0]["estimate"]) == (None, None)
    shown = two("compare", "s.csv", "--by", "sex", "--simulated", *FAST)
    assert "fewer than 10" not in shown.out
    assert "simulated subjects" in shown.out


@pytest.mark.parametrize(
    ("separator", "encoding"),
    [(",", "utf-8-sig"), (";", "utf-8-sig"), ("\t", "utf-16"), (";", "utf-8")],
)
def test_csv_as_spreadsheets_write_it_is_the_same_csv(two, separator, encoding):
    write("x.csv", rows_of(2.0), separator=separator, encoding=encoding)
    for name, file in (("1.json", "a.csv"), ("2.json", "x.csv")):
        assert two("compare", file, "--json", name, *FAST).code == 0
    one, other = (json.loads(Path(name).read_text()) for name in ("1.json", "2.json"))
    assert one | {"name_a": ""} == other | {"name_a": ""}


def test_decimal_commas_are_read_and_said(two):
    comma = [[row[0], row[1], row[2].replace(".", ",")] for row in rows_of(2.0)]
    write("x.csv", comma, separator=";")
    two("compare", "a.csv", "--json", "1.json", *FAST)
    ended = two("compare", "x.csv", "--json", "2.json", *FAST)
    assert "note: x.csv: commas were read as decimal points" in ended.out
    one, other = (json.loads(Path(name).read_text()) for name in ("1.json", "2.json"))
    assert one["auc_a"] == other["auc_a"]


def test_windows_lines_quotes_blank_lines_and_capitals_do_not_matter(two):
    body = "".join(f'"{i}",{label},{score}\r\n\r\n' for i, label, score in rows_of(2.0))
    Path("x.csv").write_bytes(f"ID, Label ,SCORE\r\n{body}".encode())
    ended = two("compare", "a.csv", "x.csv", *FAST)
    assert ended.code == 0, ended.err


def test_true_and_false_are_labels(two):
    words = [[i, {"0": "False", "1": "TRUE"}[label], score] for i, label, score in rows_of(2.0)]
    write("x.csv", words)
    assert two("compare", "a.csv", "x.csv", *FAST).code == 0


def replaced(row, column, value):
    rows = rows_of()
    rows[row][column] = value
    return rows


BAD_ROWS = {
    "NaN score": (replaced(3, 2, "nan"), "1 of 60 values of column 'score' are empty", "row 4"),
    "empty score": (replaced(0, 2, ""), "'score' are empty, not finite", "in row 1"),
    "infinite score": (replaced(9, 2, "inf"), "not finite or no numbers", "in row 10"),
    "word as score": (replaced(9, 2, "high"), "not finite or no numbers", "in row 10"),
    "empty label": (replaced(5, 1, ""), "1 of 60 values of column 'label'", "row 6"),
    "word as label": (replaced(5, 1, "yes"), "'label' are empty or no numbers", "1 for cases"),
    "label 2": (replaced(5, 1, "2"), "'label' holds 0, 1, 2", "--target regression"),
    "empty id": (replaced(5, 0, ""), "column 'id' are empty", "row 6"),
    "duplicate": (replaced(5, 0, "patient2"), "1 ids come more than once", "rows 3, 6"),
    "too many cells": (replaced(5, 2, "0.5,0.6"), "row 6 has 4 cells and the header 3", "quotes"),
    "too few cells": ([["patient1", "1"]], "row 1 has 2 cells and the header 3", "export"),
    "no rows": ([], "has a header but no rows", "needed: columns id, label, score"),
    "cases only": ([row for row in rows_of() if row[1] == "1"], "without controls", "one class"),
    "controls only": ([row for row in rows_of() if row[1] == "0"], "without cases", "one class"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_rows_are_one_line_that_names_rows_and_no_patient(command, tmp_path, case):
    rows, found, remedy = BAD_ROWS[case]
    write(tmp_path / "x.csv", rows)
    complaint = one_line(command("compare", "x.csv", "--json", "r.json", *FAST))
    assert found in complaint
    assert remedy in complaint
    assert not Path("r.json").exists()


BAD_FILES = {
    "missing": (None, "x.csv: no such file"),
    "empty": (b"", "x.csv is empty; needed: columns id, label, score"),
    "blank": (b"\n\n \n", "x.csv is empty"),
    "BOM only": (b"\xef\xbb\xbf", "x.csv is empty"),
    "Excel": (b"PK\x03\x04rest", "x.csv is an Excel workbook or ZIP archive, no CSV"),
    "HDF5": (b"\x89HDF\r\n\x1a\n", "x.csv is an HDF5 file"),
    "binary": (b"id,label\x00\x01", "x.csv is a binary file"),
    "Latin-1": ("id,label,score\nJosé,1,0.5\n".encode("latin-1"), "not UTF-8 from byte 18"),
    "no label": (b"id,score\n1,0.5\n", "no column label among id, score"),
    "no columns": (
        b"patient1,0,0.5\npatient2,1,0.6\n",
        "no column id, label, score among the 3 of the first line, which names none of them",
    ),
    "no columns, an id twice": (b"patient1,patient1,0.5\n", "column name comes more than once"),
    "doubled column": (b"id,label,score,score\n1,0,1,1\n", "column 'score' comes more than once"),
    "one class column": (
        b"id,label,score_a\n1,a,1\n",
        "1 column score_CLASS; give either one column 'score', or two",
    ),
    "score and classes": (
        b"id,label,score,score_a,score_b\n1,a,1,1,0\n",
        "give either one column 'score', or two or more score_CLASS",
    ),
    "other class": (
        b"id,label,score_a,score_b\n1,a,1,0\n2,c,0,1\n",
        "1 of 2 values of column 'label' are none of the classes a, b, the first in row 2",
    ),
    "absent class": (b"id,label,score_a,score_b\n1,a,1,0\n2,a,0,1\n", "2 records without b"),
    "bad threshold": (b"id,label,score,threshold\n1,0,1,x\n2,1,1,0\n", "column 'threshold'"),
    "empty subject": (b"id,label,score,subject\n1,0,1,\n2,1,1,s\n", "column 'subject' are empty"),
    "open quote": (b'id,label,score\n"1,0,0.5\n2,1,0.5\n', "row 1 has 1 cells"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_what_is_no_such_csv_is_one_line(command, case):
    content, message = BAD_FILES[case]
    if content is not None:
        Path("x.csv").write_bytes(content)
    assert message in one_line(command("compare", "x.csv", *FAST))


def test_a_broken_parquet_is_one_line(command):
    Path("x.parquet").write_bytes(b"PAR1 and no more")
    assert "x.parquet: no readable parquet file" in one_line(command("compare", "x.parquet"))


def test_unequal_ids_are_counted_on_both_sides(two):
    rows = rows_of()
    rows[7][0], rows[9][0] = "patient900", "patient901"
    write("b.csv", rows[:-1])
    complaint = one_line(two("compare", "a.csv", "b.csv", *FAST))
    assert "a.csv has 60 rows, b.csv 59" in complaint
    assert "3 ids of a.csv (first in row 8) are not in b.csv" in complaint
    assert "2 ids of b.csv (first in row 8) are not in a.csv" in complaint


def test_labels_that_differ_are_counted(two):
    rows = rows_of()
    rows[4][1] = str(1 - int(rows[4][1]))
    write("b.csv", rows[::-1])
    complaint = one_line(two("compare", "a.csv", "b.csv", *FAST))
    assert "1 of 60 labels differ between a.csv and b.csv, first in row 5 and row 56" in complaint


def test_files_of_different_tasks_are_refused(two):
    write("b.csv", [[f"patient{i}", f"{math.sqrt(i)}", "1"] for i in range(N)])
    complaint = one_line(two("compare", "a.csv", "b.csv", *FAST))
    assert "a.csv is binary of 1 output and b.csv is regression of 1 output" in complaint


def test_folds_that_differ_are_refused(two):
    for name, shift in (("a.csv", 0), ("b.csv", 1)):
        rows = [[*row, str((i + shift) // 30)] for i, row in enumerate(rows_of())]
        write(name, rows, ("id", "label", "score", "fold"))
    complaint = one_line(two("compare", "a.csv", "b.csv", *FAST))
    assert "column 'fold' differs between a.csv and b.csv in 2 of 60 records" in complaint


def test_a_fold_with_one_class_is_named_and_pooling_offered(two):
    rows = [[*row, "last" if i == 1 else "first"] for i, row in enumerate(rows_of())]
    write("x.csv", rows, ("id", "label", "score", "fold"))
    complaint = one_line(two("compare", "x.csv", *FAST))
    assert "the 1 records of fold last are without cases" in complaint
    assert "--pooled" in complaint
    assert two("compare", "x.csv", "--pooled", *FAST).code == 0


def test_scores_beyond_probabilities_keep_the_auc_and_say_what_is_missing(two):
    rows = [[i, label, str(10 * float(score))] for i, label, score in rows_of()]
    write("x.csv", rows)
    ended = two("compare", "x.csv", "--json", "r.json", *FAST)
    assert ended.code == 0, ended.err
    assert "give --threshold" in ended.out
    found = json.loads(Path("r.json").read_text())
    assert found["auc_a"] is not None
    assert found["brier_a"] is None
    assert "no probabilities" in found["reasons"]["brier_a"]
    given = two("compare", "x.csv", "--threshold", "5", *FAST)
    assert "threshold 5, given" in given.out
    assert "give --threshold" not in given.out


def test_a_metric_named_twice_is_one_line_and_one_test(two):
    once, twice = (
        ["--metric", "auc", "--metric", "map", *more] for more in ([], ["--metric", "auc"])
    )
    assert two("compare", "a.csv", "b.csv", "--json", "1.json", *FAST, *once).code == 0
    ended = two("compare", "a.csv", "b.csv", "--json", "2.json", *FAST, *twice)
    assert ended.out.count("AUC") == 1
    assert Path("1.json").read_text() == Path("2.json").read_text()


@pytest.mark.parametrize("order", [("a.csv", "s.csv"), ("s.csv", "a.csv")])
def test_a_seed_may_stand_in_one_file_only(two, order):
    header = ("id", "label", "score", "seed")
    write("s.csv", [[*row, "7"] for row in rows_of(0.5, seed=1)], header)
    ended = two("compare", *order, "--json", "r.json", *FAST)
    assert ended.code == 0, ended.err
    assert json.loads(Path("r.json").read_text())["n"] == N


def test_several_seeds_in_one_file_only_are_refused(two):
    header = ("id", "label", "score", "seed")
    write("s.csv", [[*row, seed] for seed in "01" for row in rows_of()], header)
    complaint = one_line(two("compare", "a.csv", "s.csv", *FAST))
    assert "s.csv has several trainings of a record" in complaint
    assert "a.csv has no such column" in complaint


def test_the_same_ids_under_other_seeds_are_told_so(two):
    header = ("id", "label", "score", "seed")
    for seed in "01":
        write(f"s{seed}.csv", [[*row, seed] for row in rows_of()], header)
    assert "the same ids under other seeds" in one_line(two("compare", "s0.csv", "s1.csv", *FAST))


def test_losses_that_differ_by_rounding_only_have_no_effect_size(two):
    cases = [[row[0], row[1], "0.9" if row[1] == "1" else "0.1"] for row in rows_of()]
    write("sure.csv", cases)
    write("unsure.csv", [[row[0], row[1], "0.5"] for row in cases])
    assert two("compare", "sure.csv", "unsure.csv", "--json", "r.json", *FAST).code == 0
    found = json.loads(Path("r.json").read_text())
    assert found["d_z"] is None
    assert "differ by the same in every subject" in found["reasons"]["d_z"]


def test_whole_numbers_as_measured_values_need_a_word(two):
    rows = [[f"patient{i}", str(i % 5), f"{i % 5}.25"] for i in range(N)]
    write("x.csv", rows)
    assert "--target regression" in one_line(two("compare", "x.csv", *FAST))
    ended = two("compare", "x.csv", "--target", "regression", *FAST)
    assert ended.code == 0, ended.err
    assert "R2" in ended.out


BAD_USE = {
    "three files": (["a.csv", "b.csv", "a.csv"], "3 files of scores; give those of one model"),
    "unknown metric": (["a.csv", "--metric", "aux"], "no metric 'aux' for binary targets"),
    "confidence": (["a.csv", "--confidence", "95"], "confidence 95: needed a number between 0"),
    "threshold": (["a.csv", "--threshold", "nan"], "threshold nan: needed a finite number"),
    "json folder": (["a.csv", "--json", "nowhere/r.json"], "there is no folder nowhere"),
    "json is folder": (["a.csv", "--json", "."], "--json . is a folder"),
    "out is file": (["a.csv", "--out", "b.csv"], "--out b.csv is a file; name a folder"),
    "variant of CSV": (["a.csv", "--variant", "ssl"], "mean nothing for a CSV"),
    "many variants": (
        ["a.csv", "--variant", "x", "--variant", "y"],
        "2 variants for 1 file; give one for each",
    ),
    "no such column": (["a.csv", "--by", "sex"], "no column 'sex'"),
    "too many levels": (["a.csv", "--by", "age_band"], "age_band is made from age_years or age"),
    "folder": (["."], "no scores.parquet in this folder; name a CSV, or the folder of a finished"),
    "target of classes": (["c.csv", "--target", "binary"], "labels that name a class"),
    "threshold of classes": (["c.csv", "--threshold", "0.5"], "multiclass targets are decided"),
    "threshold of numbers": (["r.csv", "--threshold", "0.5"], "regression targets are decided"),
}


@pytest.mark.parametrize("case", BAD_USE)
def test_wrong_use_is_one_line(two, case):
    arguments, message = BAD_USE[case]
    write("r.csv", [[f"patient{i}", f"{i}.5", f"{i}.25"] for i in range(N)])
    header = ("id", "label", "score_x", "score_y")
    write("c.csv", [[row[0], "xy"[i % 2], "0.4", "0.6"] for i, row in enumerate(rows_of())], header)
    assert message in one_line(two("compare", *arguments, *FAST))
