"""Cines as files: what is read back is what was written, and says that it is synthetic."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from PIL import Image

from cardionets_core.errors import CineError, UsageError, WeightsError
from cardionets_core.evaluate.cine_files import CINE_SUFFIXES, CineAbout, cine_suffix, write_cine
from cardionets_core.evaluate.cine_files.pictures import Panel, render, render_cine, to_grey

ABOUT = CineAbout(
    what="drawn by acme:made-up, record 1, seed 7",
    synthetic=True,
    simulated=True,
    pixel_mm=2.2,
    cycle_s=0.8,
    interpolated="5 frames drawn, interpolated over the cycle to 10",
    warning="says nothing about patients",
)
TEXTS = (ABOUT.what, ABOUT.interpolated, ABOUT.warning, "SYNTHETIC", "not for clinical use")


@pytest.fixture
def cine():
    """Ten frames, higher than wide, with a bright square that wanders down and to the right."""
    return (stored_pixels() / 127.5 - 1).astype(np.float32)


def stored_pixels():
    frames = np.full((10, 32, 24), 13, np.uint8)
    for number, frame in enumerate(frames):
        frame[4 + number : 10 + number, 6 + number : 12 + number] = 170 + 5 * number
    frames[0, 0, 0], frames[0, 0, 1] = 0, 255
    return frames


def written(path, cine, about=ABOUT):
    write_cine(path, cine, about)
    return path


def test_npz_holds_the_array_and_its_story(tmp_path, cine):
    with np.load(written(tmp_path / "a.npz", cine), allow_pickle=False) as file:
        np.testing.assert_array_equal(file["cine"], cine)
        told = json.loads(str(file["metadata"]))
    assert told["synthetic"] is True
    assert told["simulated"] is True
    assert told["pixel_mm"] == 2.2
    assert told["cycle_s"] == 0.8
    assert told["window"] == [-1, 1]
    assert all(text in "; ".join(told["notes"]) for text in TEXTS)


def test_nifti_has_the_voxels_in_mm_the_time_step_and_the_mark(tmp_path, cine):
    nib = pytest.importorskip("nibabel")
    image = nib.load(written(tmp_path / "a.nii.gz", cine))
    assert image.shape == (24, 32, 1, 10)
    np.testing.assert_array_equal(np.asarray(image.dataobj)[:, :, 0].transpose(2, 1, 0), cine)
    header = image.header
    assert header.get_zooms() == pytest.approx((2.2, 2.2, 1.0, 0.08))
    assert header.get_xyzt_units() == ("mm", "sec")
    # To the right on the screen is to the left of the body, down is to the back.
    assert nib.aff2axcodes(image.affine)[:2] == ("L", "P")
    assert bytes(header["intent_name"]).rstrip(b"\0") == b"synthetic"
    assert bytes(header["descrip"]).startswith(b"SYNTHETIC, SIMULATED DATA; not for clinical use")
    (extension,) = header.extensions
    told = json.loads(extension.get_content())
    assert all(text in "; ".join(told["notes"]) for text in TEXTS)


def test_nifti_leaves_out_what_is_not_known(tmp_path, cine):
    nib = pytest.importorskip("nibabel")
    about = replace(ABOUT, pixel_mm=None, cycle_s=None)
    header = nib.load(written(tmp_path / "a.nii.gz", cine, about)).header
    assert header.get_xyzt_units() == ("unknown", "unknown")
    assert header.get_zooms() == (1, 1, 1, 1)


def test_dicom_holds_the_stored_pixels_and_nothing_of_a_patient(tmp_path, cine):
    dataset = pydicom.dcmread(written(tmp_path / "a.dcm", cine))
    np.testing.assert_array_equal(dataset.pixel_array, stored_pixels())
    assert dataset.SOPClassUID.name == (
        "Multi-frame Grayscale Byte Secondary Capture Image Storage"
    )
    assert dataset.ImageType == ["DERIVED", "SECONDARY", "SYNTHETIC"]
    assert dataset.SyntheticData == "YES"
    assert dataset.ConversionType == "SYN"
    assert dataset.PatientName == dataset.PatientID == "SYNTHETIC"
    assert "SYNTHETIC" in dataset.SeriesDescription
    assert all(text in dataset.ImageComments for text in TEXTS)
    assert dataset.BurnedInAnnotation == "NO"
    assert dataset.PixelSpacing == [2.2, 2.2]
    assert float(dataset.FrameTime) == pytest.approx(80)
    assert dataset.FrameIncrementPointer == 0x00181063
    for keyword in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber"):
        assert not dataset[keyword].value
    for element in dataset.iterall():
        assert element.VR not in {"DA", "TM", "DT"} or not element.value


def test_dicom_has_every_attribute_that_its_class_requires(tmp_path, cine):
    dataset = pydicom.dcmread(written(tmp_path / "a.dcm", cine))
    # DICOM PS3.3: types 1 and 2 of the modules that are mandatory for this class.
    filled = [
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "Modality",
        "ConversionType",
        "ImageType",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "PixelData",
        "NumberOfFrames",
        "FrameIncrementPointer",
        "BurnedInAnnotation",
        "PresentationLUTShape",
        "RescaleIntercept",
        "RescaleSlope",
        "RescaleType",
        "FrameTime",
    ]
    there = [
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyDate",
        "StudyTime",
        "StudyID",
        "ReferringPhysicianName",
        "AccessionNumber",
        "SeriesNumber",
        "InstanceNumber",
        "Manufacturer",
    ]
    assert all(keyword in dataset for keyword in (*filled, *there))
    assert not any(dataset[keyword].is_empty for keyword in filled)
    assert len(dataset.PixelData) % 2 == 0
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert dataset[keyword].value.is_valid


def test_a_cine_with_an_odd_number_of_pixels_reads_back(tmp_path, cine):
    odd = np.s_[:3, :31, :23]
    dataset = pydicom.dcmread(written(tmp_path / "a.dcm", cine[odd]))
    np.testing.assert_array_equal(dataset.pixel_array, stored_pixels()[odd])


def test_a_patients_own_cine_is_not_called_synthetic(tmp_path, cine):
    about = CineAbout(what="record 1", synthetic=False)
    dataset = pydicom.dcmread(written(tmp_path / "a.dcm", cine, about))
    assert dataset.SyntheticData == "NO"
    assert dataset.ImageType == ["DERIVED", "SECONDARY"]
    assert dataset.PatientName == "ANONYMOUS"
    assert "PixelSpacing" not in dataset
    assert about.mark == ""
    assert replace(about, simulated=True).mark == "SIMULATED SUBJECT"


def frames_of(path):
    with Image.open(path) as gif:
        for number in range(gif.n_frames):
            gif.seek(number)
            yield np.asarray(gif.convert("L")), gif.info["duration"]


def test_a_gif_shows_the_cine_at_the_speed_of_the_heart(tmp_path, cine):
    path = written(tmp_path / "a.gif", cine)
    pictures, milliseconds = zip(*frames_of(path), strict=True)
    np.testing.assert_array_equal(pictures, render_cine(cine, ABOUT))
    assert milliseconds == (80,) * 10
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        assert all(text in gif.info["comment"].decode() for text in TEXTS)


@pytest.mark.parametrize(("cycle_s", "shown"), [(1.0, 50), (0.857, 25), (0.4, 17), (None, 50)])
def test_a_beat_too_short_for_all_frames_of_a_gif_keeps_its_length(tmp_path, cycle_s, shown):
    rng = np.random.default_rng(0)
    cine = rng.uniform(-1, 1, (50, 8, 8)).astype(np.float32)
    path = written(tmp_path / "a.gif", cine, replace(ABOUT, cycle_s=cycle_s))
    milliseconds = [duration for _, duration in frames_of(path)]
    assert len(milliseconds) == shown
    assert min(milliseconds) >= 20
    assert sum(milliseconds) == pytest.approx(1000 * (cycle_s or 1), abs=5)


def test_the_mark_stands_above_the_picture_and_never_on_it(cine):
    factor = 9  # 288 / 32
    shown = render_cine(cine, ABOUT)
    plain = render_cine(cine, CineAbout(what="", synthetic=False, cycle_s=0.8))
    height, width = 32 * factor, 24 * factor
    assert plain.shape == (10, height, width)
    above = next(
        top
        for top in range(shown.shape[1])
        if np.array_equal(shown[:, top : top + height, :width], plain)
    )
    assert above > 20
    assert shown[:, :above].max() == 255
    assert shown[:, above + height :].max() > 100
    assert (shown[:, :above] == shown[:1, :above]).all()


def test_a_picture_keeps_the_aspect_and_the_whole_grey_range(cine):
    grey = to_grey(cine)
    assert (grey[0, 0, 0], grey[0, 0, 1]) == (0, 255)
    shown = render([Panel(cine, "", ""), Panel(cine, "SYNTHETIC", "mar")], ())
    assert shown.shape[2] == 2 * 24 * 9 + 12
    square = shown[5, -32 * 9 :, : 24 * 9] > 150
    assert square.any(axis=0).sum() == pytest.approx(square.any(axis=1).sum(), abs=1)


def test_mp4_plays_several_beats_at_the_speed_of_the_heart(tmp_path, cine):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = written(tmp_path / "a.mp4", cine)
    reader = ffmpeg.read_frames(str(path))
    told = next(reader)
    wanted = render_cine(cine, ABOUT)
    height, width = wanted.shape[1:]
    assert told["size"] == (width, height)
    assert told["fps"] == pytest.approx(1 / 0.08)
    assert told["duration"] == pytest.approx(5 * 0.8, abs=0.1)
    first = np.frombuffer(next(reader), np.uint8).reshape(height, width, 3).mean(axis=2)
    reader.close()
    assert np.abs(first - wanted[0]).mean() < 6
    assert b"SYNTHETIC" in path.read_bytes()


@pytest.mark.parametrize("suffix", [name for name in CINE_SUFFIXES if name != ".mp4"])
def test_equal_cines_are_equal_files(tmp_path, cine, suffix):
    if suffix == ".nii.gz":
        pytest.importorskip("nibabel")
    one, two = (written(tmp_path / f"{name}{suffix}", cine).read_bytes() for name in "ab")
    assert one == two


def test_an_unknown_ending_names_the_known_ones(tmp_path, cine):
    with pytest.raises(UsageError, match=r"\.gif, \.mp4, \.nii\.gz, \.npz, \.dcm"):
        write_cine(tmp_path / "a.avi", cine, ABOUT)
    assert cine_suffix("A.NII.GZ") == ".nii.gz"


@pytest.mark.parametrize(("name", "package"), [("a.mp4", "imageio"), ("a.nii.gz", "nibabel")])
def test_a_missing_package_names_the_extra(tmp_path, cine, monkeypatch, name, package):
    from cardionets_core.evaluate.cine_files import writing

    def missing(module):
        raise ImportError(module)

    monkeypatch.setattr(writing, "import_module", missing)
    with pytest.raises(UsageError, match=rf"{package}.*pip install 'cardionets\[imaging\]'"):
        cine_suffix(tmp_path / name)
    assert cine_suffix("a.gif") == ".gif"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.zeros((10, 8, 8), np.uint8), "floats"),
        (np.zeros((8, 8), np.float32), "shape"),
        (np.zeros((1, 8, 8), np.float32), "shape"),
        (np.full((2, 8, 8), 1.5), r"from 1\.5 to 1\.5"),
        (np.full((2, 8, 8), np.nan), "nan"),
    ],
)
def test_what_is_no_cine_is_refused_in_one_line(tmp_path, wrong, said):
    with pytest.raises(CineError, match=said) as refused:
        write_cine(tmp_path / "a.npz", wrong, ABOUT)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_cine_that_cannot_be_written_leaves_the_old_one(tmp_path, cine, monkeypatch):
    path = written(tmp_path / "a.gif", cine)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WeightsError, match="disk is full"):
        write_cine(path, cine[::-1], ABOUT)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]
