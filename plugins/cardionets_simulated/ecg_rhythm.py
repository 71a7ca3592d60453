"""When the heart beats during the recording, and how each beat differs from the mean one."""

from dataclasses import dataclass
from math import exp, pi, sin

import numpy as np

from cardionets_simulated.ecg_parameters import EcgParameters
from cardionets_simulated.streams import Array

DURATION_S = 10.0
# Enough for 10 s at 115/min in atrial fibrillation, with room on both sides.
_MAX_BEATS = 48
_MIN_RR_S = 0.35
# A beat further from the recording than this leaves no trace in it.
_MARGIN_S = 0.62


@dataclass(frozen=True, eq=False)
class Rhythm:
    """The beats that touch the recording.

    Attributes:
        r_times_s: R instants from the start of the recording, (beats,).
        previous_rr_s: RR interval before each, (beats,).
        amplitudes: Relative amplitude of each wave, (beats, 16): 2 P, 12 QRS, ST, T.
        respiration_hz: Breathing rate.
    """

    r_times_s: Array
    previous_rr_s: Array
    amplitudes: Array
    respiration_hz: float


# The most waves that a beat can have: RBBB and an infarct together need 11 in the QRS.
N_P, N_QRS = 2, 12
ST_COLUMN, T_COLUMN = N_P + N_QRS, N_P + N_QRS + 1


def make_rhythm(rng: np.random.Generator, ecg: EcgParameters, af: bool) -> Rhythm:
    """Draw the beats; always the same number of draws."""
    uniforms = rng.random(4)
    rr_normals = rng.standard_normal(_MAX_BEATS)
    beat_normals = rng.standard_normal((_MAX_BEATS, 1))
    wave_normals = rng.standard_normal((_MAX_BEATS, N_P + N_QRS + 2))
    respiration_hz = 0.20 + 0.08 * float(uniforms[0])
    phase = 2.0 * pi * float(uniforms[1])
    mean_rr_s = 60.0 / float(ecg.heart_rate_bpm)
    first_s = -(1.5 + float(uniforms[2])) * mean_rr_s
    times, intervals = [first_s], [mean_rr_s]
    for z in rr_normals[1:]:
        breath = sin(2.0 * pi * respiration_hz * times[-1] + phase)
        sinus = 1.0 + float(ecg.rr_modulation) * breath + 0.008 * float(z)
        intervals.append(max(mean_rr_s * (exp(0.2 * float(z)) if af else sinus), _MIN_RR_S))
        times.append(times[-1] + intervals[-1])
    r_times_s, previous_rr_s = np.array(times), np.array(intervals)
    breath_depth = 0.035 * uniforms[3]
    breathing = 1.0 + breath_depth * np.sin(2.0 * pi * respiration_hz * r_times_s + phase)
    wave_sd = np.full(N_P + N_QRS + 2, 0.04)
    wave_sd[T_COLUMN] = 0.05
    amplitudes = (1.0 + 0.03 * beat_normals) * breathing[:, None] * (1.0 + wave_sd * wave_normals)
    seen = (r_times_s > -_MARGIN_S) & (r_times_s < DURATION_S + _MARGIN_S)
    return Rhythm(r_times_s[seen], previous_rr_s[seen], amplitudes[seen], respiration_hz)
