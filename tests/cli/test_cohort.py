"""``cardionets cohort withdraw``, and ``prepare --reveal``, with a list as a biobank sends it."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

import cardionets_core as cn
from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.ids import key_path, make_key, read_key, subject_id
from cardionets_core.registry import default_registry


@pytest.fixture
def path(command, tmp_path):
    """Six simulated people."""
    out = tmp_path / "c.h5"
    ended = command("prepare", "simulated", "--subjects", 6, "--out", out, "--workers", 1)
    assert ended.code == 0, ended.err
    return out


@pytest.fixture
def revealed(command, path):
    """Rows of what ``--reveal`` prints about the cohort."""
    told = reveal(command, path, key_path(path))
    assert told.code == 0, told.err
    return list(csv.DictReader(io.StringIO(told.out)))


@pytest.fixture
def listing(tmp_path, revealed):
    """A list with one of them, a stranger, a negative and an empty id."""
    listing = tmp_path / "w1_20200102.csv"
    listing.write_text(f"eid\n{revealed[0]['subject']}\n7654321\n-3\n\n")
    return listing


@pytest.fixture
def run(path, revealed, tmp_path):
    """A run below ``runs`` that was trained on the first of them."""
    folder = tmp_path / "runs" / "deep" / "ecg"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"stage": "pretrain", "status": "finished"}))
    with cn.open_cohort(path) as cohort:
        row = np.flatnonzero(cohort.subject_ids == revealed[0]["subject_id"])
        Fingerprints.of(cohort, row).save(folder / "fingerprints.npz")
    return folder


def reveal(command, path, key, *arguments):
    return command(
        "prepare", "simulated", "--subjects", 6, "--out", path, "--reveal", key, *arguments
    )


def withdraw(command, listing, path, *arguments):
    return command("cohort", "withdraw", listing, "--cohort", path, *arguments)


def everything(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_withdrawing_takes_out_who_is_listed_and_tells_what_to_do(
    command, listing, path, run, tmp_path
):
    array = tmp_path / "cache" / "arrays" / "ecg-ab.npy"
    array.parent.mkdir(parents=True, exist_ok=True)
    array.write_bytes(b"x")
    told = withdraw(command, listing, path)
    assert (told.code, told.err) == (0, "")
    assert f"1 of the 2 listed are in {path}, with 1 records" in told.out
    assert "5 records of 5 persons are left" in told.out
    assert "1 cached arrays were deleted" in told.out
    assert not array.exists()
    (row,) = [line for line in told.out.splitlines() if line.startswith("runs/deep/ecg")]
    assert row.split() == ["runs/deep/ecg", "pretrain", "trained", "on"]
    assert "train anew on the rewritten cohort" in told.out
    with cn.open_cohort(path) as cohort:
        assert len(cohort) == 5


def test_a_second_time_nobody_is_found_and_the_runs_still_are(command, listing, path, run):
    withdraw(command, listing, path)
    before = path.read_bytes()
    told = withdraw(command, listing, path)
    assert told.code == 0
    assert f"nobody of the 2 listed is in {path}: nothing is rewritten" in told.out
    assert "runs/deep/ecg" in told.out
    assert path.read_bytes() == before


def test_a_dry_run_tells_the_same_and_changes_nothing(command, listing, path, run, tmp_path):
    (tmp_path / "cache" / "arrays").mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache" / "arrays" / "ecg-ab.npy").write_bytes(b"x")
    before = everything(tmp_path)
    told = withdraw(command, listing, path, "--dry-run")
    assert told.code == 0
    assert "1 of the 2 listed" in told.out
    assert "runs/deep/ecg" in told.out
    assert "nothing was changed" in told.out
    assert everything(tmp_path) == before


def test_what_is_printed_and_stored_names_nobody(command, listing, path, run, revealed):
    told = withdraw(command, listing, path)
    for name in ("subject", "record", "subject_id", "record_id"):
        assert revealed[0][name] not in told.out + told.err
        assert revealed[0][name].encode() not in path.read_bytes()


def test_runs_are_looked_for_where_they_are_said_to_be(command, listing, path, run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    run.parent.rename(tmp_path / "moved")
    told = withdraw(command, listing, path, "--runs", "elsewhere", "--runs", "moved", "--dry-run")
    assert "moved/ecg" in told.out
    told = withdraw(command, listing, path, "--runs", "elsewhere", "--dry-run")
    assert "no run below elsewhere saw them" in told.out
    told = withdraw(command, listing, path, "--runs", "nowhere")
    assert told.code == 2
    assert told.err.startswith("error: --runs nowhere: no such folder")


def test_every_mistake_is_one_line_and_changes_nothing(command, listing, path, tmp_path):
    nobody = tmp_path / "nobody.csv"
    nobody.write_text("eid\n-1\n")
    other = tmp_path / "other.key"
    make_key(other)
    before = path.read_bytes()
    for arguments, words in {
        (tmp_path / "none.csv", path): "no list at",
        (nobody, path): "lists nobody",
        (listing, tmp_path / "none.h5"): "no cohort at",
        (listing, listing): "is no whole HDF5 file",
        (listing, path, "--key", other): "is not the key that",
        (listing, path, "--key", tmp_path / "none.key"): "no id key at",
    }.items():
        told = withdraw(command, *arguments)
        assert told.code != 0
        assert told.out == ""
        assert told.err.count("\n") == 1
        assert words in told.err
    assert path.read_bytes() == before


def test_reveal_maps_ids_back_and_warns(command, path, revealed, tmp_path):
    assert list(revealed[0]) == ["record_id", "subject_id", "record", "subject", "reason"]
    key = read_key(key_path(path))
    assert len(revealed) == 6
    assert all(subject_id(key, row["subject"]) == row["subject_id"] for row in revealed)
    before = everything(tmp_path)
    told = reveal(command, path, key_path(path))
    assert told.err.startswith("personal data")
    assert everything(tmp_path) == before
    without = reveal(command, tmp_path / "none.h5", key_path(path))
    assert without.out.splitlines()[0] == "record_id,subject_id,record,subject"
    assert not (tmp_path / "none.h5").exists()


def test_reveal_writes_nothing_that_a_spreadsheet_would_run(command, tmp_path):
    (tmp_path / "archive").mkdir()
    for name in ("=HYPERLINK(1).csv", "@SUM(1).csv", "-2+3.csv", "007.csv"):
        (tmp_path / "archive" / name).write_text("I,II\n0.1,0.2\n")
    make_key(tmp_path / "key")
    told = command(
        "prepare", "hospital", "--source", tmp_path / "archive", "--out", tmp_path / "none.h5",
        "--reveal", tmp_path / "key",
    )  # fmt: skip
    assert told.code == 0, told.err
    assert sorted(row["record"] for row in csv.DictReader(io.StringIO(told.out))) == [
        "'-2+3.csv", "'=HYPERLINK(1).csv", "'@SUM(1).csv", "007.csv",
    ]  # fmt: skip


def test_reveal_refuses_a_key_that_does_not_fit(command, path, tmp_path):
    make_key(tmp_path / "other.key")
    told = reveal(command, path, tmp_path / "other.key")
    assert (told.code, told.out) == (1, "")
    assert "is not the key that" in told.err
    assert "personal data" not in told.err


def test_extending_takes_out_who_withdrew_and_drops_what_was_cached(
    command, path, revealed, tmp_path, monkeypatch
):
    array = tmp_path / "cache" / "arrays" / "ecg-ab.npy"
    array.parent.mkdir(parents=True, exist_ok=True)
    array.write_bytes(b"x")
    gone = [revealed[0]["subject"]]
    simulated = default_registry().find("dataset", "simulated").load()
    monkeypatch.setattr(simulated, "withdrawn_subjects", lambda _: gone, raising=False)
    told = command(
        "prepare", "simulated", "--subjects", 6, "--out", path, "--workers", 1, "--extend"
    )
    assert told.code == 0, told.err
    assert "1 records of people who withdrew were taken out of it, and 1 cached arrays" in told.out
    assert not array.exists()
    assert revealed[0]["subject_id"].encode() not in path.read_bytes()
