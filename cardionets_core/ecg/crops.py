"""Where crops start: fixed in evaluation, drawn from (seed, epoch, record) in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cardionets_core.errors import EcgError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CropRule = Literal["even", "released-code"]

_UINT64 = (1 << 64) - 1
# Increment and multipliers of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
_GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)


def fixed_crop_starts(
    length: int, crop: int, segments: int, *, rule: CropRule = "even"
) -> NDArray[np.int64]:
    """Return the starts of the evaluation crops.

    Rule ``even`` gives exactly ``segments`` starts from the first to the last position that fits
    (one if there is no room to move). Rule ``released-code`` steps by
    ``(length - crop) // (segments - 1)`` for as long as a crop fits, which may give more crops
    than asked for (2500, 2250, 30 gives 32). One segment is centred under both rules, where the
    released code divides by zero.

    Args:
        length: Samples of the record.
        crop: Samples of one crop.
        segments: Crops asked for.
        rule: How to space them.

    Returns:
        Starts in samples, ascending, (crops,).

    Raises:
        EcgError: If a crop is longer than the record, or there is no room to step.

    Source: ST-MEM, multi-crop evaluation.
    """
    span = length - crop
    if crop < 1 or segments < 1 or span < 0:
        raise EcgError(
            f"cannot place {segments} crops of {crop} samples in {length}; shorten the crop"
        )
    if segments == 1:
        return np.array([span // 2], dtype=np.int64)
    if span == 0:
        return np.zeros(1, dtype=np.int64)
    if rule == "even":
        return np.round(np.linspace(0, span, segments)).astype(np.int64)
    step = span // (segments - 1)
    if step == 0:
        raise EcgError(
            f"{segments} crops of {crop} samples do not fit {length} in whole steps; "
            f"ask for at most {span + 1}"
        )
    return np.arange(0, span + 1, step, dtype=np.int64)


def random_crop_starts(
    indices: ArrayLike, *, seed: int, epoch: int, length: int, crop: int
) -> NDArray[np.int64]:
    """Draw one training crop start per record, a pure function of (seed, epoch, index).

    Args:
        indices: Record indices, (batch,) of non-negative integers.
        seed: Seed of the run.
        epoch: Epoch, from 0.
        length: Samples of a record.
        crop: Samples of one crop.

    Returns:
        Starts, uniform on 0 to ``length - crop`` inclusive, (batch,).

    Raises:
        EcgError: If a crop is longer than the record.
    """
    if not 1 <= crop <= length:
        raise EcgError(f"cannot cut {crop} samples out of {length}; shorten the crop")
    counter = np.asarray(indices).astype(np.uint64)
    key = np.zeros_like(counter)
    for word in (seed, epoch):
        key = _mix(key ^ np.uint64(word & _UINT64))
    bits = _mix(key ^ _mix(counter))
    # 53 bits make a double in [0, 1) without rounding up to 1.
    fraction = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.floor(fraction * (length - crop + 1)).astype(np.int64)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One SplitMix64 output per state; arrays wrap around silently, as intended."""
    mixed = state + _GOLDEN_GAMMA
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MULTIPLIER_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MULTIPLIER_2
    return mixed ^ (mixed >> np.uint64(31))
