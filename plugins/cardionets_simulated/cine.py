"""A 4-chamber cine CMR: shapes painted on a background, then blur, bias field, noise and gain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardionets_simulated.cine_background import make_background
from cardionets_simulated.cine_heart import HeartShape, make_heart_shape
from cardionets_simulated.cine_intervals import (
    PIXEL_MM,
    SIZE,
    Image,
    Interval,
    Pixels,
    cover,
    locate_pixels,
)
from cardionets_simulated.cine_time import N_FRAMES, frame_phases, make_cycle
from cardionets_simulated.physiology import Latents
from cardionets_simulated.streams import Array, Stream, generator

ALL_FRAMES = tuple(range(N_FRAMES))

_BLOOD, _MYOCARDIUM, _FAT = 0.82, 0.30, 0.70
_ATRIAL_BLOOD, _JET = 0.93, 0.90
_VALVE = 0.22
# The two channels of the noise are views of one field, this far apart.
_NOISE_SHIFT = 1009


@dataclass(frozen=True, eq=False)
class _Scan:
    """One subject's heart and how it was imaged."""

    shape: HeartShape
    pixels: Pixels
    blood: float
    myocardium: float
    fat: float
    background: Image
    bias: Image
    noise_sd: float
    gain: float
    noise_seed: int


def simulate_cine(
    seed: int, index: int, latents: Latents, frames: tuple[int, ...] = ALL_FRAMES
) -> NDArray[np.uint8]:
    """The cine of one subject.

    Args:
        seed: The cohort's seed.
        index: The subject's index.
        latents: Its latents, scalars.
        frames: Which of the 50 frames to render; each is bit-equal to the same frame of the whole
            cine.

    Returns:
        (frames, 96, 96) uint8, 2.2 mm pixels; frame i lies at (i + 0.5) / 50 of the RR interval.
    """
    scan = _make_scan(seed, index, latents, frames)
    canvas = _paint(scan, len(frames))
    return _acquire(scan, canvas, frames)


def chamber_areas_cm2(
    seed: int, index: int, latents: Latents, frames: tuple[int, ...] = ALL_FRAMES
) -> dict[str, Array]:
    """Areas of the four cavities as rendered.

    Returns:
        "lv", "rv", "la" and "ra": area in cm2 per frame, (frames,).
    """
    scan = _make_scan(seed, index, latents, frames)
    chambers = {
        "lv": scan.shape.ventricles.lv_blood,
        "rv": scan.shape.ventricles.rv_blood,
        "la": scan.shape.la_blood,
        "ra": scan.shape.ra_blood,
    }
    pixel_cm2 = PIXEL_MM * PIXEL_MM / 100.0
    return {
        name: cover(interval, scan.pixels).share.sum(axis=0, dtype=np.float64) * pixel_cm2
        for name, interval in chambers.items()
    }


def _make_scan(seed: int, index: int, latents: Latents, frames: tuple[int, ...]) -> _Scan:
    """Draw pose, contrast and background in a fixed order."""
    rng = generator(seed, index, Stream.CINE)
    pose = rng.standard_normal(3)
    contrast = rng.standard_normal(3)
    imaging = rng.standard_normal(5)
    noise_seed = int(rng.integers(2**63))
    blood = _BLOOD * float(np.exp(0.06 * contrast[0]))
    fat = _FAT * float(np.exp(0.05 * contrast[2]))
    background = make_background(
        rng,
        fat_value=fat,
        blood_value=_ATRIAL_BLOOD * blood,
        bmi_score=float(latents.body.bmi_score),
        aorta_area_mm2=float(latents.heart.descending_area_mm2),
    )
    shape = _make_shape(latents, frames)
    return _Scan(
        shape=shape,
        pixels=_locate(pose, shape.ventricles.length_mm),
        blood=blood,
        myocardium=_MYOCARDIUM * float(np.exp(0.08 * contrast[1])),
        fat=fat,
        background=background,
        bias=_bias(imaging[:3]),
        noise_sd=0.026 * float(np.exp(0.2 * imaging[3])),
        gain=215.0 * float(np.exp(0.06 * imaging[4])),
        noise_seed=noise_seed,
    )


def _make_shape(latents: Latents, frames: tuple[int, ...]) -> HeartShape:
    """The heart in the wanted frames."""
    body, heart = latents.body, latents.heart
    return make_heart_shape(
        heart,
        latents.disease,
        height_cm=float(body.height_cm),
        fat_mm=max(3.2 + 0.6 * float(body.bmi_score), 0.5),
        cycle=make_cycle(body, heart, latents.normals),
        phase=frame_phases(frames),
    )


def _locate(z: Array, length_mm: float) -> Pixels:
    """The pose. Much more jitter than this costs small models more than it teaches them."""
    column, row = 47.0 + 0.9 * float(z[1]), 51.0 + 0.9 * float(z[2])
    return locate_pixels(42.0 + 3.5 * float(z[0]), column, row, 0.28 * length_mm, 3.0)


def _bias(z: Array) -> Image:
    """The receive coils' sensitivity: brighter towards the chest wall, (96, 96)."""
    x = np.linspace(-1.0, 1.0, SIZE)
    y = x[:, None]
    log_bias = 0.16 * z[0] * x + (0.12 * z[1] - 0.18) * y + 0.08 * z[2] * x * y
    return np.exp(log_bias).astype(np.float32)


def _paint(scan: _Scan, n_frames: int) -> Image:
    """Paint every structure over the background, (9216, frames)."""
    canvas = np.repeat(scan.background.reshape(-1, 1), n_frames, axis=1)
    for interval, value, opacity in _layers(scan):
        coverage = cover(interval, scan.pixels)
        share = coverage.share
        if opacity is not None:
            share *= opacity.astype(np.float32)
        under = canvas[coverage.pixels]
        share *= np.float32(value) - under
        under += share
        canvas[coverage.pixels] = under
    return canvas


def _layers(scan: _Scan) -> tuple[tuple[Interval, float, Array | None], ...]:
    """Structures from the lowest to the topmost: interval, brightness, opacity per frame."""
    shape, v = scan.shape, scan.shape.ventricles
    atrial_blood = _ATRIAL_BLOOD * scan.blood
    return (
        (shape.fat, scan.fat, None),
        (v.rv_wall, scan.myocardium, None),
        (v.lv_wall, scan.myocardium, None),
        # The atria reach past the base of the septum in systole, and lie over it.
        (shape.la_wall, scan.myocardium, None),
        (shape.ra_wall, scan.myocardium, None),
        (shape.la_blood, atrial_blood, None),
        (shape.ra_blood, atrial_blood, None),
        (v.rv_blood, scan.blood, None),
        (v.lv_blood, scan.blood, None),
        (shape.jet, _JET * scan.blood, shape.ejection),
        (shape.papillary, scan.myocardium, None),
        (shape.mitral, _VALVE, shape.valve_opacity),
        (shape.tricuspid, _VALVE, shape.valve_opacity),
    )


def _acquire(scan: _Scan, canvas: Image, frames: tuple[int, ...]) -> NDArray[np.uint8]:
    """Blur, bias field, Rician noise and gain, frame by frame (a frame fits the cache)."""
    ideal = np.ascontiguousarray(canvas.T).reshape(len(frames), SIZE, SIZE)
    cine = np.empty((len(frames), SIZE, SIZE), dtype=np.uint8)
    noise = np.empty(SIZE * SIZE + _NOISE_SHIFT, dtype=np.float32)
    for position, frame in enumerate(frames):
        # A generator per frame: any subset of frames gets the noise it has in the whole cine.
        seeds = np.random.SeedSequence([scan.noise_seed, frame])
        np.random.Generator(np.random.SFC64(seeds)).standard_normal(dtype=np.float32, out=noise)
        noise *= np.float32(scan.noise_sd)
        real = _blur(ideal[position])
        real *= scan.bias
        real += noise[: SIZE * SIZE].reshape(SIZE, SIZE)
        imaginary = noise[_NOISE_SHIFT:].reshape(SIZE, SIZE)
        magnitude = np.sqrt(real * real + imaginary * imaginary)
        magnitude *= np.float32(scan.gain)
        magnitude += np.float32(0.5)
        np.minimum(magnitude, np.float32(255.0), out=magnitude)
        cine[position] = magnitude
    return cine


def _blur(frame: Image) -> Image:
    """Five-point blur; beyond the border lies the border's own value."""
    padded = np.empty((SIZE + 2, SIZE + 2), dtype=np.float32)
    padded[1:-1, 1:-1] = frame
    padded[0, 1:-1], padded[-1, 1:-1] = frame[0], frame[-1]
    padded[1:-1, 0], padded[1:-1, -1] = frame[:, 0], frame[:, -1]
    blurred = padded[:-2, 1:-1] + padded[2:, 1:-1]
    blurred += padded[1:-1, :-2]
    blurred += padded[1:-1, 2:]
    blurred *= np.float32(0.12)
    blurred += np.float32(0.52) * frame
    return blurred
