from __future__ import annotations

import json

import numpy as np
import pytest

from cardionets_core.ecg.filters import butterworth_sos, high_pass, low_pass
from cardionets_core.errors import EcgError, SamplingRateError


def filter_settings(reference) -> dict[str, tuple[float, float]]:
    """Corner and rate of each stored filter."""
    config = json.loads((reference / "config.json").read_text())
    steps = {name: step for entry in config["eval_transforms"] for name, step in entry.items()}
    return {
        kind: (steps[f"{kind}_filter"]["cutoff"], steps[f"{kind}_filter"]["fs"])
        for kind in ("highpass", "lowpass")
    }


@pytest.mark.parity("preprocessing")
@pytest.mark.parametrize("kind", ["highpass", "lowpass"])
def test_filter_design_matches_the_stored_sections(reference, kind):
    stored = np.load(reference / "filters_and_edge_cases.npz")[f"sos_{kind}"]
    corner_hz, rate_hz = filter_settings(reference)[kind]
    np.testing.assert_allclose(butterworth_sos(kind, corner_hz, rate_hz, 5), stored, rtol=1e-10)


@pytest.mark.parity("preprocessing")
def test_filtered_crops_match_the_stored_vectors(reference):
    settings = filter_settings(reference)
    for name in json.loads((reference / "config.json").read_text())["records"]:
        stored = np.load(reference / f"{name}.npz")
        expected = stored["highpass_crop0_leads0to5"]
        leads, samples = expected.shape
        start = stored["crop_starts"][0]
        crop = stored["resampled"][:leads, start : start + samples]
        corner_hz, rate_hz = settings["highpass"]
        high = high_pass(crop, corner_hz=corner_hz, sampling_rate_hz=rate_hz)
        np.testing.assert_allclose(high, expected, atol=1e-5, rtol=0)
        corner_hz, rate_hz = settings["lowpass"]
        low = low_pass(high, corner_hz=corner_hz, sampling_rate_hz=rate_hz)
        np.testing.assert_allclose(low, stored["lowpass_crop0_leads0to5"], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("pass_filter", "corner_hz"), [(high_pass, 10.0), (low_pass, 10.0)])
def test_forward_and_backward_halve_the_amplitude_at_the_corner_without_shift(
    pass_filter, corner_hz
):
    wave = np.sin(2 * np.pi * corner_hz * np.arange(5000) / 250)
    middle = slice(2000, 3000)
    filtered = pass_filter(wave, corner_hz=corner_hz, sampling_rate_hz=250)
    np.testing.assert_allclose(filtered[middle], wave[middle] / 2, atol=2e-3)


def test_a_corner_beyond_half_the_rate_is_refused():
    with pytest.raises(SamplingRateError, match="between 0 and 50"):
        low_pass(np.zeros(500), corner_hz=50, sampling_rate_hz=100)


def test_a_signal_too_short_for_the_filter_is_refused():
    with pytest.raises(EcgError, match="too few"):
        low_pass(np.zeros(18), corner_hz=40, sampling_rate_hz=250)
    assert low_pass(np.zeros(19), corner_hz=40, sampling_rate_hz=250).shape == (19,)
