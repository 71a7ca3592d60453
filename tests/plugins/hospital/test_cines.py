"""CMR that labels pair with an ECG: every form of one heart, and what becomes of broken ones."""

from __future__ import annotations

import sys
import zipfile

import numpy as np
import pytest

from cardionets_core.cmr.geometry import canonical_cine
from cardionets_core.cmr.nifti_cine import read_nifti_cine
from cardionets_core.errors import CineError, ConfigError, SourceError


@pytest.fixture
def paired(made_up, source, opened, tmp_path):
    """Read the one ECG of an archive with this CMR."""

    def pair(cmr_path, **options):
        made_up.write_csv_ecg(source / "r1.csv")
        lines = ("file,patient_id,cmr_path", f"r1.csv,1,{cmr_path}")
        labels = made_up.write_labels(tmp_path / "labels.csv", *lines)
        dataset = opened(labels=labels, **made_up.TABLE_OPTIONS, **options)
        (ref,) = dataset.subjects()
        return dataset.read(ref)

    return pair


@pytest.fixture
def cine(made_up):
    """A beating heart of 25 frames."""
    return made_up.cine_maker().phantom(frames=25, rows=120, columns=140)


@pytest.fixture
def nibabel():
    return pytest.importorskip("nibabel")


def test_one_heart_is_the_same_as_a_folder_a_zip_an_enhanced_file_and_nifti(
    made_up, source, cine, paired, nibabel
):
    made_up.write_cine_folder(source / "study" / "cine", cine)
    (source / "study" / "report.txt").write_text("no picture")
    made_up.write_cine_zip(source / "cine.zip", cine)
    made_up.write_cine_nifti(source / "cine.nii.gz", cine)

    def without_rescale(made):
        for group in made.PerFrameFunctionalGroupsSequence:
            del group.PixelValueTransformationSequence

    enhanced = made_up.cine_maker().enhanced_file_of(cine, change=without_rescale)
    (source / "enhanced").write_bytes(enhanced)
    paths = ("study", "study\\cine", "cine.zip", "cine.nii.gz", "enhanced")
    subjects = [paired(path) for path in paths]
    for subject in subjects:
        assert subject.cine.shape == (50, 96, 96)
        np.testing.assert_array_equal(subject.cine, subjects[0].cine)
    attributes = subjects[0].attributes
    assert attributes["cine_status"] == "read"
    assert (attributes["cine_source_frames"], attributes["cine_spacing_mm"]) == (25, 2.2)
    # Odd frames of the fifty lie between those of the source, even ones are theirs.
    assert np.ptp(subjects[0].cine) == 255


def test_geometry_options_hold_for_paired_cines(made_up, source, cine, paired, nibabel):
    made_up.write_cine_nifti(source / "cine.nii", cine)
    subject = paired("cine.nii", spacing_mm=1.5, crop="temporal-variance", intensity="percentile")
    found = {name: subject.attributes[f"cine_{name}"] for name in ("crop", "intensity")}
    assert found == {"crop": "temporal-variance", "intensity": "percentile"}
    assert subject.attributes["cine_spacing_mm"] == 1.5


@pytest.mark.parametrize("series", ["CINE 4ch B", "cine_4ch_b", r"cine\S4ch_[b-d]", ".*b"])
def test_one_of_several_series_is_chosen_by_name_or_pattern(made_up, source, cine, paired, series):
    made_up.write_cine_folder(source / "cmr", cine, series_name="CINE 4Ch A", series=1)
    other = cine[:, ::-1].copy()
    made_up.write_cine_folder(source / "cmr", other, series_name="CINE 4Ch B", series=2)
    made_up.write_cine_folder(source / "only", other, series_name="CINE 4Ch B", series=2)
    with pytest.raises(CineError, match="2 series of different names"):
        paired("cmr")
    chosen = paired("cmr", series=series)
    np.testing.assert_array_equal(chosen.cine, paired("only").cine)
    with pytest.raises(CineError, match="none of the DICOM images is of the wanted series"):
        paired("cmr", series="CINE 4ch")


def test_a_series_that_is_no_pattern_is_refused(opened, tmp_path):
    with pytest.raises(ValueError, match="no regular expression"):
        opened(series="4ch(", labels=tmp_path / "labels.csv")


BROKEN = {
    "nothing": lambda path: None,
    "empty folder": lambda path: path.mkdir(),
    "text": lambda path: path.write_text("no picture"),
    "half a zip": lambda path: path.write_bytes(b"PK\x03\x04 and no more"),
    "folder of text": lambda path: (path.mkdir(), (path / "a.dcm").write_text("no picture")),
    "zip that leads out": lambda path: zip_of(path, "../a.dcm"),
    "zip without pictures": lambda path: zip_of(path, "a.dcm"),
}


def zip_of(path, name):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "no picture")


@pytest.mark.parametrize("kind", BROKEN)
def test_a_cmr_that_cannot_be_read_is_a_reason_or_left_out_as_the_options_say(source, paired, kind):
    BROKEN[kind](source / "PID84735210")
    with pytest.raises((CineError, SourceError), match=r"^CMR: ") as caught:
        paired("PID84735210")
    assert "84735210" not in str(caught.value)
    subject = paired("PID84735210", cine_errors="leave-out")
    assert subject.cine is None
    assert subject.attributes["cine_status"] == "unreadable"
    assert subject.ecg is not None


def test_an_ecg_without_a_paired_cmr_has_none_and_no_columns_of_it(paired):
    subject = paired("")
    assert subject.cine is None
    assert not [name for name in subject.attributes if name.startswith("cine")]


def test_a_link_out_of_the_source_is_refused(made_up, source, cine, paired, tmp_path):
    made_up.write_cine_folder(tmp_path / "other", cine)
    (source / "cmr").symlink_to(tmp_path / "other")
    with pytest.raises(SourceError, match="a link that leads out of the source"):
        paired("cmr")


def test_folders_and_files_without_end_are_refused(source, made_up, cine, paired, monkeypatch):
    made_up.write_cine_folder(source / "cmr", cine)
    monkeypatch.setattr("cardionets_hospital.cines.MOST_MEMBERS", 20)
    with pytest.raises(CineError, match="more than 20 files"):
        paired("cmr")
    (source / "one.nii").touch()
    with (source / "one.nii").open("ab") as file:
        file.truncate(1 << 30)
    with pytest.raises(CineError, match="a file of 1073741824 bytes"):
        paired("one.nii")


def test_without_nibabel_the_table_is_refused_and_the_extra_named(source, paired, monkeypatch):
    (source / "cine.nii").touch()
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ConfigError, match=r"pip install 'cardionets\[imaging\]'"):
        paired("cine.nii")


def test_cines_reach_the_store(made_up, source, cine, prepared, tmp_path, nibabel):
    for name in ("r1", "r2", "r3", "r4"):
        made_up.write_csv_ecg(source / f"{name}.csv", seed=int(name[1]))
    made_up.write_cine_folder(source / "cmr", cine)
    path = made_up.write_cine_nifti(source / "cine.nii", cine)
    lines = ("r1.csv,1,cmr", "r2.csv,2,cine.nii", "r3.csv,3,", "r4.csv,4,PID84735210.nii")
    labels = made_up.write_labels(tmp_path / "labels.csv", "file,patient_id,cmr_path", *lines)
    options = {"labels": labels, **made_up.TABLE_OPTIONS}
    with prepared(**options) as (cohort, report):
        assert [subject.cine is not None for subject in cohort] == [True, True, False]
        np.testing.assert_array_equal(cohort[0].cine, cohort[1].cine)
        wanted = canonical_cine(read_nifti_cine(path), made_up_options(options, source)).frames
        np.testing.assert_array_equal(cohort[0].cine, wanted)
        (reason,) = report.quarantined
        assert reason.startswith("CineError: CMR: no file or folder at the cmr_path")


def made_up_options(options, source):
    from cardionets_hospital.config import HospitalConfig

    return HospitalConfig(source=source, **options)
