"""``cardionets predict`` as a user meets it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cardionets_core as cn
from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.testing.made_up import made_up_ecg
from cardionets_core.weights.header import read_header

SHIPPED = "cardionets-tiny-heads-simulated"
WARNING = "weights trained on simulated data: says nothing about patients"
DECLARED = ["--units", "mV", "--sampling-rate-hz", "500"]
PHENOTYPE_COLUMNS = [f"{p.field_id} {p.name} ({p.unit})" for p in PHENOTYPES]
PROBABILITIES = [
    *(f"{task}_probability" for task in ("cad", "hf", "cm", "ph")),
    *(f"cm-subtype_{subtype}_probability" for subtype in ("dcm", "hcm", "rcm")),
]
SMALL = ["encoder.width=8", "encoder.depth=1", "encoder.heads=1", "encoder.head_dim=8",
         "train.accelerator=cpu", "train.threads=1", "train.batch_size=8"]  # fmt: skip


@pytest.fixture
def ecgs(tmp_path):
    """A folder with two readable files and a broken one."""
    folder = tmp_path / "ecgs"
    folder.mkdir()
    for seed, name in enumerate(("a", "b")):
        record = made_up_ecg(seed=seed, heart_rate_bpm=60 + 20 * seed)
        header = ",".join(record.leads)
        np.savetxt(folder / f"{name}.csv", record.signal_mv.T, delimiter=",", header=header,
                   comments="", fmt="%.4f")  # fmt: skip
    (folder / "bad.csv").write_text("I,II\nnothing\n")
    return folder


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """What every row with a prediction by the shipped heads has to hold."""
    assert set(table["warning"]) == {WARNING}
    assert set(table["simulated_weights"]) == {True}
    assert table["weights_sha256"].nunique() == table["transform"].nunique() == 1
    good = table[table["reason"].isna()]
    assert good[PROBABILITIES].notna().all(axis=None)
    assert good[PROBABILITIES].ge(0).all(axis=None)
    assert good[PROBABILITIES].le(1).all(axis=None)
    assert np.isfinite(good[PHENOTYPE_COLUMNS].to_numpy()).all()
    for task in ("cad", "hf", "cm", "ph"):
        decided = good[f"{task}_probability"] >= good[f"{task}_threshold"]
        assert (good[f"{task}_decision"].astype(bool) == decided).all()
    return good


def test_the_shipped_heads_serve_when_no_weights_are_named(command, ecgs):
    ended = command("predict", ecgs, "--out", "r.csv", *DECLARED)
    assert ended.code == 0, ended.err
    assert "2 records predicted, 1 not (their rows say why): r.csv" in ended.out
    assert SHIPPED in ended.out
    assert WARNING in ended.out
    table = pd.read_csv("r.csv")
    assert table["record"].tolist() == ["a.csv", "b.csv", "bad.csv"]
    assert set(table["weights"]) == {SHIPPED}
    good = checked(table)
    assert good["heart_rate_bpm"].tolist() == pytest.approx([60, 80], rel=0.02)
    bad = table[table["record"] == "bad.csv"].iloc[0]
    assert bad["reason"]
    assert bad[[*PROBABILITIES, *PHENOTYPE_COLUMNS]].isna().all()


def test_one_file_to_parquet_equals_the_python_function(command, ecgs):
    ended = command("predict", ecgs / "a.csv", "--out", "r.parquet", *DECLARED)
    assert ended.code == 0, ended.err
    row = pd.read_parquet("r.parquet").iloc[0]
    record = cn.read_ecg(ecgs / "a.csv", units="mV", sampling_rate_hz=500)
    alone = cn.predict(cn.load_predictor(), record)
    for name in (*PROBABILITIES, *PHENOTYPE_COLUMNS):
        assert row[name] == pytest.approx(alone[name], rel=1e-4, abs=1e-5), name
    assert alone["warning"] == WARNING


def test_a_cohort_is_predicted(command):
    made = command("prepare", "simulated", "--subjects", 3, "--seed", 8, "--workers", 1,
                   "--out", "c.h5")  # fmt: skip
    assert made.code == 0, made.err
    ended = command("predict", "c.h5", "--out", "r.csv")
    assert ended.code == 0, ended.err
    table = pd.read_csv("r.csv", dtype={"record": str})
    with cn.open_cohort("c.h5") as cohort:
        assert table["record"].tolist() == cohort.record_ids.tolist()
    assert len(checked(table)) == 3


def test_a_run_of_train_and_a_pack_of_two_of_them_serve_as_weights(command, ecgs):
    made = command("prepare", "simulated", "--subjects", 40, "--pretrain-subjects", 0,
                   "--prevalence", "enriched", "--seed", 8, "--workers", 1,
                   "--out", "c.h5")  # fmt: skip
    assert made.code == 0, made.err
    train = ["train", "--encoder", "stmem", "--head", "linear", "--preset", "tiny", "--epochs", 1,
             "--variant", "cardionets", "--cohort", "c.h5", "--set=protocol.probe=true",
             *(f"--set={item}" for item in SMALL if item.startswith("train"))]  # fmt: skip
    for task in ("phenotypes", "cm"):
        ended = command(*train, "--task", task, "--out", task)
        assert ended.code == 0, ended.err
    assert command("predict", ecgs, "--weights", "cm", "--out", "cm.csv", *DECLARED).code == 0
    card = Path("mine.md")
    card.write_text("# mine\nSimulated.\n## What\nx\n## Data\nx\n## Numbers\n1 `cardionets x`\n"
                    "## Limits\nx\n## Licence\nMIT\n")  # fmt: skip
    told = command("zoo", "pack", "phenotypes", "cm", "--card", card, "--out", "zoo")
    assert told.code == 0, told.err
    header = read_header(Path("zoo/mine/weights.safetensors"))
    assert set(header.parts) == {"encoder", "head_cm", "head_phenotypes"}
    ended = command("predict", ecgs, "--weights", "zoo/mine", "--out", "both.csv", *DECLARED)
    assert ended.code == 0, ended.err
    one, both = pd.read_csv("cm.csv"), pd.read_csv("both.csv")
    pd.testing.assert_series_equal(one["cm_probability"], both["cm_probability"])
    assert set(PHENOTYPE_COLUMNS) <= set(both)
    assert set(both["warning"]) == {WARNING}


def test_a_table_of_bad_files_alone_is_written_and_ends_with_code_1(command, ecgs):
    ended = command("predict", ecgs / "bad.csv", "--out", "r.csv", *DECLARED)
    assert ended.code == 1, ended
    assert "0 records predicted, 1 not" in ended.out
    assert pd.read_csv("r.csv")["reason"].notna().all()


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["--out", "r.xlsx"], "needed a name that ends in .csv or .parquet", 2),
        (["--out", "none/r.csv"], "there is no folder none", 2),
        (["--weights", "vit-cmr-tiny-simulated"], "no head for a task found, only encoder", 1),
        (["--weights", "cardionets-tiny-heads"], f"Did you mean '{SHIPPED}'?", 2),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(command, ecgs, arguments, said, code):
    given = arguments if "--out" in arguments else [*arguments, "--out", "r.csv"]
    ended = command("predict", ecgs, *given, *DECLARED)
    assert ended.code == code, ended
    assert said in ended.err
    assert "\n" not in ended.err.strip()
    assert not list(Path().glob("r.*"))


@pytest.mark.parametrize("named", ["", "bad.csv"])
def test_an_ecg_is_not_replaced_by_the_table_of_it(command, ecgs, named):
    bad = ecgs / "bad.csv"
    before = bad.read_bytes()
    ended = command("predict", ecgs / named, "--out", bad, *DECLARED)
    assert ended.code == 2
    assert "bad.csv is one of the files to be read" in ended.err
    assert "\n" not in ended.err.strip()
    assert bad.read_bytes() == before


def test_real_records_are_predicted_and_the_broken_one_says_why(command, tmp_path):
    root = os.environ.get("CARDIONETS_SAMPLE_DATA")
    if not root:
        pytest.skip("CARDIONETS_SAMPLE_DATA is unset: no real records to read")
    headers = sorted((Path(root) / "ecg_wfdb").glob("*.hea"))
    if len(headers) < 2:
        pytest.skip("CARDIONETS_SAMPLE_DATA holds fewer than 2 WFDB records")
    copied = tmp_path / "ecgs"
    shutil.copytree(headers[0].parent, copied, copy_function=shutil.copyfile)
    (copied / headers[0].name).write_text("a header that is none\n")
    ended = command("predict", copied, "--out", "r.csv", "--workers", 1)
    assert ended.code == 0, ended.err
    table = pd.read_csv("r.csv")
    assert table["record"].tolist() == [header.name for header in headers]
    good = checked(table)
    assert table[table["reason"].notna()]["record"].tolist() == [headers[0].name]
    assert good["cm_probability"].round(6).nunique() > len(good) / 2
    rates = good["heart_rate_bpm"].dropna()
    assert len(rates)
    assert rates.between(15, 350).all()
