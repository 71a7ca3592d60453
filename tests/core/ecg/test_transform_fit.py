from __future__ import annotations

import json

import numpy as np
import pytest

from cardionets_core.ecg.transform import EcgTransform, explain_mismatch
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.errors import EcgError, WeightsError

RELEASED_CODE = EcgTransformConfig(
    resampling="fourier",
    assumed_source_rate_hz=500,
    filter_order="crop-then-filter",
    standardise="crop-zscore",
    eval_crop_rule="released-code",
)
TINY = EcgTransformConfig(sampling_rate_hz=100, crop_samples=500)


def noise(records: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.2, (records, 12, 5000)).astype(np.float32)


def test_fitting_in_batches_gives_the_sd_of_all_samples_of_each_lead():
    transform = EcgTransform(TINY)
    prepared = transform.prepare(noise(7)) + np.linspace(0, 50, 12, dtype=np.float32)[:, None]
    fitted = transform.fit([prepared[:3], prepared[3], prepared[4:]])
    expected = prepared.astype(np.float64).std(axis=(0, 2))
    np.testing.assert_allclose(fitted.lead_sd_mv, expected, rtol=1e-6)
    assert transform.lead_sd_mv is None


def test_missing_dead_and_nan_samples_count_for_nothing_in_the_fit():
    prepared = EcgTransform(TINY).prepare(noise(4))
    expected = prepared[:2].astype(np.float64).std(axis=(0, 2))
    prepared[2:] = 0.0
    prepared[3, :, :] = 1e-9
    with_nan = np.concatenate([prepared, np.full((1, 12, 1000), np.nan, dtype=np.float32)])
    fitted = EcgTransform(TINY).fit([with_nan])
    np.testing.assert_allclose(fitted.lead_sd_mv, expected, rtol=1e-6)


def test_a_lead_that_is_dead_in_the_whole_set_gets_sd_one_and_stays_zero():
    prepared = EcgTransform(TINY).prepare(noise(2))
    prepared[:, 8] = 0.0
    fitted = EcgTransform(TINY).fit([prepared])
    assert fitted.lead_sd_mv is not None
    assert fitted.lead_sd_mv[8] == 1.0
    np.testing.assert_array_equal(fitted.eval_crops(prepared)[:, :, 8], 0.0)


def test_fitting_measures_what_comes_out_of_the_filters_in_either_order():
    config = TINY.model_copy(update={"filter_order": "crop-then-filter"})
    signal_mv = noise(3)
    late = EcgTransform(config)
    late = late.fit([late.prepare(signal_mv)])
    early = EcgTransform(TINY)
    early = early.fit([early.prepare(signal_mv)])
    np.testing.assert_allclose(late.lead_sd_mv, early.lead_sd_mv, rtol=1e-5)


def test_fitting_on_nothing_is_refused():
    with pytest.raises(EcgError, match="training split is empty"):
        EcgTransform(TINY).fit([])


def test_no_sd_is_measured_where_none_is_needed():
    def never_read():
        raise AssertionError
        yield

    assert not EcgTransform(RELEASED_CODE).fit(never_read()).needs_fit


@pytest.mark.parametrize("sd_mv", [np.ones(11), np.zeros(12), np.full(12, np.nan)])
def test_impossible_lead_sds_are_refused(sd_mv):
    with pytest.raises(WeightsError, match="12 positive numbers"):
        EcgTransform(TINY, sd_mv)


def test_a_transform_survives_json_with_its_hash_and_its_output():
    fitted = EcgTransform(TINY, np.random.default_rng(1).uniform(0.1, 1, 12))
    again = EcgTransform.from_state(json.loads(json.dumps(fitted.to_state())))
    prepared = fitted.prepare(noise(1))
    np.testing.assert_array_equal(again.eval_crops(prepared), fitted.eval_crops(prepared))
    assert again.hash == fitted.hash
    assert len(fitted.hash) == 64


def test_the_hash_tells_every_option_and_sd_apart_but_not_rounding():
    sd_mv = np.full(12, 0.123456)
    transforms = [
        EcgTransform(TINY, sd_mv),
        EcgTransform(TINY, sd_mv * 1.001),
        EcgTransform(TINY),
        EcgTransform(EcgTransformConfig(), sd_mv),
        EcgTransform(RELEASED_CODE),
    ]
    assert len({transform.hash for transform in transforms}) == len(transforms)
    assert EcgTransform(TINY, sd_mv * (1 + 1e-12)).hash == transforms[0].hash


def test_a_mismatch_shows_what_differs_side_by_side_and_nothing_else():
    a = EcgTransform(TINY, np.full(12, 0.2))
    other_sd = np.full(12, 0.2)
    other_sd[6] = 0.25
    b = EcgTransform(TINY.model_copy(update={"eval_crops": 5}), other_sd)
    lines = explain_mismatch(a, b).splitlines()
    assert [line.split() for line in lines] == [
        ["eval_crops", "3", "5"],
        ["SD", "of", "V1", "in", "mV", "0.2", "0.25"],
    ]
    assert explain_mismatch(a, a) == ""


def test_one_line_describes_a_transform():
    line = EcgTransform(TINY).describe()
    assert "\n" not in line
    assert "100 Hz polyphase, crop 500, 0.67 Hz high-pass then 40 Hz low-pass" in line
    assert "(unfitted)" in line
