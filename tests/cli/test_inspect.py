"""``cardionets inspect``: what a cohort holds, as tables and pictures."""

from __future__ import annotations

import h5py
import pytest


@pytest.fixture
def cohort(command, tmp_path):
    """Twelve simulated subjects."""
    out = tmp_path / "cohort.h5"
    ended = command("prepare", "simulated", "--subjects", 12, "--out", out, "--workers", 1)
    assert ended.code == 0, ended.err
    return out


def test_inspect_prints_every_table_and_draws_both_sheets(command, cohort, tmp_path):
    told = command("inspect", cohort, "--out", tmp_path / "pictures", "--rows", 2)
    assert (told.code, told.err) == (0, "")
    for said in ("imulated", "pretrain", "downstream", "24100", "24181", "I42", "uarantine"):
        assert said in told.out, said
    for name in ("cohort-ecg.png", "cohort-cine.png"):
        picture = tmp_path / "pictures" / name
        assert str(picture) in told.out
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_cohort_without_cines_has_an_ecg_sheet_alone(command, cohort, tmp_path):
    with h5py.File(cohort, "r+") as file:
        file["cine/present"][...] = False
    told = command("inspect", cohort, "--out", tmp_path / "pictures")
    assert told.code == 0, told.err
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["cohort-ecg.png"]


def test_a_missing_cohort_is_one_line_and_makes_no_folder(command, tmp_path):
    told = command("inspect", "none.h5", "--out", tmp_path / "pictures")
    assert told.code == 1
    assert told.err.strip().startswith("error: no cohort at none.h5; make one with")
    assert not (tmp_path / "pictures").exists()
