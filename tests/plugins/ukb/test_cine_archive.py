from __future__ import annotations

import zipfile

import numpy as np
import pytest
from pydicom.uid import RLELossless

from cardionets_core.errors import CineError, SourceError
from cardionets_ukb.cine_archive import read_four_chamber


@pytest.fixture
def read(put):
    """The cine of a zip."""

    def of(content):
        return read_four_chamber(put("1_20208_2_0.zip", content))

    return of


@pytest.fixture
def small(made):
    """Series of few frames, which are quick to make."""

    def series(seed, name=made.FOUR_CHAMBER, frames=9, **options):
        return made.series(made.cine(seed, frames), name, **options)

    return series


@pytest.mark.parametrize("name", ["CINE_segmented_LAX_4Ch", "cine segmented LAX 4ch",
                                  " CINE_SEGMENTED_LAX_4CH "])  # fmt: skip
def test_the_series_is_chosen_by_its_exact_name_in_any_case(read, made, small, name):
    found = read(made.zip_of([*made.decoys(), *small(3, name)]))
    np.testing.assert_array_equal(found.cine.frames, made.cine(3, 9))
    assert not found.from_mixed_series


@pytest.mark.parametrize(
    "name",
    ["CINE_segmented_LAX_4Ch_InlineVF", "CINE_segmented_LAX_4Ch_Inline_VF_Results",
     "CINE_segmented_LAX_4Ch_2", "xCINE_segmented_LAX_4Ch", "CINE_segmented_LAX_2Ch", ""],
)  # fmt: skip
def test_other_names_are_not_the_series(read, made, small, name):
    with pytest.raises(CineError, match="none of the DICOM images is of the wanted series"):
        read(made.zip_of(small(3, name)))


@pytest.mark.parametrize("last_first", [True, False])
def test_of_repeats_the_last_is_taken(read, made, small, last_first):
    repeats = [small(4, series=12), small(3, series=4)]
    contents = [content for each in repeats[:: 1 if last_first else -1] for content in each]
    # As text, ...4 is behind ...12.
    np.testing.assert_array_equal(read(made.zip_of(contents)).cine.frames, made.cine(3, 9))


def test_frames_go_by_trigger_time_whatever_their_names_and_numbers(read, made, small):
    def renumbered(dataset, frame):
        dataset.InstanceNumber = (frame * 5) % 9 + 1

    contents = small(3, change=renumbered)
    names = [f"{(at * 4) % 9}.dcm" for at in range(9)]
    found = read(made.zip_of(contents[::-1], names=names))
    np.testing.assert_array_equal(found.cine.frames, made.cine(3, 9))


def test_up_to_three_missing_frames_are_copied_and_more_refused(read, made):
    contents = made.series(made.cine(3))
    found = read(made.zip_of([c for at, c in enumerate(contents) if at not in (5, 6, 49)]))
    assert found.cine.missing_frames == 3
    expected = made.cine(3)
    expected[5] = expected[6] = expected[4]
    expected[49] = expected[48]
    np.testing.assert_array_equal(found.cine.frames, expected)
    with pytest.raises(CineError, match="4 of 50 frames are missing"):
        read(made.zip_of(contents[4:]))


def test_the_protocols_fifty_frames_are_expected_where_headers_do_not_say(read, made):
    def silent(dataset, _):
        del dataset.CardiacNumberOfImages

    contents = made.series(made.cine(3), change=silent)
    assert read(made.zip_of(contents)).cine.missing_frames == 0
    assert read(made.zip_of(contents[:7] + contents[8:])).cine.missing_frames == 1
    with pytest.raises(CineError, match="10 of 50 frames are missing"):
        read(made.zip_of(contents[:40]))


def test_compressed_files_are_read(read, made, small):
    found = read(made.zip_of(small(3, syntax=RLELossless)))
    np.testing.assert_array_equal(found.cine.frames, made.cine(3, 9))


@pytest.fixture
def mixed(made):
    """Three views of a mixed series, and their pictures; names go by view and time."""

    def make(frames=9, series=1, seeds=(11, 12, 13), **said):
        contents = []
        for place, seed in enumerate(seeds):

            def change(dataset, frame, place=place):
                dataset.SOPInstanceUID = f"1.2.{series}.{place * frames + frame}"
                dataset.InstanceNumber = place * frames + frame + 1
                dataset.ImagePositionPatient = [10.0 * place, 0.0, 0.0]
                for keyword, value in said.items():
                    setattr(dataset, keyword, value)

            pictures = made.cine(seed, frames)
            contents += made.series(pictures, "CINE_segmented_LAX", series=series, change=change)
        return contents, [f"{at:04d}.dcm" for at in range(len(contents))]

    return make


def test_of_a_mixed_series_the_second_third_by_name_is_taken_and_told(read, made, mixed):
    contents, names = mixed()
    found = read(made.zip_of(contents[::-1], names=names[::-1]))
    assert found.from_mixed_series
    np.testing.assert_array_equal(found.cine.frames, made.cine(12, 9))


def test_of_repeated_mixed_series_the_last_is_taken(read, made, mixed):
    contents, names = mixed(series=1)
    repeated, _ = mixed(series=2, seeds=(21, 22, 23))
    found = read(made.zip_of(repeated + contents, names=[*(f"r{n}" for n in names), *names]))
    np.testing.assert_array_equal(found.cine.frames, made.cine(22, 9))


def test_a_mixed_series_beside_a_named_one_is_left_alone(read, made, mixed, small):
    contents, names = mixed()
    found = read(made.zip_of(contents + small(3, series=7), names=[*names, *"abcdefghi"]))
    assert not found.from_mixed_series
    np.testing.assert_array_equal(found.cine.frames, made.cine(3, 9))


def test_a_mixed_series_that_does_not_divide_is_refused(read, made, mixed):
    contents, names = mixed()
    with pytest.raises(CineError, match="26 files; needed 3 x 9"):
        read(made.zip_of(contents[1:], names=names[1:]))


def test_a_mixed_series_whose_names_do_not_part_the_views_is_refused(read, made, mixed):
    contents, names = mixed()
    interleaved = names[::3] + names[1::3] + names[2::3]
    with pytest.raises(CineError, match="3 slices in one series"):
        read(made.zip_of(contents, names=interleaved))


@pytest.mark.parametrize("name", ["manifest.csv", "manifest.cvs", "MANIFEST.CSV"])
def test_a_manifest_is_not_read_whatever_it_holds(read, made, small, name, monkeypatch):
    content = made.zip_of(small(3), manifest_name=name)
    opened = []
    inner = zipfile.ZipFile.open
    monkeypatch.setattr(
        zipfile.ZipFile, "open", lambda self, name: opened.append(name) or inner(self, name)
    )
    read(content)
    assert opened
    assert name not in opened


def test_what_is_no_dicom_beside_the_files_is_passed_over(read, made, small):
    contents = [*small(3), b"readme", b"DICM" * 40, b""]
    np.testing.assert_array_equal(read(made.zip_of(contents)).cine.frames, made.cine(3, 9))


@pytest.mark.parametrize(
    "name", ["../up.dcm", "/etc/up.dcm", "C:\\up.dcm", "a/../../up.dcm", "..\\up.dcm"]
)
def test_names_that_lead_out_of_the_archive_are_refused(read, made, small, name, tmp_path):
    names = [*(f"{at}.dcm" for at in range(8)), name]
    with pytest.raises(SourceError, match="names that lead out of it"):
        read(made.zip_of(small(3), names=names))
    assert not list(tmp_path.rglob("up.dcm"))


def test_a_member_larger_than_any_frame_is_refused(read, made, small):
    with pytest.raises(SourceError, match="larger than 16777216 bytes"):
        read(made.zip_of([*small(3), b"\0" * (16 << 20) + b"\0"]))


def test_a_damaged_member_is_refused_and_not_taken_for_a_missing_frame(read, made, small):
    content = bytearray(made.zip_of(small(3)))
    at = content.find(b"PK\x03\x04", len(content) // 2) + 200
    content[at : at + 8] = bytes(8)
    with pytest.raises(SourceError, match="a member of the zip file cannot be read"):
        read(bytes(content))


def test_a_zip_that_is_cut_off_is_refused(read, made, small):
    content = made.zip_of(small(3))
    with pytest.raises(SourceError, match="not a whole zip file"):
        read(content[: len(content) // 2])
