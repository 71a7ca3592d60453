"""Bad input: one line that says what was found, the right exit code, and nothing half-written."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

WEIGHTS = "stmem-tiny-simulated"
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
SAMPLES = 5000


def write_record(leads=LEADS, rate_hz=500, kept_bytes=None):
    """A WFDB record ``r.hea`` with ``r.dat``, both written by hand."""
    counts = np.random.default_rng(0).normal(0, 300, (SAMPLES, len(leads))).astype("<i2")
    lines = [f"r {len(leads)} {rate_hz} {SAMPLES}"]
    lines += [f"r.dat 16 1000(0)/mV 16 0 {counts[0, i]} 0 0 {n}" for i, n in enumerate(leads)]
    Path("r.hea").write_text("\n".join(lines) + "\n")
    Path("r.dat").write_bytes(counts.tobytes()[:kept_bytes])
    return "r.hea"


def write_csv(text):
    Path("r.csv").write_text(text)
    return "r.csv"


BAD_FILES = {
    "missing": (lambda: "none.hea", "none.hea: no such file"),
    "0 Hz": (lambda: write_record(rate_hz=0), "0"),
    "truncated": (lambda: write_record(kept_bytes=1001), "truncated"),
    "text": (lambda: write_csv("I,II\n0.1,x\n"), "x"),
    "all NaN": (lambda: write_csv("I,II\n" + "nan,nan\n" * SAMPLES), "no finite sample"),
    "no lead": (lambda: write_csv("time,volt\n" + "0,0\n" * SAMPLES), "lead"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_cannot_be_embedded_is_one_line_and_no_table(command, case):
    make, said = BAD_FILES[case]
    declared = ["--units", "mV", "--sampling-rate-hz", "500"] if make() == "r.csv" else []
    ended = command("embed", make(), "--weights", WEIGHTS, "--out", "e.parquet", *declared)
    assert ended.code == 1, ended
    (line,) = ended.err.strip().splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert "Traceback" not in line
    assert not [*Path().glob("e.parquet*"), *Path().glob(".e.parquet*")]


def test_three_leads_a_gap_and_a_flat_lead_are_embedded_and_flagged(command):
    time_s = np.arange(SAMPLES) / 500
    wave = np.sin(2 * np.pi * time_s)
    few = np.stack([wave, wave, np.zeros(SAMPLES)], axis=1)
    few[1000:2000, 0] = np.nan
    np.savetxt("r.csv", few, delimiter=",", header="I,II,V1", comments="", fmt="%.3f")
    declared = ["--units", "mV", "--sampling-rate-hz", "500"]
    ended = command("embed", "r.csv", "--weights", WEIGHTS, "--out", "e.parquet", *declared)
    assert ended.code == 0, ended.err
    (row,) = pq.read_table("e.parquet").to_pylist()
    assert row["usable"] is False
    assert np.isfinite(row["embedding"]).all()
    for flag in ("missing-run I 2 s", "flat-lead V1", "missing-lead V2"):
        assert flag in row["quality_flags"]


def test_a_cohort_of_another_layout_is_one_line_in_every_command_that_opens_one(command):
    cohort = command("prepare", "simulated", "--subjects", 3, "--out", "c.h5", "--workers", 1)
    assert cohort.code == 0, cohort.err
    with h5py.File("c.h5", "r+") as file:
        file.attrs["layout_version"] = 99
    for argv in (
        ["inspect", "c.h5"],
        ["embed", "c.h5", "--weights", WEIGHTS, "--out", "e.parquet"],
        ["train", "--encoder", "stmem", "--preset", "tiny", "--cohort", "c.h5", "--out", "other"],
    ):
        ended = command(*argv)
        assert ended.code == 1, ended
        assert "version 99, but" in ended.err
        assert "Traceback" not in ended.err
    assert not Path("e.parquet").exists()


@pytest.mark.parametrize("write", [None, lambda: write_record(kept_bytes=1001)])
def test_a_source_of_which_nothing_can_be_read_leaves_nothing_behind(command, tmp_path, write):
    (tmp_path / "source").mkdir()
    if write:
        write()
        for name in ("r.hea", "r.dat"):
            Path(name).rename(tmp_path / "source" / name)
    for argv in (
        ["prepare", "wfdb", "--source", "source", "--out", "c.h5", "--workers", 1],
        ["train", "--encoder", "stmem", "--dataset", "wfdb", "--source", "source", "--out", "c"],
    ):
        ended = command(*argv)
        assert ended.code in {1, 2}
        assert len(ended.err.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) in (["source"], ["cache", "source"])
