from __future__ import annotations

import gzip
import io
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardionets_core.cmr.dicom_cine import read_dicom_cine
from cardionets_core.cmr.geometry import canonical_cine
from cardionets_core.cmr.geometry_config import CineGeometryOptions
from cardionets_core.cmr.nifti_cine import read_nifti_cine
from cardionets_core.errors import CineError

sys.path.insert(0, str(Path(__file__).parent))

import made_up_cine_dicom as made_up

nibabel = pytest.importorskip("nibabel")

CINE = made_up.phantom()
PLANES = {
    "4-chamber": (made_up.RIGHT, made_up.DOWN),
    "transversal": ((1, 0, 0), (0, 1, 0)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "stored upside down": ((1, 0, 0), (0, -1, 0)),
    "stored on its side": ((0, 1, 0), (1, 0, 0)),
}


def affine_of(right, down, spacing_mm=(1.8, 1.6)):
    """From column and row to NIfTI's patient axes."""
    affine = np.eye(4)
    affine[:3, 0] = np.array(right) * spacing_mm[1]
    affine[:3, 1] = np.array(down) * spacing_mm[0]
    affine[:3, 2] = np.cross(right, down) * 6
    affine[:2] *= -1
    return affine


def write(path, frames, affine, *, four=True, change=lambda image: None):
    """A NIfTI of frames (frames, rows, columns) as ukbb_cardiac writes it: transposed."""
    data = frames.transpose(2, 1, 0)
    image = nibabel.Nifti1Image(data[:, :, None] if four else data, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((1.6, 1.8, 6, 0.02) if four else (1.6, 1.8, 0.02))
    change(image)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("four", [True, False])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_transposed_nifti_is_the_cine(tmp_path, four, ending):
    path = write(tmp_path / f"la{ending}", CINE, affine_of(*PLANES["4-chamber"]), four=four)
    cine = read_nifti_cine(path)
    np.testing.assert_array_equal(cine.frames, CINE)
    assert cine.frames.dtype == np.float32
    assert cine.spacing_mm == pytest.approx((1.8, 1.6))


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("flip", ["none", "x", "y", "xy"])
def test_dicom_and_nifti_of_one_cine_agree_in_orientation_and_spacing(tmp_path, plane, flip):
    right, down = PLANES[plane]

    def in_plane(made, _frame):
        made.ImageOrientationPatient = [*right, *down]

    files = made_up.files_of(CINE, change=in_plane)
    from_dicom = read_dicom_cine([partial(io.BytesIO, content) for content in files])
    # Converters flip x or y and say so in the affine.
    frames, affine = CINE, affine_of(right, down)
    if "x" in flip:
        frames, affine = frames[:, :, ::-1], affine @ np.diag([-1, 1, 1, 1])
    if "y" in flip:
        frames, affine = frames[:, ::-1], affine @ np.diag([1, -1, 1, 1])
    from_nifti = read_nifti_cine(write(tmp_path / "la.nii", frames, affine))
    np.testing.assert_array_equal(from_nifti.frames, from_dicom.frames)
    assert from_nifti.spacing_mm == pytest.approx(from_dicom.spacing_mm)
    both = [canonical_cine(cine, CineGeometryOptions()).frames for cine in (from_dicom, from_nifti)]
    np.testing.assert_array_equal(*both)


def test_without_a_known_place_in_the_patient_x_is_the_column_and_y_the_row(tmp_path):
    def forget(image):
        image.set_qform(None, code=0)
        image.set_sform(None, code=0)

    path = write(tmp_path / "la.nii", CINE, affine_of((-1, 0, 0), (0, -1, 0)), change=forget)
    cine = read_nifti_cine(path)
    np.testing.assert_array_equal(cine.frames, CINE)
    assert cine.turned == "as stored"


def test_the_scale_and_the_unit_of_length_of_the_header_count(tmp_path):
    def other(image):
        image.header.set_xyzt_units("meter", "sec")
        image.header.set_zooms((0.0016, 0.0018, 0.006, 0.02))
        image.header.set_slope_inter(2.0, -5.0)

    cine = read_nifti_cine(write(tmp_path / "la.nii", CINE, np.eye(4), change=other))
    assert cine.spacing_mm == pytest.approx((1.8, 1.6))
    np.testing.assert_allclose(cine.frames[:, ::-1, ::-1], CINE * 2.0 - 5.0)


def test_several_slices_and_stacks_are_refused(tmp_path):
    for shape, told in (
        ((48, 40, 3, 10), "48 x 40 x 3 x 10"),
        ((48, 40), "48 x 40"),
        ((48, 40, 1, 10, 2), "x 2"),
        ((48, 40, 1, 3), "3 frames"),
    ):
        path = tmp_path / "la.nii"
        nibabel.save(nibabel.Nifti1Image(np.ones(shape, np.float32), np.eye(4)), path)
        with pytest.raises(CineError, match=told):
            read_nifti_cine(path)


def test_colour_complex_numbers_and_nan_are_refused(tmp_path):
    path = tmp_path / "la.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones((48, 40, 1, 10), np.complex64), np.eye(4)), path)
    with pytest.raises(CineError, match="complex"):
        read_nifti_cine(path)
    data = np.ones((48, 40, 1, 10), np.float32)
    data[3] = np.nan
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), path)
    with pytest.raises(CineError, match="no numbers"):
        read_nifti_cine(path)


def test_damaged_and_other_files_are_one_clear_line(tmp_path):
    whole = write(tmp_path / "whole.nii", CINE, np.eye(4)).read_bytes()
    packed = gzip.compress(whole)
    for name, content in {
        "PLANTED1.nii": b"",
        "PLANTED2.nii": whole[:200],
        "PLANTED3.nii": whole[:-500],
        "PLANTED4.nii.gz": packed[: len(packed) // 2],
        "PLANTED5.nii.gz": whole,
        "PLANTED6.nii": bytes(1000),
        "PLANTED7.txt": whole,
        "PLANTED8.nii": None,
    }.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(CineError) as caught:
            read_nifti_cine(path)
        assert "\n" not in str(caught.value)
        assert "PLANTED" not in str(caught.value)


def test_mutated_headers_are_read_or_refused_in_silence(tmp_path, capsys):
    small = made_up.phantom(8, 16, 16)
    whole = write(tmp_path / "whole.nii", small, affine_of(*PLANES["4-chamber"])).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.nii"
    for _ in range(1000):
        damaged = bytearray(whole)
        for _ in range(int(rng.integers(1, 6))):
            damaged[int(rng.integers(352))] = int(rng.integers(256))
        path.write_bytes(damaged)
        told = ""
        try:
            read_nifti_cine(path)
        except CineError as error:
            told = str(error)
        assert "\n" not in told
    logged = capsys.readouterr()
    assert (logged.out, logged.err) == ("", "")


def test_a_thousand_damaged_archives_are_refused_or_read_whole(tmp_path):
    small = made_up.phantom(8, 16, 16)
    whole = write(tmp_path / "whole.nii.gz", small, np.eye(4)).read_bytes()
    wanted = read_nifti_cine(tmp_path / "whole.nii.gz").frames
    rng = np.random.default_rng(1)
    path = tmp_path / "damaged.nii.gz"
    refused = 0
    for number in range(1000):
        damaged = bytearray(whole)
        for _ in range(int(rng.integers(1, 6))):
            damaged[int(rng.integers(10, len(damaged)))] = int(rng.integers(256))
        path.write_bytes(damaged[: int(rng.integers(len(damaged)))] if number % 4 else damaged)
        try:
            found = read_nifti_cine(path).frames
        except CineError:
            refused += 1
        else:
            np.testing.assert_array_equal(found, wanted)
    assert refused > 900


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=500))
def test_any_bytes_are_refused(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.nii"
        path.write_bytes(content)
        with pytest.raises(CineError):
            read_nifti_cine(path)


def test_an_archive_that_would_swell_is_read_no_further_than_its_announced_size(tmp_path):
    path = tmp_path / "bomb.nii.gz"
    whole = write(tmp_path / "whole.nii", CINE, np.eye(4)).read_bytes()
    path.write_bytes(gzip.compress(whole + bytes(30 << 20)))
    import tracemalloc

    tracemalloc.start()
    read_nifti_cine(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


def test_without_nibabel_the_error_names_the_extra(tmp_path, monkeypatch):
    path = write(tmp_path / "la.nii", CINE, np.eye(4))
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(CineError, match=r"pip install 'cardionets\[imaging\]'"):
        read_nifti_cine(path)
