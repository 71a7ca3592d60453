from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from cardionets_core.ecg.crops import fixed_crop_starts, random_crop_starts
from cardionets_core.ecg.filters import high_pass, low_pass
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.ecg.resampling import resample_polyphase
from cardionets_core.ecg.transform import EcgTransform
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


@pytest.mark.parity("preprocessing")
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


@pytest.mark.parity("preprocessing")
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


@pytest.mark.parity("preprocessing")
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


def test_the_training_path_yields_the_same_crops_for_a_record_in_any_batch():
    transform = EcgTransform(TINY, np.ones(12))
    prepared = transform.prepare(noise(6))
    order = np.array([5, 2, 0])
    starts = random_crop_starts(np.arange(6), seed=0, epoch=3, length=1000, crop=500)
    np.testing.assert_array_equal(
        transform.train_crops(prepared[order], starts[order]),
        transform.train_crops(prepared, starts)[order],
    )
