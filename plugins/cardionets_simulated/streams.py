"""Random streams: a counter-based generator per subject and purpose.

A subject's numbers depend on (seed, index) alone, never on how many subjects were drawn before it,
so that a subject is bit-equal alone, in any batch, in any order and in any worker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STREAMS_PER_SEED = 16


class Stream(IntEnum):
    """Independent streams of one subject; the value is part of the Philox key."""

    LATENTS = 0
    ECG = 1
    CINE = 2
    PHENOTYPES = 3
    DIAGNOSES = 4


# The order is part of the cohort's definition. Never insert or remove a name: append to a further
# block that is drawn after the repeated normals, and raise SIMULATOR_VERSION.
NORMALS = (
    "age",
    "height",
    "bmi",
    "fitness",
    "sbp",
    "heart_rate",
    "lv_size",
    "contractility",
    "lv_mass",
    "rv_contractility",
    "rv_stroke_volume",
    "la_size",
    "la_function",
    "ra_size",
    "ra_function",
    "wall",
    "ecc",
    "err",
    "ell",
    "aortic_size",
    "aortic_stiffness",
    "descending_size",
    "descending_stiffness",
    "early_filling",
    "qrs_duration",
    "voltage",
    "axis",
    "yaw",
    "pitch",
    "p_duration",
    "pr",
    "p_left",
    "p_right",
    "qtc",
    "t_amplitude",
    "t_skew",
    "t_direction",
    "septal_force",
    "j_point",
    "anterior_force",
    "rr_modulation",
    "cmr_heart_rate",
    "systolic_fraction",
    "spare_1",
    "spare_2",
    "spare_3",
)
UNIFORMS = (
    "sex",
    "cad",
    "infarct",
    "infarct_extent",
    "territory",
    "ischaemia",
    "cm",
    "cm_subtype",
    "cm_severity",
    "ph",
    "ph_severity",
    "hf",
    "hf_kind",
    "hf_severity",
    "hf_secondary",
    "af",
    "lbbb",
    "rbbb",
    "strain_pattern",
    "spare",
)
N_REPEATED = 64
_NORMAL_ROW = {name: row for row, name in enumerate(NORMALS)}
_UNIFORM_ROW = {name: row for row, name in enumerate(UNIFORMS)}


@dataclass(frozen=True, eq=False)
class Draws:
    """The latent draws of n subjects, one contiguous row per name.

    Attributes:
        normals: Standard normals, (46, n).
        uniforms: Uniforms in [0, 1), (20, n).
        repeated: Standard normals R0..R63, (64, n).
    """

    normals: Array
    uniforms: Array
    repeated: Array

    def z(self, name: str) -> Array:
        """Standard normals called name, (n,)."""
        return self.normals[_NORMAL_ROW[name]]

    def u(self, name: str) -> Array:
        """Uniforms called name, (n,)."""
        return self.uniforms[_UNIFORM_ROW[name]]


def bit_generator(seed: int, index: int, stream: Stream) -> np.random.Philox:
    """The counter-based bit generator of one subject's stream."""
    key = np.array([STREAMS_PER_SEED * seed + stream, index], dtype=np.uint64)
    return np.random.Philox(key=key)


def generator(seed: int, index: int, stream: Stream) -> np.random.Generator:
    """A generator at the start of one subject's stream."""
    return np.random.Generator(bit_generator(seed, index, stream))


class StreamCursor:
    """Moves one generator from subject to subject.

    Building a Philox and a Generator costs ten times as much as the draws of a subject; resetting
    the state of one pair gives the same numbers.
    """

    def __init__(self, seed: int, stream: Stream) -> None:
        self._bits = bit_generator(seed, 0, stream)
        self._state = self._bits.state
        self._generator = np.random.Generator(self._bits)

    def at(self, index: int) -> np.random.Generator:
        """The generator, at the start of the stream of the subject index."""
        self._state["state"]["key"][1] = index
        self._bits.state = self._state
        return self._generator


def draw_latents(seed: int, indices: Sequence[int] | NDArray[np.int64]) -> Draws:
    """Draw the fixed vector of every subject, whatever its sex or disease.

    Args:
        seed: The cohort's seed.
        indices: Subject indices, (n,).

    Returns:
        One row per name. Rows are contiguous because numpy may round a transcendental differently
        for strided memory, and a column of a batch must equal the subject drawn alone.
    """
    cursor = StreamCursor(seed, Stream.LATENTS)
    normals = np.empty((len(indices), len(NORMALS)))
    uniforms = np.empty((len(indices), len(UNIFORMS)))
    repeated = np.empty((len(indices), N_REPEATED))
    for row, index in enumerate(indices):
        rng = cursor.at(int(index))
        rng.standard_normal(out=normals[row])
        rng.random(out=uniforms[row])
        rng.standard_normal(out=repeated[row])
    return Draws(*(np.ascontiguousarray(block.T) for block in (normals, uniforms, repeated)))


def draw_normals(
    seed: int, indices: Sequence[int] | NDArray[np.int64], stream: Stream, count: int
) -> Array:
    """The first standard normals of a stream for every subject, (count, n), rows contiguous."""
    cursor = StreamCursor(seed, stream)
    drawn = np.empty((len(indices), count))
    for row, index in enumerate(indices):
        cursor.at(int(index)).standard_normal(out=drawn[row])
    return np.ascontiguousarray(drawn.T)
