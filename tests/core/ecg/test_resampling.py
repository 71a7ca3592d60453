from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cardionets_core.ecg.record import EcgRecord
from cardionets_core.ecg.resampling import canonicalise, resample_fourier, resample_polyphase
from cardionets_core.errors import EcgError, SamplingRateError

RESAMPLERS = [resample_polyphase, resample_fourier]


def slow_wave(rate_hz: float, seconds: float = 10.0) -> np.ndarray:
    """3 and 8 Hz at two amplitudes, with an offset; periodic in 10 s."""
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    wave = np.sin(2 * np.pi * 3 * time_s) + 0.3 * np.cos(2 * np.pi * 8 * time_s)
    return np.stack([wave + 0.5, -0.2 * wave]).astype(np.float32)


@pytest.mark.parametrize("resample", RESAMPLERS)
@pytest.mark.parametrize("from_hz", [100, 240, 257, 360, 1000])
def test_resampling_keeps_a_slow_wave_in_shape_and_in_phase(resample, from_hz: int):
    resampled = resample(slow_wave(from_hz), from_hz, 500)
    assert resampled.dtype == np.float32
    assert resampled.shape == (2, 5000)
    np.testing.assert_allclose(
        resampled[:, 100:-100], slow_wave(500)[:, 100:-100], atol=5e-3, rtol=0
    )


def test_an_offset_makes_no_step_at_the_edges_of_a_polyphase_resampled_signal():
    level = np.full((1, 5000), 3.0, dtype=np.float32)
    np.testing.assert_allclose(resample_polyphase(level, 500, 100), 3.0, atol=1e-5)


@pytest.mark.parametrize("resample", RESAMPLERS)
@pytest.mark.parametrize("to_hz", [100, 250, 1000])
def test_gaps_survive_as_gaps_and_spoil_nothing_else(resample, to_hz: int):
    whole = slow_wave(500)
    broken = whole.copy()
    broken[0, 2000:2010] = np.nan
    broken[1] = np.nan
    resampled = resample(broken, 500, to_hz)
    gap = np.flatnonzero(np.isnan(resampled[0]))
    assert gap.min() / to_hz == pytest.approx(2000 / 500, abs=1.5 / min(to_hz, 500))
    assert gap.max() / to_hz == pytest.approx(2009 / 500, abs=1.5 / min(to_hz, 500))
    np.testing.assert_array_equal(gap, np.arange(gap.min(), gap.max() + 1))
    assert np.isnan(resampled[1]).all()
    away = np.abs(np.arange(resampled.shape[1]) / to_hz - 4.01) > 0.1
    np.testing.assert_allclose(
        resampled[0, away], resample(whole, 500, to_hz)[0, away], atol=2e-3, rtol=0
    )


@pytest.mark.parametrize("resample", RESAMPLERS)
@pytest.mark.parametrize("position", range(2000, 2010))
def test_a_single_missing_sample_is_never_lost_by_downsampling(resample, position: int):
    broken = slow_wave(500)
    broken[0, position] = np.nan
    assert np.isnan(resample(broken, 500, 100)[0]).any()


@pytest.mark.parametrize("resample", RESAMPLERS)
@pytest.mark.parametrize("rate_hz", [0.0, -500.0, float("nan"), float("inf")])
def test_impossible_rates_are_refused(resample, rate_hz: float):
    with pytest.raises(SamplingRateError, match="positive number"):
        resample(slow_wave(500), rate_hz, 250)
    with pytest.raises(SamplingRateError, match="positive number"):
        resample(slow_wave(500), 500, rate_hz)


@pytest.mark.parametrize("resample", RESAMPLERS)
def test_a_signal_too_short_to_resample_is_refused(resample):
    with pytest.raises(EcgError, match="too few"):
        resample(np.ones((2, 1), dtype=np.float32), 500, 250)


def test_records_of_500_hz_and_10_s_come_back_exactly(twelve_leads: EcgRecord):
    canonical = canonicalise(twelve_leads)
    np.testing.assert_array_equal(canonical.signal_mv, twelve_leads.signal_mv)
    np.testing.assert_array_equal(canonical.lsb_mv, twelve_leads.lsb_mv)
    assert canonical.adjusted == ()


def test_longer_records_are_cut_to_their_first_10_s(twelve_leads: EcgRecord):
    twice = np.concatenate([twelve_leads.signal_mv, twelve_leads.signal_mv + 1], axis=1)
    canonical = canonicalise(replace(twelve_leads, signal_mv=twice))
    np.testing.assert_array_equal(canonical.signal_mv, twelve_leads.signal_mv)
    assert canonical.adjusted == ("cut",)


def test_shorter_records_are_padded_with_nan_and_flagged(twelve_leads: EcgRecord):
    canonical = canonicalise(replace(twelve_leads, signal_mv=twelve_leads.signal_mv[:, :4000]))
    np.testing.assert_array_equal(canonical.signal_mv[:, :4000], twelve_leads.signal_mv[:, :4000])
    assert np.isnan(canonical.signal_mv[:, 4000:]).all()
    assert canonical.adjusted == ("padded",)
    assert canonical.lead_mask.all()


def test_other_rates_are_resampled_and_lose_their_step(twelve_leads: EcgRecord):
    source = replace(
        twelve_leads,
        signal_mv=np.repeat(twelve_leads.signal_mv, 3, axis=1),
        sampling_rate_hz=1000.0,
    )
    canonical = canonicalise(source)
    assert canonical.signal_mv.shape == (12, 5000)
    assert canonical.sampling_rate_hz == 500.0
    assert canonical.adjusted == ("resampled", "cut")
    assert np.isnan(canonical.lsb_mv).all()


def test_a_lead_that_only_lives_after_10_s_counts_as_missing(twelve_leads: EcgRecord):
    late = np.concatenate([twelve_leads.signal_mv, twelve_leads.signal_mv], axis=1)
    late[9, :5000] = np.nan
    assert not canonicalise(replace(twelve_leads, signal_mv=late)).lead_mask[9]


@pytest.mark.parametrize("rate_hz", [0.0, float("nan"), -1.0, 0.5, 1e6])
def test_records_of_impossible_rate_are_refused(twelve_leads: EcgRecord, rate_hz: float):
    with pytest.raises(SamplingRateError, match="needed"):
        canonicalise(replace(twelve_leads, sampling_rate_hz=rate_hz))


def test_a_record_without_samples_is_refused(twelve_leads: EcgRecord):
    with pytest.raises(EcgError, match="no finite sample"):
        canonicalise(replace(twelve_leads, signal_mv=twelve_leads.signal_mv[:, :0]))


@pytest.mark.parity("preprocessing")
def test_fourier_resampling_matches_the_stored_vector(reference):
    stored = np.load(reference / "filters_and_edge_cases.npz")
    expected = stored["resample_out"]
    samples = stored["resample_in"].shape[1]
    from_hz = float(stored["resample_fs_in"])
    to_hz = expected.shape[1] * from_hz / samples
    resampled = resample_fourier(stored["resample_in"], from_hz, to_hz)
    np.testing.assert_allclose(resampled, expected, atol=2e-6, rtol=0)
