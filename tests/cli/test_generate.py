"""``cardionets generate`` with a run of ``train``, on the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cardionets_core.evaluate.predicting import SIMULATED_WARNING
from cardionets_core.registry import default_registry
from cardionets_core.testing.made_up import made_up_ecg

DECLARED = ("--units", "mV", "--sampling-rate-hz", 500)
SMALL_ECG = ("width=8", "depth=1", "heads=1", "head_dim=8")
INTERPOLATED = "10 frames of 48 x 48 drawn, interpolated over the cycle to 50 frames of 96 x 96"


@pytest.fixture
def ecgs(tmp_path):
    """Two ECGs and a broken one between them."""
    folder = tmp_path / "ecgs"
    folder.mkdir()
    for name, rate_bpm in (("a", 60), ("c", 80)):
        record = made_up_ecg(heart_rate_bpm=rate_bpm)
        np.savetxt(folder / f"{name}.csv", record.signal_mv.T, delimiter=",",
                   header=",".join(record.leads), comments="", fmt="%.4f")  # fmt: skip
    (folder / "b.csv").write_text("nothing")
    return folder


@pytest.fixture
def run(command):
    """A run of a generator that is only fitted, on a cohort that stays beside it."""
    made = command("prepare", "simulated", "--subjects", 12, "--pretrain-subjects", 12, "--seed", 8,
                   "--workers", 1, "--out", "c.h5")  # fmt: skip
    assert made.code == 0, made.err
    ended = command("train", "--encoder", "stmem", "--generator", "mean-cine", "--preset", "tiny",
                    "--cohort", "c.h5", "--weights", "encoder=random", "--out", "run",
                    *(f"--set=encoder.{option}" for option in SMALL_ECG),
                    "--set=train.accelerator='cpu'", "--set=train.threads=1")  # fmt: skip
    assert ended.code == 0, ended.err
    return Path("run")


def metadata(path):
    with np.load(path) as file:
        assert file["cine"].shape == (50, 96, 96)
        assert np.abs(file["cine"]).max() <= 1
        return json.loads(str(file["metadata"]))


def test_a_run_draws_from_a_file_a_folder_and_a_cohort_and_says_what_it_is(command, ecgs, run):
    ended = command("generate", ecgs / "a.csv", "--weights", run, "--out", "one.npz", "--seed", 3,
                    "--pixel-mm", 2.2, *DECLARED)  # fmt: skip
    assert ended.code == 0, ended.err
    for said in ("weights: run (mar3d:mean-cine), MIT", INTERPOLATED, SIMULATED_WARNING,
                 "synthetic and not for clinical use",
                 "1 synthetic cine drawn, 0 not: one.npz"):  # fmt: skip
        assert said in ended.out
    told = metadata("one.npz")
    assert told["mark"] == "SYNTHETIC, SIMULATED DATA"
    assert told["interpolated"] == INTERPOLATED
    assert told["pixel_mm"] == 2.2
    assert "seed 3" in told["what"]

    ended = command("generate", ecgs, "--weights", run, "--out", "cines", "--format", "npz",
                    "--samples", 2, *DECLARED)  # fmt: skip
    assert ended.code == 0, ended.err
    assert "4 synthetic cines drawn, 1 not (index.csv there says why): cines" in ended.out
    index = pd.read_csv("cines/index.csv")
    assert index["record"].tolist() == ["a.csv", "a.csv", "b.csv", "c.csv", "c.csv"]
    assert index["reason"].notna().tolist() == [False, False, True, False, False]
    for name in index["file"].dropna():
        metadata(Path("cines") / name)

    ended = command("generate", "c.h5", "--weights", run, "--out", "all")
    assert ended.code == 0, ended.err
    assert len(list(Path("all").glob("*.gif"))) == 12


def test_bad_ecgs_alone_end_with_code_1(command, ecgs, run):
    ended = command("generate", ecgs / "b.csv", "--weights", run, "--out", "one.gif", *DECLARED)
    assert ended.code == 1, ended
    assert "b.csv: no cine can be drawn from it" in ended.err
    assert "\n" not in ended.err.strip()
    assert not Path("one.gif").exists()
    ended = command("generate", ecgs / "b.csv", "--weights", run, "--out", "cines", *DECLARED)
    assert ended.code == 1, ended
    assert pd.read_csv("cines/index.csv")["reason"].notna().all()


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["--out", "c.avi"], "needed a name that ends in .gif, .mp4", 2),
        (["--out", "none/c.gif"], "there is no folder none", 2),
        (["--out", "c.gif", "--steps", 0], "steps = 0; needed 1 or more", 2),
        (["--out", "c.gif", "--samples", 2], "name a folder", 2),
        (["--out", "c.gif", "--weights", "cardionets-tiny-simulated"], "no generator", 1),
        (["--out", "c.gif", "--weights", "mar-tiny"], "mar-tiny", 2),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(command, ecgs, arguments, said, code):
    ended = command("generate", ecgs / "a.csv", *arguments, *DECLARED)
    assert ended.code == code, ended
    assert said in ended.err
    assert "\n" not in ended.err.strip()
    assert not list(Path().glob("c.*"))


def test_the_shipped_generator_serves_when_no_weights_are_named(command, ecgs):
    if not any(entry.spec.default_for == "generate" for entry in default_registry().zoo_entries()):
        pytest.skip("no zoo entry serves `generate` by default")
    ended = command("generate", ecgs / "a.csv", "--out", "one.gif", *DECLARED)
    assert ended.code == 0, ended.err
    default = default_registry().default_zoo_entry("generate")
    for said in (f"weights: {default.name}", default.spec.summary, INTERPOLATED, SIMULATED_WARNING):
        assert said in ended.out
    first = Path("one.gif").read_bytes()
    assert command("generate", ecgs / "a.csv", "--out", "one.gif", *DECLARED).code == 0
    assert Path("one.gif").read_bytes() == first


def test_a_real_record_is_drawn_from(command, run):
    root = os.environ.get("CARDIONETS_SAMPLE_DATA")
    if not root:
        pytest.skip("CARDIONETS_SAMPLE_DATA is unset: no real records to read")
    headers = sorted((Path(root) / "ecg_wfdb").glob("*.hea"))
    if not headers:
        pytest.skip("CARDIONETS_SAMPLE_DATA holds no WFDB record")
    ended = command("generate", headers[0], "--weights", run, "--out", "one.npz")
    assert ended.code == 0, ended.err
    assert metadata("one.npz")["synthetic"] is True
