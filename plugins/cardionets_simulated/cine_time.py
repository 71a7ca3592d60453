"""How far the heart has contracted in each frame of the cine."""

from dataclasses import dataclass
from math import exp

import numpy as np

from cardionets_simulated.body import Body
from cardionets_simulated.heart import Heart
from cardionets_simulated.streams import NORMALS, Array

N_FRAMES = 50
# Frames of the reduced cine that small models are trained on.
TEN_FRAMES = tuple(range(2, N_FRAMES, 5))


@dataclass(frozen=True)
class Cycle:
    """One heart beat as a function of phase.

    Attributes:
        systolic_fraction: Share of the cycle until end systole.
        early_filling: Share of filling before atrial contraction.
    """

    systolic_fraction: float
    early_filling: float

    def contraction(self, phase: Array) -> Array:
        """Contraction, 0 at end diastole to 1 at end systole, at phases of the cycle."""
        phase = phase % 1.0
        fs = self.systolic_fraction
        rising = 0.5 * (1.0 - np.cos(np.pi * (np.minimum(phase, fs) / fs) ** 0.92))
        x = np.clip((phase - fs) / (1.0 - fs), 0.0, 1.0)
        early = (1.0 - np.exp(-((x / 0.17) ** 1.6))) / (1.0 - exp(-((1.0 / 0.17) ** 1.6)))
        first, last = _kick(np.array([0.0, 1.0]))
        late = (_kick(x) - first) / (last - first)
        filling = self.early_filling * early + (1.0 - self.early_filling) * late
        return np.where(phase < fs, rising, 1.0 - filling)

    def ejection(self, phase: Array) -> Array:
        """Outflow, 0 in diastole, at most 1 in the middle of systole."""
        fs = self.systolic_fraction
        return np.where(phase < fs, np.sin(np.pi * np.minimum(phase, fs) / fs), 0.0)


def _kick(x: Array) -> Array:
    """Atrial contraction as a step in diastolic time x."""
    return 1.0 / (1.0 + np.exp(-(x - 0.84) / 0.045))


def make_cycle(body: Body, heart: Heart, normals: Array) -> Cycle:
    """The cycle at the CMR, whose heart rate is not quite that of the ECG."""
    rate_bpm = heart.heart_rate_bpm + 3.0 * normals[NORMALS.index("cmr_heart_rate")]
    rr_s = 60.0 / max(float(rate_bpm), 35.0)
    systole_s = 0.30 + 0.05 * (rr_s - 0.9) + 0.012 * (1.0 - float(body.male))
    systole_s += 0.012 * float(normals[NORMALS.index("systolic_fraction")])
    return Cycle(min(max(systole_s / rr_s, 0.25), 0.55), float(heart.early_filling))


def frame_phases(frames: tuple[int, ...]) -> Array:
    """Phase in the cycle of each frame, (frames,)."""
    return (np.asarray(frames) + 0.5) / N_FRAMES
