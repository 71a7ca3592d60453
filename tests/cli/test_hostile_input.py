"""Odd but possible command lines: one line, the right exit code, nothing written or replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

LINE = "error: "


@pytest.fixture
def cohort(command):
    """A cohort of three simulated subjects."""
    ended = command("prepare", "simulated", "--subjects", "3", "--workers", "1", "--out", "c.h5")
    assert ended.code == 0, ended.err
    return "c.h5"


@pytest.mark.parametrize("out", ["c.h5", "e.csv", "no/parent/e.parquet", "file/e.parquet"])
def test_embeddings_never_replace_another_kind_of_file(command, cohort, out):
    Path("file").write_text("")
    before = Path(cohort).read_bytes()
    ended = command("embed", cohort, "--weights", "stmem-tiny-simulated", "--out", out)
    assert ended.code == 2, ended
    assert ended.err.startswith(f"{LINE}--out {out}: ")
    assert Path(cohort).read_bytes() == before
    assert not Path("no").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--workers", "0"), ("--workers", "-3"), ("--seed", "-1"), ("--seed", "9" * 23)],
)
def test_a_number_out_of_range_prepares_nothing(command, option, value):
    ended = command("prepare", "simulated", "--subjects", "3", option, value, "--out", "c.h5")
    assert ended.code == 2, ended
    assert ended.err.startswith(f"{LINE}{option} {value}: needed")
    assert not list(Path().glob("c.h5*"))


def test_pictures_where_no_folder_can_be_are_one_line(command, cohort):
    Path("file").write_text("")
    ended = command("inspect", cohort, "--out", "file/pictures")
    assert ended.code == 1, ended
    assert ended.err.startswith(f"{LINE}file/pictures: the pictures cannot be written there")


def test_weights_given_twice_for_a_role_are_refused(command):
    twice = ["--weights", "encoder=one", "--weights", "encoder=two"]
    ended = command("train", "--encoder", "stmem", *twice, "--out", "run")
    assert ended.code == 2, ended
    assert "--weights encoder is given twice, as one and two" in ended.err
    assert not Path("run").exists()


def test_a_pattern_that_is_no_glob_is_one_line(command):
    Path("folder").mkdir()
    ended = command("prepare", "wfdb", "--source", "folder", "--pattern", "**x", "--out", "c.h5")
    assert ended.code == 2, ended
    assert ended.err.startswith(f"{LINE}dataset.pattern = '**x'")
