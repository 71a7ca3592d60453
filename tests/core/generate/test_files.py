"""Drawing cines from files, folders and cohorts: one file, or a folder with an index."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

import cardionets_core as cn
from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.cohort.reader import Cohort
from cardionets_core.errors import EcgError, UsageError, WeightsError
from cardionets_core.evaluate.predicting import NOT_FINITE, SIMULATED_WARNING
from cardionets_core.generate.drawing import DrawRequest, interpolation_of
from cardionets_core.generate.files import generate_paths
from cardionets_core.generate.output import whole_folder
from cardionets_core.registry import default_registry
from cardionets_core.testing.made_up import made_up_ecg
from cardionets_core.weights.atomic import sha256_of

sys.path.insert(0, str(Path(__file__).parent))

from drawing_parts import made_up_generator

DECLARED = {"units": "mV", "sampling_rate_hz": 500.0}


@pytest.fixture
def loaded(tmp_path):
    return made_up_generator(tmp_path / "made-up.safetensors")


def write_ecg(path, seed=0, gain=1.0):
    """A made-up ECG as CSV, in mV at 500 Hz."""
    record = made_up_ecg(seed=seed, heart_rate_bpm=60 + 10 * seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, gain * record.signal_mv.T, delimiter=",", header=",".join(record.leads),
               comments="", fmt="%.4f")  # fmt: skip
    return path


@pytest.fixture
def ecgs(tmp_path):
    """Three ECGs, of which the second is broken."""
    folder = tmp_path / "ecgs"
    write_ecg(folder / "patient-17.csv", 0)
    (folder / "patient-18.csv").write_text("I,II\n0.1,not a number\n")
    write_ecg(folder / "patient-19.csv", 1, gain=0.5)
    return folder


def cine_in(path):
    with np.load(path) as file:
        return file["cine"], json.loads(str(file["metadata"]))


def generate(loaded, paths, out, request=None, **options):
    return generate_paths(loaded, paths, out, request, **{**DECLARED, **options})


def test_one_ecg_becomes_one_cine_that_says_what_it_is(loaded, ecgs, tmp_path):
    out = tmp_path / "c.npz"
    request = DrawRequest(seed=7, steps=3, guidance=2.0, pixel_mm=2.2)
    assert generate(loaded, [ecgs / "patient-17.csv"], out, request) == (1, 0)
    cine, told = cine_in(out)
    assert cine.shape == (50, 96, 96)
    assert np.abs(cine).max() <= 1
    assert loaded.generator.asked == [(1, 3, 2.0)]
    assert told["synthetic"] is told["simulated"] is True
    assert told["pixel_mm"] == 2.2
    assert told["cycle_s"] == pytest.approx(1.0, rel=0.02)
    assert told["warning"] == SIMULATED_WARNING
    assert told["interpolated"] == interpolation_of(loaded)
    assert "10 frames of 48 x 48 drawn, interpolated over the cycle to 50" in told["interpolated"]
    for part in ("acme:noisy-disc", "weights made-up", "record 1", "seed 7", "steps 3",
                 "guidance 2"):  # fmt: skip
        assert part in told["what"]


@pytest.mark.parametrize("suffix", [".gif", ".npz", ".dcm"])
def test_no_file_name_or_folder_gets_into_a_cine_file(loaded, ecgs, tmp_path, suffix):
    out = tmp_path / f"c{suffix}"
    generate(loaded, [ecgs / "patient-17.csv"], out)
    data = out.read_bytes() + (str(cine_in(out)[1]).encode() if suffix == ".npz" else b"")
    assert b"patient-17" not in data
    assert b"somebody" not in data


def test_a_folder_becomes_files_with_neutral_names_and_an_index(loaded, ecgs, tmp_path):
    out = tmp_path / "cines"
    assert generate(loaded, [ecgs], out, suffix="npz") == (2, 1)
    assert sorted(file.name for file in out.iterdir()) == [
        "cine_00001_01.npz", "cine_00003_01.npz", "index.csv",
    ]  # fmt: skip
    index = pd.read_csv(out / "index.csv", keep_default_na=False)
    assert index["record"].tolist() == [f"patient-{n}.csv" for n in (17, 18, 19)]
    assert index["file"].tolist() == ["cine_00001_01.npz", "", "cine_00003_01.npz"]
    assert index["seed"].tolist() == ["0", "", "2"]
    assert [bool(reason) for reason in index["reason"]] == [False, True, False]
    assert index["heart_rate_bpm"].iloc[[0, 2]].astype(float).tolist() == pytest.approx(
        [60, 70], rel=0.02
    )
    for name, value in {
        "weights": loaded.name,
        "weights_sha256": sha256_of(loaded.path),
        "weights_licence": "MIT",
        "transform": loaded.header.transform_hash,
        "cardionets_version": "0.1.0",
        "synthetic": "true",
        "simulated_weights": "true",
        "interpolated": interpolation_of(loaded),
        "warning": SIMULATED_WARNING,
    }.items():
        assert set(index[name].astype(str).str.replace("True", "true")) == {value}, name


def test_the_seed_in_the_index_draws_the_same_cine_alone(loaded, ecgs, tmp_path):
    request = DrawRequest(seed=5, samples=3, batch_size=2)
    assert generate(loaded, [ecgs], tmp_path / "cines", request, suffix="npz") == (6, 1)
    index = pd.read_csv(tmp_path / "cines" / "index.csv").dropna(subset=["file"])
    assert index["seed"].tolist() == [5, 6, 7, 11, 12, 13]
    assert index["sample"].tolist() == [1, 2, 3, 1, 2, 3]
    drawn = []
    for row in index.itertuples():
        alone = tmp_path / "alone.npz"
        generate(loaded, [ecgs / row.record], alone, DrawRequest(seed=int(row.seed)))
        drawn.append(cine_in(tmp_path / "cines" / row.file)[0])
        np.testing.assert_allclose(drawn[-1], cine_in(alone)[0], atol=1e-6)
    assert len({cine.tobytes() for cine in drawn}) == 6


def test_the_cine_follows_from_the_ecg(loaded, ecgs, tmp_path):
    for number in (17, 19):
        generate(loaded, [ecgs / f"patient-{number}.csv"], tmp_path / f"{number}.npz")
    strong, weak = (cine_in(tmp_path / f"{number}.npz")[0] for number in (17, 19))
    assert strong[:, 40:56, 40:56].mean() > weak[:, 40:56, 40:56].mean() + 0.1
    np.testing.assert_allclose(strong[:, :10], weak[:, :10], atol=1e-6)


def test_a_cohort_is_drawn_by_its_pseudonymous_ids(loaded, tmp_path):
    cohort = tmp_path / "cohort.h5"
    component = default_registry().find("dataset", "simulated")
    options = {"subjects": 3, "seed": 8}
    prepare_dataset(PrepareRequest(component=component, out=cohort, options=options, workers=1))
    seen = []
    assert generate(loaded, [cohort], tmp_path / "cines", on_batch=seen.append) == (3, 0)
    assert sum(seen) == 3
    index = pd.read_csv(tmp_path / "cines" / "index.csv", dtype={"record": str})
    with cn.open_cohort(cohort) as opened:
        assert index["record"].tolist() == opened.record_ids.tolist()
    assert all(name.endswith(".gif") for name in index["file"])


def test_an_ecg_that_did_not_pass_the_quality_checks_is_drawn_and_says_so(loaded, tmp_path):
    flat = made_up_ecg()
    flat.signal_mv[[0, 1, 6, 7, 8, 9, 10, 11]] = 0
    np.savetxt(tmp_path / "a.csv", flat.signal_mv.T, delimiter=",", header=",".join(flat.leads),
               comments="")  # fmt: skip
    generate(loaded, [tmp_path / "a.csv"], tmp_path / "c.dcm")
    comments = pydicom.dcmread(tmp_path / "c.dcm").ImageComments
    assert "did not pass the quality checks" in comments


def test_an_ecg_of_another_length_is_cut_and_says_so_or_is_too_short(loaded, tmp_path):
    whole = np.loadtxt(write_ecg(tmp_path / "whole.csv"), delimiter=",", skiprows=1)
    names = ",".join(made_up_ecg().leads)
    for name, seconds in (("long", 40), ("enough", 5), ("short", 4.9)):
        signal = np.tile(whole, (4, 1))[: round(seconds * 500)]
        np.savetxt(tmp_path / f"{name}.csv", signal, delimiter=",", header=names, comments="")
    generate(loaded, [tmp_path / "whole.csv"], tmp_path / "whole.npz")
    expected, _ = cine_in(tmp_path / "whole.npz")
    generate(loaded, [tmp_path / "long.csv"], tmp_path / "long.npz")
    cine, told = cine_in(tmp_path / "long.npz")
    np.testing.assert_allclose(cine, expected, atol=0.02)
    assert "found in the ECG: wrong-length 40 s" in told["warning"]
    assert generate(loaded, [tmp_path / "enough.csv"], tmp_path / "enough.npz") == (1, 0)
    with pytest.raises(EcgError, match=r"short\.csv: .*4\.9 s of ECG, .* look at 5 s at a time"):
        generate(loaded, [tmp_path / "short.csv"], tmp_path / "short.npz")
    assert not (tmp_path / "short.npz").exists()


def test_a_short_ecg_of_a_cohort_is_a_row_with_its_reason(loaded, tmp_path, monkeypatch):
    prepare_dataset(
        PrepareRequest(
            component=default_registry().find("dataset", "simulated"),
            out=tmp_path / "cohort.h5",
            options={"subjects": 2, "pretrain_subjects": 2},
            workers=1,
        )
    )

    def padded(cohort, rows, read=Cohort.ecg_mv):
        signals_mv = read(cohort, rows)
        signals_mv[cohort.record_ids[rows] == cohort.record_ids[1], :, 1500:] = np.nan
        return signals_mv

    monkeypatch.setattr(Cohort, "ecg_mv", padded)
    assert generate(loaded, [tmp_path / "cohort.h5"], tmp_path / "cines", suffix="npz") == (1, 1)
    reasons = pd.read_csv(tmp_path / "cines" / "index.csv", keep_default_na=False)["reason"]
    assert reasons[0] == ""
    assert reasons[1].startswith("3 s of ECG")


def test_the_one_bad_ecg_is_the_error_and_nothing_is_written(loaded, ecgs, tmp_path):
    with pytest.raises(EcgError, match=r"patient-18\.csv: no cine can be drawn") as refused:
        generate(loaded, [ecgs / "patient-18.csv"], tmp_path / "c.gif")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "c.gif").exists()


def test_numbers_that_are_none_are_a_reason_and_no_file(loaded, ecgs, tmp_path, monkeypatch):
    monkeypatch.setattr(loaded.generator, "restore", lambda view: view * float("nan"))
    assert generate(loaded, [ecgs], tmp_path / "cines") == (0, 3)
    index = pd.read_csv(tmp_path / "cines" / "index.csv")
    assert index["reason"].tolist()[::2] == [NOT_FINITE, NOT_FINITE]
    with pytest.raises(EcgError, match="not finite"):
        generate(loaded, [ecgs / "patient-17.csv"], tmp_path / "c.gif")


def test_a_folder_is_there_in_full_or_not_at_all(loaded, ecgs, tmp_path, monkeypatch):
    before = sorted(tmp_path.iterdir())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cardionets_core.generate.files.whole_table", full)
    with pytest.raises(WeightsError, match="the disk is full"):
        generate(loaded, [ecgs], tmp_path / "cines")
    assert sorted(tmp_path.iterdir()) == before


def test_an_empty_folder_may_be_there(tmp_path):
    (tmp_path / "cines").mkdir()
    with whole_folder(tmp_path / "cines") as folder:
        (folder / "a").write_text("x")
    assert (tmp_path / "cines" / "a").read_text() == "x"


@pytest.mark.parametrize(
    ("names", "out", "options", "said"),
    [
        (["patient-17.csv"], "c.avi", {}, r"\.gif, \.mp4, \.nii\.gz, \.npz, \.dcm"),
        ([""], "c.gif", {}, "name a folder"),
        (["patient-17.csv", "patient-19.csv"], "c.gif", {}, "name a folder"),
        (["patient-17.csv"], "c.gif", {"request": DrawRequest(samples=2)}, "name a folder"),
        (["patient-17.csv"], "c.gif", {"suffix": "npz"}, "is for a folder"),
        (["patient-17.csv"], "cines", {"suffix": "avi"}, "needed one of gif, mp4, nii.gz"),
        (["patient-17.csv"], "none/c.gif", {}, "there is no folder"),
        (["patient-17.csv"], "ecgs", {}, "files in it; name a new one"),
    ],
)
def test_a_place_that_cannot_serve_is_one_line(loaded, ecgs, names, out, options, said):
    tmp_path = ecgs.parent
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=said) as refused:
        generate(loaded, [ecgs / name for name in names], tmp_path / out, **options)
    assert "\n" not in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_ecg_is_not_replaced_by_its_cine(loaded, tmp_path):
    ecg = tmp_path / "ecg.dcm"
    ecg.write_bytes(b"an ECG")
    with pytest.raises(UsageError, match="would be replaced"):
        generate(loaded, [ecg], ecg)
    assert ecg.read_bytes() == b"an ECG"


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"samples": 0}, {"seed": -1}, {"pixel_mm": 0.0}, {"batch_size": 0}]
)
def test_a_request_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        DrawRequest(**wrong)


def test_what_the_sampler_refuses_stays_one_line_and_writes_nothing(loaded, ecgs, tmp_path):
    for out in ("c.gif", "cines"):
        with pytest.raises(UsageError, match="guidance = -1"):
            generate(loaded, [ecgs / "patient-17.csv"], tmp_path / out, DrawRequest(guidance=-1.0))
        assert not (tmp_path / out).exists()


def test_a_generator_on_phenotypes_is_refused(loaded, ecgs, tmp_path):
    loaded.transform = loaded.encoder = None
    loaded.generator.condition = "phenotypes"
    with pytest.raises(UsageError, match="draws from phenotypes, and not from an ECG"):
        generate(loaded, [ecgs], tmp_path / "cines")


def test_a_generator_of_whole_cines_interpolates_nothing(loaded, monkeypatch):
    monkeypatch.setattr(loaded.generator, "cine_shape", (50, 96, 96))
    assert interpolation_of(loaded) == ""
