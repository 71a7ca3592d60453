from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from cardionets_core.ecg.crops import fixed_crop_starts, random_crop_starts
from cardionets_core.ecg.filters import high_pass, low_pass
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.ecg.resampling import resample_polyphase
from cardionets_core.ecg.transform import EcgTransform, explain_mismatch
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.errors import EcgError, LeadError, WeightsError

RELEASED_CODE = EcgTransformConfig(
    resampling="fourier",
    assumed_source_rate_hz=500,
    filter_order="crop-then-filter",
    standardise="crop-zscore",
    eval_crop_rule="released-code",
)
TINY = EcgTransformConfig(sampling_rate_hz=100, crop_samples=500)
EVERY_CONFIG = [
    TINY.model_copy(update={"filter_order": order, "standardise": standardise})
    for order in ("filter-then-crop", "crop-then-filter")
    for standardise in ("lead-sd", "crop-zscore")
]


def noise(records: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    drift = np.cumsum(rng.normal(0, 0.02, (records, 12, 5000)), axis=-1)
    return (drift + rng.normal(0, 0.1, (records, 12, 5000))).astype(np.float32)


def released_code_transform(reference) -> EcgTransform:
    """The released code's settings with every size that the stored set states."""
    config = json.loads((reference / "config.json").read_text())
    steps = {name: step for entry in config["eval_transforms"] for name, step in entry.items()}
    return EcgTransform(
        EcgTransformConfig(
            **{
                **RELEASED_CODE.model_dump(),
                "sampling_rate_hz": steps["highpass_filter"]["fs"],
                "crop_samples": steps["n_crop"]["crop_length"],
                "eval_crops": steps["n_crop"]["num_segments"],
                "high_pass_hz": steps["highpass_filter"]["cutoff"],
                "low_pass_hz": steps["lowpass_filter"]["cutoff"],
            }
        )
    )


@pytest.mark.parity
def test_released_code_settings_match_every_stored_stage(reference):
    transform = released_code_transform(reference)
    for name in json.loads((reference / "config.json").read_text())["records"]:
        stored = np.load(reference / f"{name}.npz")
        prepared = transform.prepare((stored["raw_microvolt"] / 1000.0).astype(np.float32))[None]
        np.testing.assert_allclose(prepared[0], stored["resampled"], atol=2e-6, rtol=0)
        assert transform.eval_starts.tolist() == stored["crop_starts"].tolist()
        crops = transform.eval_crops(prepared)[0]
        np.testing.assert_allclose(crops, stored["standardized"], atol=5e-5, rtol=0)
        expected = stored["train_standardized_leads0to2"]
        crop = transform.train_crops(prepared, stored["train_crop_start"][None])[0]
        np.testing.assert_allclose(crop[: len(expected)], expected, atol=5e-5, rtol=0)


@pytest.mark.parity
def test_a_flat_lead_among_others_matches_the_stored_vector(reference):
    stored = np.load(reference / "filters_and_edge_cases.npz")
    transform = released_code_transform(reference)
    given, expected = stored["flat_lead_in"], stored["flat_lead_out"]
    # Repeated leads fill the twelve without changing the mean or SD of the crop.
    repeats = 12 // len(given)
    prepared = np.zeros((1, 12, transform.config.prepared_samples), dtype=np.float32)
    prepared[0, :, : given.shape[1]] = np.tile(given, (repeats, 1))
    crop = transform.train_crops(prepared, np.zeros(1, dtype=np.int64))[0]
    np.testing.assert_allclose(crop, np.tile(expected, (repeats, 1)), atol=5e-5, rtol=0)


@pytest.mark.parity
def test_an_all_zero_crop_stays_zero_and_a_constant_one_becomes_zero(reference):
    transform = released_code_transform(reference)
    stored = np.load(reference / "filters_and_edge_cases.npz")
    shape = (1, 12, transform.config.prepared_samples)
    zeros = transform.eval_crops(np.zeros(shape, dtype=np.float32))
    assert np.abs(zeros).max() == stored["zero_out_max_abs"]
    # The stored chain blows rounding noise up to unit variance here; 0 is wanted instead.
    for level_mv in (0.3, 1.0, -7.0):
        constant = transform.eval_crops(np.full(shape, level_mv, dtype=np.float32))
        np.testing.assert_array_equal(constant, 0.0)


def test_filter_then_crop_is_resampling_two_filters_a_slice_and_one_division_per_lead():
    signal_mv = noise(3)
    sd_mv = np.linspace(0.5, 2.0, 12)
    transform = EcgTransform(TINY, sd_mv)
    resampled = resample_polyphase(signal_mv, 500, 100)
    filtered = low_pass(
        high_pass(resampled, corner_hz=0.67, sampling_rate_hz=100),
        corner_hz=40.0,
        sampling_rate_hz=100,
    )
    prepared = transform.prepare(signal_mv)
    np.testing.assert_allclose(prepared, filtered, atol=1e-6)
    starts = np.array([0, 250, 500])
    expected = np.stack([filtered[row, :, start : start + 500] for row, start in enumerate(starts)])
    np.testing.assert_allclose(
        transform.train_crops(prepared, starts), expected / sd_mv[:, None], atol=1e-5
    )


@pytest.mark.parametrize("config", EVERY_CONFIG)
def test_evaluation_crops_are_the_training_crops_at_the_fixed_starts(config):
    transform = EcgTransform(config, np.full(12, 0.5) if config.standardise == "lead-sd" else None)
    prepared = transform.prepare(noise(20))  # more than one chunk
    crops = transform.eval_crops(prepared)
    assert crops.shape == (20, 3, 12, 500)
    assert crops.dtype == np.float32
    for number, start in enumerate(fixed_crop_starts(1000, 500, 3)):
        again = transform.train_crops(prepared, np.full(20, start))
        np.testing.assert_array_equal(crops[:, number], again)


@pytest.mark.parametrize("config", EVERY_CONFIG)
def test_batches_and_single_records_are_prepared_alike(config):
    transform = EcgTransform(config)
    signal_mv = noise(18)
    together = transform.prepare(signal_mv)
    np.testing.assert_array_equal(transform.prepare(signal_mv[17]), together[17])
    np.testing.assert_array_equal(
        transform.prepare(signal_mv.reshape(2, 9, 12, 5000)).ravel(), together.ravel()
    )


def test_crops_leave_the_cached_signal_as_it_is():
    transform = EcgTransform(TINY, np.full(12, 2.0))
    prepared = transform.prepare(noise(2))
    before = prepared.copy()
    transform.train_crops(prepared, np.zeros(2, dtype=np.int64))
    transform.eval_crops(prepared)
    np.testing.assert_array_equal(prepared, before)


@pytest.mark.parametrize("config", EVERY_CONFIG)
def test_missing_leads_become_zero_and_gaps_spoil_nothing_else(config):
    transform = EcgTransform(config, np.full(12, 0.5) if config.standardise == "lead-sd" else None)
    whole = noise(1)
    broken = whole.copy()
    broken[0, 4] = np.nan
    broken[0, 0, 2000:2050] = np.nan
    prepared, clean = transform.prepare(broken), transform.prepare(whole)
    assert np.isfinite(prepared).all()
    np.testing.assert_array_equal(prepared[0, 4], 0.0)
    if config.filter_order == "filter-then-crop":
        np.testing.assert_array_equal(prepared[0, 0, 400:410], 0.0)
    np.testing.assert_array_equal(prepared[0, 1:4], clean[0, 1:4])
    far = np.abs(np.arange(1000) - 405) > 300
    np.testing.assert_allclose(prepared[0, 0, far], clean[0, 0, far], atol=0.05)


def test_a_padded_record_does_not_ring_at_its_end():
    transform = EcgTransform(TINY, np.ones(12))
    padded = noise(1) + np.float32(5.0)
    padded[..., 4000:] = np.nan
    prepared = transform.prepare(padded)
    np.testing.assert_array_equal(prepared[..., 800:], 0.0)
    assert np.abs(prepared).max() < 3.0


def test_a_record_is_brought_into_canonical_form_before_it_is_prepared(twelve_leads: EcgRecord):
    transform = EcgTransform(TINY)
    backwards = replace(
        twelve_leads, signal_mv=twelve_leads.signal_mv[::-1], leads=twelve_leads.leads[::-1]
    )
    prepared, lead_mask = transform.prepare_record(backwards)
    np.testing.assert_array_equal(prepared, transform.prepare(twelve_leads.signal_mv))
    assert lead_mask.all()


def test_an_assumed_source_rate_overrules_the_record(twelve_leads: EcgRecord):
    transform = EcgTransform(RELEASED_CODE)
    mislabelled = replace(twelve_leads, sampling_rate_hz=1000.0)
    prepared, _ = transform.prepare_record(mislabelled)
    np.testing.assert_array_equal(prepared, transform.prepare(twelve_leads.signal_mv))


def test_a_record_of_three_leads_is_prepared_with_nine_masked(twelve_leads: EcgRecord):
    three = replace(
        twelve_leads,
        signal_mv=twelve_leads.signal_mv[[1, 6, 10]],
        leads=("II", "V1", "V5"),
        lsb_mv=None,
    )
    prepared, lead_mask = EcgTransform(TINY).prepare_record(three)
    assert np.flatnonzero(lead_mask).tolist() == [1, 6, 10]
    np.testing.assert_array_equal(prepared[~lead_mask], 0.0)
    with pytest.raises(LeadError):
        EcgTransform(TINY).prepare_record(replace(three, leads=("X", "Y", "Z")))


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


@pytest.mark.parametrize("method", ["train_crops", "eval_crops"])
def test_an_unfitted_transform_refuses_to_standardise(method):
    prepared = np.zeros((1, 12, 1000), dtype=np.float32)
    arguments = (np.zeros(1, dtype=np.int64),) if method == "train_crops" else ()
    with pytest.raises(WeightsError, match="has not been fitted"):
        getattr(EcgTransform(TINY), method)(prepared, *arguments)


def test_shapes_and_starts_that_do_not_fit_are_refused():
    transform = EcgTransform(TINY, np.ones(12))
    prepared = np.zeros((2, 12, 1000), dtype=np.float32)
    with pytest.raises(EcgError, match="canonicalise"):
        transform.prepare(np.zeros((8, 5000)))
    with pytest.raises(EcgError, match="needed \\(batch, 12, 1000\\)"):
        transform.eval_crops(prepared[:, :, :900])
    with pytest.raises(EcgError, match="1 crop starts for 2"):
        transform.train_crops(prepared, np.array([0]))
    for starts in ([0, 501], [-1, 0]):
        with pytest.raises(EcgError, match="needed 0 to 500"):
            transform.train_crops(prepared, np.array(starts))


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


def test_the_training_path_yields_the_same_crops_for_a_record_in_any_batch():
    transform = EcgTransform(TINY, np.ones(12))
    prepared = transform.prepare(noise(6))
    order = np.array([5, 2, 0])
    starts = random_crop_starts(np.arange(6), seed=0, epoch=3, length=1000, crop=500)
    np.testing.assert_array_equal(
        transform.train_crops(prepared[order], starts[order]),
        transform.train_crops(prepared, starts)[order],
    )
