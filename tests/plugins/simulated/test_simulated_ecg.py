import neurokit2
import numpy as np
import pytest

from cardionets_simulated.ecg import LEADS, SAMPLING_RATE_HZ
from cardionets_simulated.ecg_waves import rotation
from cardionets_simulated.subject import SubjectBatch


@pytest.fixture(scope="module")
def ecgs():
    # 97.7 % of subjects pass the rate check: with 60 of them, 95 % would fail by chance too often.
    batch = SubjectBatch(107, range(250))
    return batch, [batch.ecg(position) for position in range(len(batch))]


def lead(signal_mv, name):
    return signal_mv[LEADS.index(name)]


def r_peaks(signal_mv):
    clean = neurokit2.ecg_clean(lead(signal_mv, "II").astype(float), SAMPLING_RATE_HZ)
    _, found = neurokit2.ecg_peaks(clean, SAMPLING_RATE_HZ)
    return np.asarray(found["ECG_R_Peaks"])


def test_an_ecg_has_twelve_leads_of_ten_seconds_in_millivolts(ecgs):
    for ecg in ecgs[1]:
        assert ecg.signal_mv.shape == (12, 5000)
        assert ecg.signal_mv.dtype == np.float32
        assert 0.2 < np.abs(ecg.signal_mv).max() < 5.0


def test_limb_leads_obey_einthoven_and_goldberger_with_noise(ecgs):
    for ecg in ecgs[1]:
        i, ii, iii, avr, avl, avf = ecg.signal_mv[:6].astype(np.float64)
        for residual in (i + iii - ii, avr + (i + ii) / 2, avl - (i - ii / 2), avf - (ii - i / 2)):
            assert np.abs(residual).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("qrs_ms", 77, 136),
        ("pr_ms", 123, 192),
        ("qtc_ms", 391, 445),
        ("p_ms", 85, 126),
    ],
)
def test_intervals_span_those_of_uk_biobank(ukb, name, low, high):
    found = np.percentile(getattr(ukb.ecg_parameters, name), [1, 99])
    np.testing.assert_allclose(found, [low, high], rtol=0.05)


def test_axes_span_those_of_uk_biobank(ukb):
    found = np.percentile(ukb.ecg_parameters.axis_degrees, [1, 99])
    # 5 % of the upper end for both: the lower end is next to zero.
    np.testing.assert_allclose(found, [1, 81], atol=4)


def test_r_peaks_count_the_beats(ecgs):
    off = [abs(len(r_peaks(ecg.signal_mv)) - len(ecg.r_times_s)) for ecg in ecgs[1]]
    assert np.mean(np.array(off) <= 1) >= 0.95


def test_median_rate_of_r_peaks_is_the_heart_rate_without_fibrillation(ecgs):
    batch, recorded = ecgs
    heart = batch.latents.heart
    off = []
    for position in np.flatnonzero(heart.af == 0):
        interval_s = np.median(np.diff(r_peaks(recorded[position].signal_mv))) / SAMPLING_RATE_HZ
        off.append(abs(60 / interval_s - heart.heart_rate_bpm[position]))
    assert np.mean(np.array(off) < 2) >= 0.95


def qrs_and_t(ecg):
    """Mean over the beats of the largest and smallest QRS value and of T per lead, mV, (3, 12)."""
    beats = []
    for r_s in ecg.r_times_s[(ecg.r_times_s > 0.2) & (ecg.r_times_s < 9.5)]:
        r = round(r_s * SAMPLING_RATE_HZ)
        qrs, t = ecg.signal_mv[:, r - 35 : r + 40], ecg.signal_mv[:, r + 90 : r + 210]
        peak = np.take_along_axis(t, np.abs(t).argmax(axis=1)[:, None], axis=1)[:, 0]
        beats.append([qrs.max(axis=1), qrs.min(axis=1), peak])
    return np.mean(beats, axis=0)


def clean_waves(batch, positions):
    return np.array([qrs_and_t(batch.ecg(int(p), clean=True)) for p in positions])


def test_normal_amplitudes_are_those_of_the_design(ukb):
    normal = (ukb.latents.disease.any == 0) & (ukb.latents.heart.af == 0)
    waves = clean_waves(ukb, np.flatnonzero(normal)[:400])
    largest, smallest, t = (
        dict(zip(LEADS, part.T, strict=True)) for part in waves.mean(axis=0)[:, None]
    )
    for name, expected in (("I", 0.44), ("II", 1.04), ("V1", 0.29), ("V5", 1.13)):
        assert largest[name] == pytest.approx(expected, rel=0.15)
    assert smallest["V1"] == pytest.approx(-0.90, rel=0.15)
    assert t["V1"] == pytest.approx(0.03, abs=0.02)
    sokolow_mv = waves[:, 0, LEADS.index("V5")] - waves[:, 1, LEADS.index("V1")]
    assert sokolow_mv.mean() == pytest.approx(2.0, rel=0.1)
    assert sokolow_mv.std() == pytest.approx(0.5, rel=0.25)


def test_the_frontal_axis_can_be_measured(ukb):
    # The population's correlation is 0.906: many subjects, so that chance does not decide.
    n = 1500
    waves = clean_waves(ukb, range(n))
    net = waves[:, 0] + waves[:, 1]
    angle = np.degrees(np.arctan2(net[:, LEADS.index("aVF")], net[:, LEADS.index("I")]))
    axis = ukb.ecg_parameters.axis_degrees[:n]
    # Angles are circular: -170 degrees lies 20 degrees from 170.
    found = axis + (angle - axis + 180) % 360 - 180
    assert np.corrcoef(found, axis)[0, 1] > 0.9
    assert found.mean() == pytest.approx(53, abs=3)


def mean_lead_extremes(batch, chosen, name, count=40):
    waves = clean_waves(batch, np.flatnonzero(chosen)[:count])
    return waves[:, :, LEADS.index(name)].mean(axis=0)


def test_hypertrophy_raises_voltage_and_inverts_lateral_t(enriched):
    d, heart = enriched.latents.disease, enriched.latents.heart
    severe = (d.hcm > 0.7) & (heart.lbbb == 0) & (heart.rbbb == 0)
    tall, _, t = mean_lead_extremes(enriched, severe, "V5")
    normal, _, normal_t = mean_lead_extremes(enriched, d.any == 0, "V5")
    assert tall > 1.2 * normal
    assert t < 0 < normal_t


def test_pulmonary_hypertension_turns_the_axis_and_raises_r_in_v1(enriched):
    d = enriched.latents.disease
    severe = d.ph > 0.7
    r, s, t = mean_lead_extremes(enriched, severe, "V1")
    assert r > 2 * mean_lead_extremes(enriched, d.any == 0, "V1")[0]
    assert r > -s
    assert t < -0.1
    largest, smallest, _ = mean_lead_extremes(enriched, severe, "I")
    assert largest + smallest < 0


def test_an_anterior_infarct_loses_r_in_v2(enriched):
    d, heart = enriched.latents.disease, enriched.latents.heart
    no_block = (heart.lbbb == 0) & (heart.rbbb == 0)
    large = (d.infarct > 0.7) & (d.lad > 0) & no_block
    assert (
        mean_lead_extremes(enriched, large, "V2")[0]
        < 0.3 * mean_lead_extremes(enriched, d.any == 0, "V2")[0]
    )


def test_restrictive_hearts_have_low_voltage(enriched):
    d = enriched.latents.disease
    low, _, _ = mean_lead_extremes(
        enriched, (d.rcm > 0.7) & (enriched.latents.heart.lbbb == 0), "V5"
    )
    assert low < 0.7 * mean_lead_extremes(enriched, d.any == 0, "V5")[0]


def test_fibrillation_has_no_p_and_irregular_beats(enriched):
    heart = enriched.latents.heart
    ecg = enriched.ecg_parameters
    assert not np.any(ecg.p_left_mv[heart.af > 0])
    assert np.all(ecg.p_left_mv[heart.af == 0] > 0)
    spread = {}
    for af in (0.0, 1.0):
        positions = np.flatnonzero(heart.af == af)[:30]
        intervals = [np.diff(enriched.ecg(int(p)).r_times_s) for p in positions]
        spread[af] = np.median([rr.std() / rr.mean() for rr in intervals])
    assert spread[1.0] > 0.1 > 2 * spread[0.0]


@pytest.mark.parametrize(
    ("angles", "start", "end"),
    [((90, 0, 0), 0, 1), ((0, 90, 0), 0, 2), ((0, 0, 90), 1, 2)],
)
def test_positive_angles_turn_x_to_y_x_to_z_and_y_to_z(angles, start, end):
    axes = np.eye(3)
    np.testing.assert_allclose(rotation(*angles) @ axes[start], axes[end], atol=1e-12)


def test_widest_qrs_with_block_and_infarct_is_drawn(enriched):
    d, heart = enriched.latents.disease, enriched.latents.heart
    both = np.flatnonzero((heart.rbbb > 0) & (d.infarct > 0))
    assert np.isfinite(enriched.ecg(int(both[0])).signal_mv).all()


@pytest.mark.slow
def test_r_peaks_of_a_thousand_ecgs_count_the_beats():
    batch = SubjectBatch(108, range(1000))
    off = []
    for position in range(len(batch)):
        ecg = batch.ecg(position)
        off.append(abs(len(r_peaks(ecg.signal_mv)) - len(ecg.r_times_s)))
    assert np.mean(np.array(off) <= 1) >= 0.95
