from __future__ import annotations

import numpy as np
import pytest

from cardionets_core.cmr.cine import Cine
from cardionets_core.cmr.geometry import (
    CANONICAL_FRAMES,
    CANONICAL_SIZE,
    canonical_cine,
    centre_of_motion,
)
from cardionets_core.cmr.geometry_config import CineGeometryOptions
from cardionets_core.cmr.resampling import resample_beat, resample_plane, sampling_weights
from cardionets_core.cohort.layout import CINE_SHAPE
from cardionets_core.errors import CineError


def disc(radius_mm, spacing_mm, size=(160, 140), centre_mm=(0.0, 0.0), frames=10):
    """A disc about a point, from the picture's centre down and to the right."""
    row, column = (
        (np.arange(pixels) - (pixels - 1) / 2) * distance_mm
        for pixels, distance_mm in zip(size, spacing_mm, strict=True)
    )
    distance_mm = np.hypot(row[:, None] - centre_mm[0], column - centre_mm[1])
    one = (np.clip((radius_mm - distance_mm) / min(spacing_mm) + 0.5, 0, 1)).astype(np.float32)
    return Cine(np.repeat(one[None], frames, axis=0), spacing_mm)


def area_mm2(frames, spacing_mm):
    return frames[0].astype(float).sum() / 255 * spacing_mm**2


def test_the_canonical_size_is_that_of_the_store():
    assert (CANONICAL_FRAMES, CANONICAL_SIZE, CANONICAL_SIZE) == CINE_SHAPE


@pytest.mark.parametrize("source_mm", [(1.0, 1.0), (1.8, 1.8), (1.25, 1.9), (2.2, 2.2), (3.1, 2.7)])
@pytest.mark.parametrize("spacing_mm", [1.5, 2.2, 3.0])
def test_a_disc_keeps_its_size_and_shape_in_mm(source_mm, spacing_mm):
    made = canonical_cine(disc(40.0, source_mm), CineGeometryOptions(spacing_mm=spacing_mm))
    assert area_mm2(made.frames, spacing_mm) == pytest.approx(np.pi * 40**2, rel=0.01)
    bright = made.frames[0] > 127
    extent_mm = np.array([np.ptp(np.nonzero(bright.any(axis=axis))[0]) + 1 for axis in (0, 1)])
    np.testing.assert_allclose(extent_mm * spacing_mm, 80.0, atol=1.01 * spacing_mm)


def test_a_point_stays_where_it_was_from_the_centre():
    cine = disc(6.0, (1.5, 1.2), centre_mm=(30.0, -25.0))
    frames = canonical_cine(cine, CineGeometryOptions(spacing_mm=2.0)).frames[0].astype(float)
    grid_mm = (np.arange(CANONICAL_SIZE) - (CANONICAL_SIZE - 1) / 2) * 2.0
    found = (
        frames.sum(axis=1) @ grid_mm / frames.sum(),
        frames.sum(axis=0) @ grid_mm / frames.sum(),
    )
    np.testing.assert_allclose(found, (30.0, -25.0), atol=0.05)


@pytest.mark.parametrize("size", [(120, 100), (121, 99), (96, 96)])
def test_a_cine_of_the_wanted_spacing_is_cut_out_and_not_blurred(size):
    frames = np.random.default_rng(0).integers(0, 256, (50, *size)).astype(np.float32)
    frames[0, :2] = 0
    frames[0, size[0] // 2, size[1] // 2] = 255
    frames[1, size[0] // 2, size[1] // 2] = 0
    made = canonical_cine(Cine(frames, (2.2, 2.2)), CineGeometryOptions())
    rows, columns = ((pixels - CANONICAL_SIZE + 1) // 2 for pixels in size)
    cut = frames[:, rows : rows + CANONICAL_SIZE, columns : columns + CANONICAL_SIZE]
    black, white = cut.min(), cut.max()
    np.testing.assert_array_equal(made.frames, np.rint((cut - black) * 255 / (white - black)))


def test_a_picture_smaller_than_the_field_of_view_lies_in_the_middle_of_black():
    frames = np.full((10, 40, 60), 70, dtype=np.float32)
    frames[:, 20:, :] = 90
    frames[:, :, 30:] += 10
    made = canonical_cine(Cine(frames, (2.2, 2.2)), CineGeometryOptions())
    assert not made.frames[:, :28].any()
    assert not made.frames[:, 68:].any()
    assert not made.frames[:, :, :18].any()
    assert not made.frames[:, :, 78:].any()
    assert (made.frames[:, 48:68, 48:78] == 255).all()
    assert (made.frames[:, 28:48, 18:48] == 0).all()
    assert (made.geometry.black, made.geometry.white) == (70.0, 100.0)


def test_stripes_too_fine_for_the_grid_are_averaged_out_and_not_folded_back():
    column = np.arange(400)
    for period in (2.0, 2.3, 2.6):
        stripes = 100 + 50 * np.cos(2 * np.pi * column / period)
        taken = stripes @ sampling_weights(400, 199.5, 2.2, 96).T
        plain = np.interp(199.5 + (np.arange(96) - 47.5) * 2.2, column, stripes)
        assert np.ptp(taken) < 0.1 * np.ptp(stripes)
        assert np.ptp(plain) > 0.3 * np.ptp(stripes)


def test_weights_average_and_reach_exactly_to_the_edges_of_the_picture():
    for spacing in (0.4, 1.0, 2.7):
        weights = sampling_weights(30, 12.3, spacing, 96)
        points = 12.3 + (np.arange(96) - 47.5) * spacing
        inside = (points >= -0.5) & (points <= 29.5)
        np.testing.assert_allclose(weights.sum(axis=1), inside, atol=1e-6)


def test_resampling_in_the_plane_equals_the_matrix_products():
    rng = np.random.default_rng(1)
    frames = rng.random((5, 30, 40), dtype=np.float32)
    down, right = sampling_weights(30, 14.5, 1.4, 20), sampling_weights(40, 20, 0.7, 24)
    expected = np.einsum("ir,trc,jc->tij", down, frames, right)
    np.testing.assert_allclose(resample_plane(frames, down, right), expected, rtol=1e-5)


@pytest.mark.parametrize("frames", [20, 25, 30, 31, 49, 50, 64, 100])
@pytest.mark.parametrize("harmonic", [0, 1, 2, 7])
def test_a_sinusoid_over_the_beat_is_resampled_exactly(frames, harmonic):
    def beat(count):
        phase = 2 * np.pi * (harmonic * np.arange(count) / count + 0.13)
        return (5 + np.sin(phase))[:, None, None] * np.ones((1, 2, 2))

    resampled = resample_beat(beat(frames).astype(np.float32), 50)
    np.testing.assert_allclose(resampled, beat(50), atol=2e-5)


def test_fifty_frames_stay_as_they_are():
    frames = np.random.default_rng(0).random((50, 3, 3), dtype=np.float32)
    assert resample_beat(frames, 50) is frames


def test_motion_too_fine_for_fifty_frames_is_left_out_and_not_folded_back():
    fast = np.cos(2 * np.pi * 40 * np.arange(200) / 200)[:, None, None] + np.zeros((1, 2, 2))
    assert np.abs(resample_beat(fast.astype(np.float32), 50)).max() < 1e-5


def test_the_first_frame_stays_the_first_and_the_beat_goes_round():
    phase = np.arange(30) / 30
    frames = np.exp(-(((phase[:, None, None] - 0.4) / 0.1) ** 2)) * np.ones((1, 20, 20))
    made = canonical_cine(Cine(frames.astype(np.float32), (2.2, 2.2)), CineGeometryOptions())
    assert int(made.frames[:, 48, 48].argmax()) == 20
    assert made.geometry.source_frames == 30


def test_interpolation_over_the_beat_adds_no_darker_or_brighter_pixels():
    frames = np.zeros((12, 30, 30), dtype=np.float32) + 20
    frames[3:6, 10:20] = 80
    made = canonical_cine(Cine(frames, (2.2, 2.2)), CineGeometryOptions())
    assert (made.geometry.black, made.geometry.white) == (20.0, 80.0)


def moving(centre=(60, 40), size=(120, 120), spacing_mm=(1.5, 1.5)):
    row, column = np.mgrid[: size[0], : size[1]]
    radius = 10 + 4 * np.cos(2 * np.pi * np.arange(20) / 20)
    frames = 50 + 100 * (
        np.hypot(row - centre[0], column - centre[1]) < radius[:, None, None]
    ).astype(np.float32)
    frames += 200 * (np.hypot(row - 100, column - 100) < 12)
    frames += np.random.default_rng(0).normal(0, 2, frames.shape)
    return Cine(frames.astype(np.float32), spacing_mm)


def test_the_centre_of_motion_is_that_of_what_beats_and_not_of_what_is_bright():
    np.testing.assert_allclose(centre_of_motion(moving()), (60, 40), atol=0.5)
    np.testing.assert_allclose(
        centre_of_motion(moving((80, 70), spacing_mm=(1.2, 2.0))), (80, 70), atol=0.5
    )


def test_a_still_cine_has_its_centre_of_motion_in_the_middle():
    frames = np.repeat(np.random.default_rng(0).random((1, 31, 41)), 10, axis=0)
    assert centre_of_motion(Cine(frames.astype(np.float32), (1.0, 1.0))) == (15.0, 20.0)


def test_the_crop_follows_the_motion_as_far_as_the_picture_reaches():
    options = CineGeometryOptions(spacing_mm=1.0, crop="temporal-variance")
    cine = moving()
    geometry = canonical_cine(cine, options).geometry
    # 180 mm of picture leave room to move 96 mm of view by 42 mm each way.
    np.testing.assert_allclose(geometry.offset_mm, ((60 - 59.5) * 1.5, (40 - 59.5) * 1.5), atol=0.8)
    assert geometry.crop == "temporal-variance"
    far = canonical_cine(moving((60, 12)), options)
    assert far.geometry.offset_mm[1] == pytest.approx(-42.0)
    assert far.frames.any(axis=(0, 1)).all()


def test_a_view_larger_than_the_picture_stays_in_its_middle():
    options = CineGeometryOptions(spacing_mm=3.0, crop="temporal-variance")
    assert canonical_cine(moving(), options).geometry.offset_mm == (0.0, 0.0)


def test_intensities_are_scaled_over_the_whole_cine_by_the_rule_that_is_asked_for():
    rng = np.random.default_rng(0)
    frames = rng.normal(100, 10, (50, 96, 96)).astype(np.float32)
    frames[7, 5, 5], frames[8, 6, 6] = -400, 900
    cine = Cine(frames, (2.2, 2.2))
    widest = canonical_cine(cine, CineGeometryOptions())
    assert (widest.geometry.black, widest.geometry.white) == (-400.0, 900.0)
    assert (widest.frames[7, 5, 5], widest.frames[8, 6, 6]) == (0, 255)
    np.testing.assert_array_equal(widest.frames, np.rint((frames + 400) * (255 / 1300)))
    cut = canonical_cine(cine, CineGeometryOptions(intensity="percentile"))
    assert cut.geometry.black == pytest.approx(100 - 23.3, abs=0.5)
    assert cut.geometry.white == pytest.approx(100 + 23.3, abs=0.5)
    assert (cut.frames == 0).mean() == pytest.approx(0.01, abs=0.003)


def test_what_was_done_is_told_in_numbers_and_words():
    made = canonical_cine(disc(20, (1.8, 1.6)), CineGeometryOptions())
    told = made.geometry.attributes()
    assert all(isinstance(value, (str, float)) for value in told.values())
    assert told["cine_spacing_mm"] == 2.2
    assert told["cine_source_row_spacing_mm"] == 1.8
    assert told["cine_source_column_spacing_mm"] == 1.6
    assert (told["cine_source_frames"], told["cine_missing_frames"]) == (10.0, 0.0)
    assert (told["cine_crop"], told["cine_intensity"]) == ("centre", "min-max")


def test_a_cine_of_one_intensity_is_refused():
    blank = Cine(np.full((10, 40, 40), 7, dtype=np.float32), (2.0, 2.0))
    for intensity in ("min-max", "percentile"):
        with pytest.raises(CineError, match="of one intensity everywhere"):
            canonical_cine(blank, CineGeometryOptions(intensity=intensity))


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "message"),
    [
        ((7, 40, 40), (1, 1), "7 frames; needed 8 to 500"),
        ((10, 4, 40), (1, 1), "of 4 x 40 pixels"),
        ((10, 40, 40), (0, 1), "pixels of 0 x 1 mm"),
        ((10, 40, 40), (1, float("nan")), "pixels of 1 x nan mm"),
        ((10, 40, 40), (1, 400), "pixels of 1 x 400 mm"),
    ],
)
def test_what_is_no_cine_is_refused(shape, spacing_mm, message):
    with pytest.raises(CineError, match=message):
        Cine(np.zeros(shape, dtype=np.float32), spacing_mm)


def test_intensities_that_are_no_numbers_are_refused():
    frames = np.zeros((10, 40, 40), dtype=np.float32)
    frames[3, 3, 3] = np.nan
    with pytest.raises(CineError, match="no numbers"):
        Cine(frames, (1.0, 1.0))
