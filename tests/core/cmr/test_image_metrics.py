"""MAE, RMSE, PSNR and SSIM of cines."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cardionets_core.cmr.image_metrics import (
    CPGG_METRICS,
    DEFAULT_METRICS,
    ImageMetricOptions,
    cine_metrics,
    frame_metrics,
    image_metrics,
)
from cardionets_core.errors import ConfigError, EvaluationError

RANGE2 = ImageMetricOptions(clamp=False, to_unit=False)
UNIFORM7 = replace(
    RANGE2, sigma_pixels=None, window_pixels=7, sample_covariance=True, border_pixels=3
)
UNIFORM11 = replace(UNIFORM7, window_pixels=11, border_pixels=5)
# Key of the reference to the options and the number that it holds.
KEYS = {
    "mae": (RANGE2, "mae"),
    "rmse": (RANGE2, "rmse"),
    "psnr_range2": (RANGE2, "psnr"),
    "ssim_default_win7_range2": (UNIFORM7, "ssim"),
    "ssim_gaussian_range2": (RANGE2, "ssim"),
    "ssim_win11_uniform_range2": (UNIFORM11, "ssim"),
    "ssim_default_win7_rescaled_0_1_range1": (replace(UNIFORM7, to_unit=True), "ssim"),
    "ssim_gaussian_rescaled_0_1_range1": (DEFAULT_METRICS, "ssim"),
    "cpgg_ssim_on_0_1": (CPGG_METRICS, "ssim"),
    "cpgg_psnr_on_0_1": (CPGG_METRICS, "psnr"),
}


@pytest.fixture(scope="module")
def reference():
    root = os.environ.get("CARDIONETS_REFERENCE")
    if not root:
        pytest.skip("CARDIONETS_REFERENCE is unset: no stored results to compare with")
    folder = Path(root) / "stats"
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return expected, np.load(folder / "data.npz")


def assert_all(found, wanted, where):
    """Every key of a reference entry; ``found`` gives the metrics for some options."""
    assert set(wanted) <= {*KEYS, "mse"}, where
    for key, value in wanted.items():
        options, name = KEYS.get(key, (RANGE2, "rmse"))
        number = getattr(found(options), name)
        number = number**2 if key == "mse" else number
        assert number == pytest.approx(float(value), abs=1e-9), (where, key)


@pytest.mark.parity("stats")
def test_images_match_scikit_image_and_cpgg(reference):
    expected, data = reference
    assert expected["images"]
    for pair, wanted in enumerate(expected["images"]):
        a, b = data["images.a"][pair], data["images.b"][pair]
        assert_all(lambda options, a=a, b=b: image_metrics(a, b, options), wanted, pair)


@pytest.mark.parity("stats")
def test_frames_of_a_cine_match(reference):
    expected, data = reference
    a, b = data["cine.a"], data["cine.b"]
    assert len(expected["cine"]["per_frame"]) == len(a)
    for frame, wanted in enumerate(expected["cine"]["per_frame"]):
        one = slice(frame, frame + 1)
        assert_all(
            lambda options, one=one: frame_metrics(a[None, one], b[None, one], options),
            wanted,
            frame,
        )


@pytest.mark.parity("stats")
def test_means_over_frames_match(reference):
    expected, data = reference
    a, b = data["cine.a"][None], data["cine.b"][None]
    wanted = dict(expected["cine"]["mean_of_frames"])
    mean_square = wanted.pop("mse", None)
    assert_all(lambda options: cine_metrics(a, b, options), wanted, "mean")
    if mean_square is not None:
        rmse = frame_metrics(a, b, RANGE2).rmse
        assert (rmse**2).mean() == pytest.approx(mean_square, abs=1e-9)


@pytest.mark.parity("stats")
def test_a_cine_as_a_volume_matches(reference):
    expected, data = reference
    wanted = expected["cine"]
    found = image_metrics(data["cine.a"], data["cine.b"], UNIFORM7)
    assert found.mae == pytest.approx(wanted["volume_mae"], abs=1e-9)
    assert found.rmse == pytest.approx(wanted["volume_rmse"], abs=1e-9)
    assert found.psnr == pytest.approx(float(wanted["volume_psnr_range2"]), abs=1e-9)
    assert found.ssim == pytest.approx(wanted["volume_ssim3d_default_win7_range2"], abs=1e-9)


@pytest.fixture
def cines():
    rng = np.random.default_rng(0)
    truth = np.tanh(rng.standard_normal((3, 4, 24, 24))).astype(np.float32)
    return truth + 0.1 * rng.standard_normal(truth.shape).astype(np.float32), truth


def gaussian_ssim(image, truth):
    """SSIM by its formula, window by window, on [0, 1]."""
    offsets = np.arange(-5, 6)
    weight = np.exp(-0.5 * (offsets / 1.5) ** 2)
    weight = np.outer(weight, weight) / weight.sum() ** 2
    values = []
    for row in range(5, image.shape[0] - 5):
        for column in range(5, image.shape[1] - 5):
            window = np.s_[row - 5 : row + 6, column - 5 : column + 6]
            x, y = image[window], truth[window]
            mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
            var_x, var_y = (weight * x * x).sum() - mean_x**2, (weight * y * y).sum() - mean_y**2
            both = (weight * x * y).sum() - mean_x * mean_y
            values.append(
                (2 * mean_x * mean_y + 1e-4)
                * (2 * both + 9e-4)
                / ((mean_x**2 + mean_y**2 + 1e-4) * (var_x + var_y + 9e-4))
            )
    return np.mean(values)


def test_the_default_is_the_formula_on_clamped_images_in_0_to_1(cines):
    drawn, truth = cines
    assert (np.abs(drawn) > 1).any()
    found = frame_metrics(drawn, truth)
    x = (drawn[1, 2].astype(float).clip(-1, 1) + 1) / 2
    y = (truth[1, 2].astype(float) + 1) / 2
    assert found.ssim[1, 2] == pytest.approx(gaussian_ssim(x, y), abs=1e-9)
    assert found.mae[1, 2] == pytest.approx(np.abs(x - y).mean())
    assert found.rmse[1, 2] == pytest.approx(np.sqrt(np.mean((x - y) ** 2)))
    assert found.psnr[1, 2] == pytest.approx(-10 * np.log10(np.mean((x - y) ** 2)))


def test_the_mean_is_taken_frame_by_frame_and_cine_by_cine(cines):
    frames, means = frame_metrics(*cines), cine_metrics(*cines)
    for of_frames, mean in zip(frames, means, strict=True):
        assert of_frames.shape == (3, 4)
        assert mean == pytest.approx(of_frames.mean(axis=1))
    assert means.rmse[0] < image_metrics(cines[0][0], cines[1][0], SMALL).rmse


SMALL = replace(DEFAULT_METRICS, sigma_pixels=None, window_pixels=3, border_pixels=1)


def test_equal_frames_do_not_count_for_the_mean_psnr_unless_all_are_equal(cines):
    drawn, truth = cines
    drawn = drawn.copy()
    drawn[0, 1], drawn[2] = truth[0, 1], truth[2]
    frames, means = frame_metrics(drawn, truth), cine_metrics(drawn, truth)
    assert np.isinf(frames.psnr[0, 1])
    assert means.psnr[0] == pytest.approx(frames.psnr[0, [0, 2, 3]].mean())
    assert np.isinf(means.psnr[2])
    assert means.ssim[2] == 1.0
    assert cine_metrics(drawn, truth, CPGG_METRICS).psnr[2] == pytest.approx(80.0)


def test_one_line_says_every_parameter():
    told = DEFAULT_METRICS.describe()
    assert "\n" not in told
    for part in ("clamped to [-1, 1]", "scale [0, 1]", "SD 1.5", "11 x 11", "population", "range 1",
                 "K1 0.01", "K2 0.03", "border of 5", "per frame, then the mean"):  # fmt: skip
        assert part in told
    assert "1e-08 added" in CPGG_METRICS.describe()
    assert "clamped" not in CPGG_METRICS.describe()
    assert "uniform window of 7 x 7 pixels, sample covariance, range 2" in UNIFORM7.describe()


@pytest.mark.parametrize(
    "wrong",
    [{"window_pixels": 7}, {"sigma_pixels": None, "window_pixels": 8}, {"border_pixels": -1}],
)
def test_a_window_that_cannot_be_is_refused(wrong):
    with pytest.raises(ConfigError, match="window of"):
        ImageMetricOptions(**wrong)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (np.zeros((2, 3, 24, 24)), np.zeros((1, 3, 24, 24)), "two of one shape"),
        (np.zeros((3, 24, 24)), np.zeros((3, 24, 24)), "n, T, H, W"),
        (np.zeros((0, 3, 24, 24)), np.zeros((0, 3, 24, 24)), "two of one shape"),
        (np.zeros((1, 3, 8, 24)), np.zeros((1, 3, 8, 24)), "take 11"),
        (np.zeros((1, 3, 24, 24), np.uint8), np.zeros((1, 3, 24, 24)), "holds uint8"),
        (np.full((1, 3, 24, 24), np.nan), np.zeros((1, 3, 24, 24)), "not finite"),
    ],
)
def test_what_cannot_be_compared_is_one_line(first, second, said):
    with pytest.raises(EvaluationError, match=said) as refused:
        frame_metrics(first, second)
    assert "\n" not in str(refused.value)
