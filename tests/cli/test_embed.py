"""``cardionets embed`` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import cardionets_core as cn

LEADS = "I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6"
DECLARED = ["--units", "mV", "--sampling-rate-hz", "500"]
SMALL = ["dataset.subjects=6", "dataset.pretrain_subjects=6", "train.epochs=1", "encoder.width=8",
         "encoder.depth=1", "encoder.heads=1", "train.accelerator=cpu"]  # fmt: skip


@pytest.fixture
def weights(command):
    """A run that was trained on six simulated subjects."""
    sets = [f"--set={item}" for item in SMALL]
    ended = command("train", "--encoder", "stmem", "--preset", "tiny", *sets, "--out", "run")
    assert ended.code == 0, ended.err
    return "run"


@pytest.fixture
def ecgs(tmp_path):
    """A folder with a readable and a broken file."""
    folder = tmp_path / "ecgs"
    folder.mkdir()
    signal_mv = np.random.default_rng(0).normal(0, 0.3, (5000, 12))
    np.savetxt(folder / "good.csv", signal_mv, delimiter=",", header=LEADS, comments="", fmt="%.4f")
    (folder / "bad.csv").write_text("I,II\nnothing\n")
    return folder


def test_a_folder_becomes_a_table_with_a_row_for_a_bad_file(command, weights, ecgs):
    ended = command("embed", ecgs, "--weights", weights, "--out", "e.parquet", *DECLARED)
    assert ended.code == 0, ended.err
    assert "1 records embedded, 1 not (their rows say why): e.parquet" in ended.out
    assert "say nothing about patients" in ended.out
    rows = pq.read_table("e.parquet").to_pylist()
    assert [row["record"] for row in rows] == ["bad.csv", "good.csv"]
    assert rows[0]["reason"]
    record = cn.read_ecg(ecgs / "good.csv", units="mV", sampling_rate_hz=500)
    alone = cn.embed(cn.load(Path(weights)), record)
    assert rows[1]["embedding"] == pytest.approx(alone.tolist(), rel=1e-4, abs=1e-6)


def test_a_folder_without_ecgs_is_one_line(command, weights, tmp_path):
    (tmp_path / "empty").mkdir()
    ended = command("embed", "empty", "--weights", weights, "--out", "e.parquet")
    assert ended.code == 2
    assert ended.err.strip().startswith("error: no ECG file of a known format")
    assert not Path("e.parquet").exists()


def test_unknown_weights_are_one_line(command, ecgs):
    ended = command("embed", ecgs, "--weights", "nowhere", "--out", "e.parquet")
    assert ended.code == 2
    assert "no zoo entry 'nowhere'" in ended.err
