from __future__ import annotations

import io
import logging
import re
import sys
import traceback
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from cardionets_core.cmr import dicom_pixels
from cardionets_core.cmr.dicom_cine import read_dicom_cine
from cardionets_core.cmr.dicom_headers import read_cine_header
from cardionets_core.errors import CineError

sys.path.insert(0, str(Path(__file__).parent))

import made_up_cine_dicom as made_up

CINE = made_up.phantom()


def opened(contents):
    return [partial(io.BytesIO, content) for content in contents]


def read(contents, **options):
    return read_dicom_cine(opened(contents), **options)


def shuffled(contents, seed=0):
    return [contents[at] for at in np.random.default_rng(seed).permutation(len(contents))]


def changing(**elements):
    """A change of a dataset: values, or None to leave an element out."""

    def change(made, _frame=0):
        for keyword, value in elements.items():
            if value is None:
                delattr(made, keyword)
            else:
                setattr(made, keyword, value)

    return change


def test_frames_are_ordered_by_trigger_time_whatever_the_order_of_files_and_numbers():
    def reverse_numbers(made, frame):
        made.InstanceNumber = 100 - frame

    cine = read(shuffled(made_up.files_of(CINE, change=reverse_numbers)))
    np.testing.assert_array_equal(cine.frames, CINE)
    assert cine.frames.dtype == np.float32
    assert cine.spacing_mm == (1.8, 1.6)
    assert (cine.missing_frames, cine.turned) == (0, "as stored")


@pytest.mark.parametrize("trigger", [None, 0.0, ""])
def test_without_trigger_times_that_differ_frames_are_ordered_by_number(trigger):
    contents = made_up.files_of(CINE, change=changing(TriggerTime=trigger))
    np.testing.assert_array_equal(read(shuffled(contents)).frames, CINE)


def test_frames_that_nothing_tells_apart_are_refused():
    contents = made_up.files_of(CINE, change=changing(TriggerTime=None, InstanceNumber=1))
    with pytest.raises(CineError, match="10 frames that neither trigger times nor numbers"):
        read(contents)


def test_of_repeats_the_last_series_is_taken():
    contents = [
        content
        for series in (2, 4, 3)
        for content in made_up.files_of(CINE + series, series=series)
    ]
    np.testing.assert_array_equal(read(shuffled(contents)).frames, CINE + 4)


def test_series_are_chosen_by_name_and_several_names_are_refused():
    contents = made_up.files_of(CINE, series_name="CINE_segmented_LAX_4Ch")
    contents += made_up.files_of(CINE + 9, series_name="CINE segmented LAX 2Ch", series=2)
    with pytest.raises(CineError, match="2 series of different names"):
        read(contents)
    four = read(contents, wanted=lambda header: header.series_name == "cine_segmented_lax_4ch")
    np.testing.assert_array_equal(four.frames, CINE)
    two = read(contents, wanted=lambda header: header.series_name == "cine_segmented_lax_2ch")
    np.testing.assert_array_equal(two.frames, CINE + 9)
    with pytest.raises(CineError, match="none of the DICOM images is of the wanted series"):
        read(contents, wanted=lambda header: False)


def test_other_files_in_the_folder_are_passed_over():
    contents = [b"", b"filename,series\n", bytes(4000), *made_up.files_of(CINE)]
    np.testing.assert_array_equal(read(shuffled(contents)).frames, CINE)
    with pytest.raises(CineError, match="3 files, none of them a DICOM image"):
        read(contents[:3])
    with pytest.raises(CineError, match="0 files"):
        read([])


def test_the_same_object_twice_is_one_frame():
    contents = made_up.files_of(CINE)
    np.testing.assert_array_equal(read([*contents, contents[3]]).frames, CINE)


@pytest.mark.parametrize("trigger", [True, False])
@pytest.mark.parametrize("lost", [[4], [0], [9], [3, 4], [0, 5, 9]])
def test_a_missing_frame_is_its_predecessor_once_more_and_is_counted(trigger, lost):
    change = changing() if trigger else changing(TriggerTime=None)
    contents = made_up.files_of(CINE, change=change)
    cine = read([content for at, content in enumerate(contents) if at not in lost])
    expected = CINE.copy()
    for at in lost:
        source = at
        while source in lost:
            source = (source - 1) % len(CINE)
        expected[at] = CINE[source]
    assert cine.missing_frames == len(lost)
    np.testing.assert_array_equal(cine.frames, expected)


def test_gaps_in_trigger_times_tell_what_is_missing_where_numbers_do_not():
    contents = made_up.files_of(CINE, change=changing(InstanceNumber=None))
    cine = read(contents[:6] + contents[7:])
    assert cine.missing_frames == 1
    np.testing.assert_array_equal(cine.frames, CINE[[0, 1, 2, 3, 4, 5, 5, 7, 8, 9]])


def test_too_many_missing_frames_are_refused():
    contents = made_up.files_of(CINE)
    with pytest.raises(CineError, match="4 of 10 frames are missing"):
        read(contents[4:])
    with pytest.raises(CineError, match="40 of 50 frames are missing"):
        read(contents, expected_frames=50)
    assert read(contents, expected_frames=12, most_missing=2).missing_frames == 2


def test_a_truncated_file_is_a_missing_frame_and_never_half_a_frame():
    contents = made_up.files_of(CINE)
    contents[5] = contents[5][:200]
    assert read(contents).missing_frames == 1
    contents[5] = made_up.files_of(CINE)[5][:-100]
    with pytest.raises(CineError):
        read(contents)


def test_several_slices_in_a_series_are_refused():
    def two_slices(made, frame):
        made.ImagePositionPatient = [-80.0, -60.0, 30.0 + 8 * (frame % 2)]

    with pytest.raises(CineError, match="2 slices in one series"):
        read(made_up.files_of(CINE, change=two_slices))

    def two_planes(made, frame):
        if frame > 4:
            made.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    with pytest.raises(CineError, match="2 slices in one series"):
        read(made_up.files_of(CINE, change=two_planes))


def test_frames_of_different_sizes_or_spacings_are_refused():
    def other_spacing(made, frame):
        if frame == 3:
            made.PixelSpacing = [1.0, 1.0]

    with pytest.raises(CineError, match="1 sizes and 2 pixel spacings"):
        read(made_up.files_of(CINE, change=other_spacing))
    larger = made_up.files_of(made_up.phantom(rows=44))
    with pytest.raises(CineError, match="2 sizes and 1 pixel spacings"):
        read(made_up.files_of(CINE)[:5] + larger[5:])


def test_without_pixel_spacing_a_cine_is_refused():
    with pytest.raises(CineError, match="no pixel spacing"):
        read(made_up.files_of(CINE, change=changing(PixelSpacing=None)))


def test_rescaling_of_each_frame_and_negative_counts_are_applied():
    def rescale(made, frame):
        made.RescaleSlope, made.RescaleIntercept = 0.5, -frame

    counts = CINE.astype(np.int16) - 500
    cine = read(made_up.files_of(counts, change=rescale))
    np.testing.assert_array_equal(cine.frames, counts * 0.5 - np.arange(10)[:, None, None])


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_where_white_is_the_lowest_count_the_picture_is_inverted(dtype):
    counts = CINE.astype(dtype)
    change = changing(PhotometricInterpretation="MONOCHROME1")
    cine = read(made_up.files_of(counts, change=change))
    highest = 4095 if dtype == np.uint16 else -1
    np.testing.assert_array_equal(cine.frames, highest - counts.astype(np.float32))


@pytest.mark.parametrize(
    "change",
    [
        {"PhotometricInterpretation": "RGB"},
        {"SamplesPerPixel": 3, "PlanarConfiguration": 0},
        {"PhotometricInterpretation": "PALETTE COLOR"},
    ],
)
def test_pictures_in_colour_are_refused(change):
    with pytest.raises(CineError, match="pictures in colour"):
        read(made_up.files_of(CINE, change=changing(**change)))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, RLELossless])
def test_other_transfer_syntaxes_give_the_same(syntax):
    if syntax == RLELossless:
        contents = made_up.files_of(CINE, syntax=syntax)
    else:
        contents = [as_implicit(content) for content in made_up.files_of(CINE)]
    np.testing.assert_array_equal(read(contents).frames, CINE)


def as_implicit(content):
    import pydicom

    made = pydicom.dcmread(io.BytesIO(content))
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    file = io.BytesIO()
    pydicom.dcmwrite(file, made, implicit_vr=True, little_endian=True)
    return file.getvalue()


def with_syntax(content, uid):
    """The same file with another transfer syntax announced, of any length."""
    import pydicom

    made = pydicom.dcmread(io.BytesIO(content))
    made.PixelData = pydicom.encaps.encapsulate([bytes(100)])
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = uid
    file = io.BytesIO()
    pydicom.dcmwrite(file, made, implicit_vr=False, little_endian=True)
    return file.getvalue()


def test_a_compression_without_decoder_names_the_extra(monkeypatch):
    class Missing:
        is_available = False

    monkeypatch.setattr(dicom_pixels, "get_decoder", lambda _uid: Missing())
    with pytest.raises(CineError, match=r"needs another package: pip install 'cardionets\[imag"):
        read([with_syntax(each, "1.2.840.10008.1.2.4.70") for each in made_up.files_of(CINE)])


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"])
def test_damaged_compressed_pictures_are_one_clear_line(uid):
    with pytest.raises(CineError) as caught:
        read([with_syntax(content, uid) for content in made_up.files_of(CINE)])
    assert "\n" not in str(caught.value)


def test_a_video_is_refused_by_its_kind():
    contents = [with_syntax(each, "1.2.840.10008.1.2.4.102") for each in made_up.files_of(CINE)]
    with pytest.raises(CineError, match=r"compressed as MPEG-4 .* which is not read"):
        read(contents)


@pytest.mark.parametrize("order", [None, [9, 3, 1, 0, 2, 4, 5, 6, 8, 7]])
def test_a_multi_frame_file_is_ordered_and_rescaled_frame_by_frame(order):
    cine = read([made_up.enhanced_file_of(CINE, order=order)])
    np.testing.assert_array_equal(cine.frames, CINE * 2.0 - np.arange(10)[:, None, None])
    assert cine.spacing_mm == (1.8, 1.6)


def test_a_multi_frame_file_without_functional_groups_is_in_its_own_order():
    def plain(made):
        del made.SharedFunctionalGroupsSequence, made.PerFrameFunctionalGroupsSequence
        made.PixelSpacing = [1.5, 1.5]

    cine = read([made_up.enhanced_file_of(CINE, change=plain)])
    np.testing.assert_array_equal(cine.frames, CINE)
    assert cine.spacing_mm == (1.5, 1.5)


def test_a_multi_frame_file_of_several_slices_is_refused():
    def slices(made):
        for at, groups in enumerate(made.PerFrameFunctionalGroupsSequence):
            groups.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 8.0 * (at // 5)]

    with pytest.raises(CineError, match="2 slices"):
        read([made_up.enhanced_file_of(CINE, change=slices)])


def test_announced_frames_that_are_not_described_are_refused():
    change = changing(NumberOfFrames=9)
    with pytest.raises(CineError, match="announces 9 frames and describes 10"):
        read([made_up.enhanced_file_of(CINE, change=change)])


@pytest.mark.parametrize(
    "change", [{"Rows": 65535, "Columns": 65535}, {"NumberOfFrames": 10**6}, {"Rows": 0}]
)
def test_absurd_sizes_are_refused_before_anything_is_made_of_them(change):
    import tracemalloc

    content = made_up.enhanced_file_of(
        CINE,
        change=changing(
            **change, SharedFunctionalGroupsSequence=None, PerFrameFunctionalGroupsSequence=None
        ),
    )
    tracemalloc.start()
    with pytest.raises(CineError):
        read([content])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_the_header_tells_series_and_frames_without_day_and_patient():
    header = read_cine_header(io.BytesIO(made_up.files_of(CINE)[4]))
    assert header.series_name == "cine_segmented_lax_4ch"
    assert "2015" not in repr(header)
    assert (header.rows, header.columns, header.cardiac_images) == (40, 48, 10)
    (frame,) = header.frames
    assert (frame.trigger_ms, frame.number) == (80.0, 5)
    assert not [planted for planted in made_up.PLANTED if planted in repr(header)]


def test_headers_are_read_without_the_pixels():
    class Counting(io.BytesIO):
        taken = 0

        def read(self, size=-1, /):
            found = super().read(size)
            Counting.taken += len(found)
            return found

    large = made_up.files_of(np.zeros((1, 500, 500), np.uint16))[0]
    read_cine_header(Counting(large))
    assert Counting.taken < 10_000 < len(large)


def test_a_dicom_as_scanners_show_it_stays_and_one_stored_otherwise_is_turned():
    def upside_down(made, _frame):
        made.ImageOrientationPatient = [*made_up.RIGHT, *(-value for value in made_up.DOWN)]

    cine = read(made_up.files_of(CINE[:, ::-1], change=upside_down))
    np.testing.assert_array_equal(cine.frames, CINE)
    assert cine.turned == "rows flipped"
    without = read(made_up.files_of(CINE, change=changing(ImageOrientationPatient=None)))
    np.testing.assert_array_equal(without.frames, CINE)


def hostile(seed):
    """Damaged files of the planted patient."""
    rng = np.random.default_rng(seed)
    content = made_up.files_of(CINE[:1])[0] if seed % 2 else made_up.enhanced_file_of(CINE)
    damaged = bytearray(content)
    for _ in range(int(rng.integers(1, 12))):
        damaged[int(rng.integers(132, min(len(damaged), 1500)))] = int(rng.integers(256))
    return bytes(damaged[: int(rng.integers(len(damaged)))] if seed % 5 == 0 else damaged)


def test_damaged_files_are_read_or_refused_and_never_tell_of_the_patient(caplog):
    caplog.set_level(logging.DEBUG)
    for seed in range(1000):
        content = hostile(seed)
        caplog.clear()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            told, lines = "", []
            try:
                read([content])
            except CineError as error:
                lines = str(error).splitlines()
                told = "".join(traceback.format_exception(error))
        assert len(lines) <= 1
        told += caplog.text + "".join(str(warning.message) for warning in warned)
        assert not re.search("PLANTED|19330317", told)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=1000))
def test_any_bytes_are_refused(content):
    whole = made_up.files_of(CINE[:1])[0]
    start = whole[: whole.index(b"\x08\x00\x16\x00", 200)]
    for each in (content, start + content):
        with pytest.raises(CineError):
            read([each])
