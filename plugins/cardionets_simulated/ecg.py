"""A 12-lead ECG: a heart vector (Frank's axes), a lead matrix, noise.

Sources: lead matrix Dower et al. 1980; limb lead identities Einthoven 1913, Goldberger 1942; the
waves are the cohort's own definition.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardionets_simulated.disease import Disease
from cardionets_simulated.ecg_parameters import EcgParameters
from cardionets_simulated.ecg_rhythm import (
    DURATION_S,
    N_P,
    N_QRS,
    ST_COLUMN,
    T_COLUMN,
    Rhythm,
    make_rhythm,
)
from cardionets_simulated.ecg_waves import Waves, make_waves
from cardionets_simulated.heart import Heart
from cardionets_simulated.streams import Array, Stream, generator

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
SAMPLING_RATE_HZ = 500
N_SAMPLES = int(DURATION_S * SAMPLING_RATE_HZ)
_SAMPLE_MS = 1000.0 / SAMPLING_RATE_HZ
# Beats may reach over both ends by this much.
_PAD = 800

# Rows I, II, V1-V6; columns x, y, z.
_DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
# Fibrillation waves point down and forward: largest in II and V1, as in patients.
_F_WAVE_DIRECTION = np.array([0.30, 0.70, -0.65])
_REACH = 4.0  # Gaussians are cut this many SDs from their peak


@dataclass(frozen=True, eq=False)
class SimulatedEcg:
    """One ECG.

    Attributes:
        signal_mv: (12, 5000) float32 at 500 Hz, leads in the order of LEADS.
        r_times_s: R instants within the recording, (beats,).
    """

    signal_mv: NDArray[np.float32]
    r_times_s: Array


def simulate_ecg(
    seed: int,
    index: int,
    parameters: EcgParameters,
    *,
    heart: Heart,
    disease: Disease,
    clean: bool = False,
) -> SimulatedEcg:
    """The ECG of one subject.

    Args:
        seed: The cohort's seed.
        index: The subject's index.
        parameters: Its ECG parameters, scalars.
        heart: Its heart, scalars.
        disease: Its diseases, scalars.
        clean: Leave out noise, baseline wander and mains.
    """
    rng = generator(seed, index, Stream.ECG)
    af = bool(heart.af)
    rhythm = make_rhythm(rng, parameters, af)
    waves = make_waves(parameters, heart, disease)
    vector_mv = _heart_vector(waves, rhythm, parameters) + af * _fibrillation(rng)
    lead_matrix = _lead_matrix(rng)
    # einsum rather than BLAS: its sums do not depend on the number of threads.
    leads_mv = np.einsum("lc,cs->ls", lead_matrix, vector_mv).astype(np.float32)
    if not clean:
        leads_mv += _noise(rng, rhythm.respiration_hz)
    inside = (rhythm.r_times_s >= 0) & (rhythm.r_times_s < DURATION_S)
    return SimulatedEcg(twelve_leads(leads_mv), rhythm.r_times_s[inside])


def twelve_leads(eight_mv: NDArray[np.float32]) -> NDArray[np.float32]:
    """Derive III, aVR, aVL and aVF.

    Args:
        eight_mv: Leads I, II, V1..V6, noise included, (8, samples).

    Returns:
        Twelve leads in the order of LEADS, (12, samples). As the noise is in I and II before the
        others are derived, Einthoven's law holds in the noise too.
    """
    i, ii = eight_mv[0], eight_mv[1]
    derived = [ii - i, -(i + ii) / 2, i - ii / 2, ii - i / 2]
    return np.stack([i, ii, *derived, *eight_mv[2:]])


def _heart_vector(waves: Waves, rhythm: Rhythm, ecg: EcgParameters) -> Array:
    """Sum of all beats, (3, 5000) in mV."""
    padded = np.zeros((3, N_SAMPLES + 2 * _PAD))
    if ecg.p_left_mv > 0:
        _add_gaussians(padded, rhythm, waves.p, rhythm.amplitudes[:, :N_P])
    n_qrs = len(waves.qrs)
    _add_gaussians(padded, rhythm, waves.qrs, rhythm.amplitudes[:, N_P : N_P + N_QRS][:, :n_qrs])
    _add_st_t(padded, rhythm, waves, ecg)
    return padded[:, _PAD:-_PAD]


def _windows(rhythm: Rhythm, first_ms: float, last_ms: float) -> tuple[NDArray[np.int64], Array]:
    """Start sample of a window in each beat, (beats,), and time from R in ms, (beats, samples)."""
    r_ms = rhythm.r_times_s * 1000.0
    starts = np.floor((r_ms + first_ms) / _SAMPLE_MS).astype(np.int64)
    n = int((last_ms - first_ms) / _SAMPLE_MS) + 2
    # Measured from the true R instant: beats keep their timing between samples.
    tau_ms = (starts[:, None] + np.arange(n)) * _SAMPLE_MS - r_ms[:, None]
    return starts, tau_ms


def _add(padded: Array, starts: NDArray[np.int64], beats_mv: Array) -> None:
    """Add beats_mv, (beats, 3, samples), at their start samples."""
    n = beats_mv.shape[2]
    for start, beat_mv in zip(starts + _PAD, beats_mv, strict=True):
        padded[:, start : start + n] += beat_mv


def _add_gaussians(padded: Array, rhythm: Rhythm, waves: Array, amplitudes: Array) -> None:
    """Add Gaussian waves (rows of time, width, vector) to every beat."""
    times_ms, widths_ms = waves[:, 0], waves[:, 1]
    first_ms = float((times_ms - _REACH * widths_ms).min())
    last_ms = float((times_ms + _REACH * widths_ms).max())
    starts, tau_ms = _windows(rhythm, first_ms, last_ms)
    scaled = (tau_ms[:, None, :] - times_ms[:, None]) / widths_ms[:, None]
    shapes = np.exp(-0.5 * scaled * scaled)
    vectors_mv = amplitudes[:, :, None] * waves[:, 2:]
    _add(padded, starts, np.einsum("bwc,bws->bcs", vectors_mv, shapes))


def _add_st_t(padded: Array, rhythm: Rhythm, waves: Waves, ecg: EcgParameters) -> None:
    """Add the ST plateau and the T wave to every beat."""
    mean_rr_s = 60.0 / float(ecg.heart_rate_bpm)
    rr_s = 0.75 * mean_rr_s + 0.25 * rhythm.previous_rr_s
    qt_ms = float(ecg.qtc_ms) * np.cbrt(rr_s)
    stretch = qt_ms / 415.0
    j_ms = waves.half_qrs_ms
    peak_ms = (-j_ms + qt_ms - 82.0 * stretch)[:, None]
    before_ms = (52.0 * (1.0 + 0.15 * np.tanh(float(ecg.t_skew))) * stretch)[:, None]
    after_ms = (36.0 * stretch)[:, None]
    starts, tau_ms = _windows(rhythm, j_ms - 40.0, float((peak_ms + _REACH * after_ms).max()))
    from_peak = tau_ms - peak_ms
    scaled = from_peak / np.where(from_peak < 0, before_ms, after_ms)
    t_shape = np.exp(-0.5 * scaled * scaled) * rhythm.amplitudes[:, T_COLUMN, None]
    rise = 1.0 + np.exp(-(tau_ms - j_ms) / 6.0)
    fall = 1.0 + np.exp((from_peak + 30.0) / 20.0)
    st_shape = rhythm.amplitudes[:, ST_COLUMN, None] / (rise * fall)
    beats_mv = (
        t_shape[:, None, :] * waves.t_vector_mv[:, None]
        + st_shape[:, None, :] * waves.st_vector_mv[:, None]
    )
    _add(padded, starts, beats_mv)


def _fibrillation(rng: np.random.Generator) -> Array:
    """Fibrillation waves, (3, 5000) in mV; drawn for everyone, so that the stream stays aligned."""
    u = rng.random(4)
    time_s = np.arange(N_SAMPLES) / SAMPLING_RATE_HZ
    # A slowly wandering rate: a pure tone would look like flutter.
    wander = 1.2 * np.sin(2.0 * np.pi * ((0.2 + 0.3 * u[2]) * time_s + u[3]))
    tone = np.sin(2.0 * np.pi * ((4.5 + 2.5 * u[0]) * time_s) + wander)
    return (0.04 + 0.04 * u[1]) * _F_WAVE_DIRECTION[:, None] * tone


def _lead_matrix(rng: np.random.Generator) -> Array:
    """Dower's matrix for this torso and these electrode positions, (8, 3)."""
    torso = np.exp(0.06 * rng.standard_normal((8, 1)))
    position = 0.07 * rng.standard_normal((8, 3))
    position[:2] = 0.0
    return _DOWER * torso + position


def _noise(rng: np.random.Generator, respiration_hz: float) -> NDArray[np.float32]:
    """Baseline wander, mains and white noise of I, II, V1..V6, (8, 5000) in mV."""
    level = rng.standard_normal(3)
    u = rng.random(2)
    coefficients = rng.standard_normal((8, 6)) * (0.035 * np.exp(0.5 * level[1]) / np.sqrt(3.0))
    mains_phase = 2.0 * np.pi * rng.random((8, 1))
    rates_hz = np.array([respiration_hz, 0.05 + 0.10 * u[0], 0.3 + 0.2 * u[1]])
    angle = 2.0 * np.pi * rates_hz[:, None] * (np.arange(N_SAMPLES) / SAMPLING_RATE_HZ)
    basis = np.concatenate([np.sin(angle), np.cos(angle)])
    wander = np.einsum("lk,ks->ls", coefficients, basis)
    period = SAMPLING_RATE_HZ // 50
    mains_mv = 0.003 * np.exp(0.7 * level[2])
    mains = mains_mv * np.sin(2.0 * np.pi * np.arange(period) / period + mains_phase)
    white = rng.standard_normal((8, N_SAMPLES), dtype=np.float32)
    white *= np.float32(0.010 * np.exp(0.45 * level[0]))
    white += wander.astype(np.float32)
    return white + np.tile(mains, N_SAMPLES // period).astype(np.float32)
