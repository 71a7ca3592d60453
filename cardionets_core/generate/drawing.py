"""Cines drawn from ECGs, a few at a time, each by a seed of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cmr.views import CANONICAL_SHAPE
from cardionets_core.errors import UsageError
from cardionets_core.evaluate.cine_files import CineAbout
from cardionets_core.evaluate.predicting import NOT_FINITE, SIMULATED_WARNING
from cardionets_core.evaluate.prepared_ecgs import PreparedEcg
from cardionets_core.generate.loading import LoadedGenerator

_UNUSABLE = "the ECG did not pass the quality checks"
_SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class DrawRequest:
    """What is to be drawn.

    Attributes:
        seed: Of the first cine; each further one has the next number.
        samples: Cines per ECG.
        steps: Steps of the sampler; None for the generator's own number.
        guidance: Strength of the guidance; None for the generator's own.
        pixel_mm: Side of a pixel in mm, or None if unknown.
        batch_size: Cines that are drawn at a time.

    Raises:
        UsageError: If one of them makes no sense.
    """

    seed: int = 0
    samples: int = 1
    steps: int | None = None
    guidance: float | None = None
    pixel_mm: float | None = None
    batch_size: int = 8

    def __post_init__(self) -> None:
        least = {"seed": 0, "samples": 1, "steps": 1, "batch_size": 1}
        for name, lowest in least.items():
            found = getattr(self, name)
            if found is not None and found < lowest:
                raise UsageError(f"{name} = {found}; needed {lowest} or more")
        if self.pixel_mm is not None and not 0 < self.pixel_mm < float("inf"):
            raise UsageError(f"pixel_mm = {self.pixel_mm}; needed millimetres above 0")


class Drawn(NamedTuple):
    """One cine, or why there is none.

    Attributes:
        ecg: What it was drawn from.
        record: Number of the ECG, from 1.
        sample: Number of the cine of this ECG, from 1; 0 if there is none.
        seed: What it was drawn with.
        cine: (50, 96, 96) in [-1, 1], or None.
        reason: Why there is none, or an empty text.
    """

    ecg: PreparedEcg
    record: int
    sample: int
    seed: int | None
    cine: NDArray[np.float32] | None
    reason: str = ""


def draw(
    loaded: LoadedGenerator, batches: Iterable[list[PreparedEcg]], request: DrawRequest
) -> Iterator[list[Drawn]]:
    """Draw cines from batches of ECGs; a bad ECG comes with its reason.

    A cine follows from the weights, the ECG and its seed alone, up to rounding: naming its seed
    with this one ECG draws it again.

    Args:
        loaded: A generator on ECGs.
        batches: From an ``EcgReader`` with its transform.
        request: What is to be drawn.

    Raises:
        UsageError: If the generator does not draw from ECGs, or cannot draw so.
    """
    first = 1
    for batch in batches:
        numbered = list(enumerate(batch, start=first))
        bad = [
            Drawn(ecg, record, 0, None, None, ecg.reason)
            for record, ecg in numbered
            if ecg.prepared is None
        ]
        if bad:
            yield bad
        good = [(record, ecg) for record, ecg in numbered if ecg.prepared is not None]
        if good:
            yield from _draw_good(loaded, good, request)
        first += len(batch)


def _draw_good(
    loaded: LoadedGenerator, ecgs: Sequence[tuple[int, PreparedEcg]], request: DrawRequest
) -> Iterator[list[Drawn]]:
    conditions = loaded.conditions(
        np.stack([ecg.prepared for _, ecg in ecgs]),  # type: ignore[misc]
        np.stack([ecg.lead_mask for _, ecg in ecgs]),  # type: ignore[misc]
    )
    wanted = [(place, k) for place in range(len(ecgs)) for k in range(request.samples)]
    for start in range(0, len(wanted), request.batch_size):
        chunk = wanted[start : start + request.batch_size]
        seeds = [request.seed + (ecgs[place][0] - 1) * request.samples + k for place, k in chunk]
        views = loaded.sample(
            conditions[[place for place, _ in chunk]],
            seeds=seeds,
            steps=request.steps,
            guidance=request.guidance,
            batch_size=len(chunk),
        )
        cines: NDArray[np.float32] = loaded.generator.restore(views.float()).numpy()
        found = []
        for (place, k), seed, cine in zip(chunk, seeds, cines, strict=True):
            record, ecg = ecgs[place]
            fine = bool(np.isfinite(cine).all())
            reason = "" if fine else NOT_FINITE
            found.append(Drawn(ecg, record, k + 1, seed, cine if fine else None, reason))
        yield found


def interpolation_of(loaded: LoadedGenerator) -> str:
    """What the generator draws where that is less than the 50 frames of 96 x 96, else nothing."""
    frames, height, width = loaded.generator.cine_shape
    if (frames, height, width) == CANONICAL_SHAPE:
        return ""
    all_frames, full_height, full_width = CANONICAL_SHAPE
    return (
        f"{frames} frames of {height} x {width} drawn, interpolated over the cycle to {all_frames} "
        f"frames of {full_height} x {full_width}"
    )


def about_drawn(loaded: LoadedGenerator, request: DrawRequest, drawn: Drawn) -> CineAbout:
    """What the file of a cine says beside the pixels; nothing that may hold a patient's id."""
    warnings = (
        SIMULATED_WARNING if loaded.header.simulated else "",
        "" if drawn.ecg.usable else _UNUSABLE,
        f"found in the ECG: {drawn.ecg.flags}" if drawn.ecg.flags else "",
    )
    sampler = (
        f"steps {request.steps}" if request.steps is not None else "",
        f"guidance {request.guidance:g}" if request.guidance is not None else "",
    )
    what = (
        f"drawn by {loaded.header.part('generator').component}",
        # A path may tell where somebody keeps what; its last part is the run's name.
        f"weights {PurePath(loaded.name).name}",
        f"record {drawn.record}",
        f"sample {drawn.sample}",
        f"seed {drawn.seed}",
        *filter(None, sampler),
    )
    rate_bpm = drawn.ecg.heart_rate_bpm
    return CineAbout(
        what=", ".join(what),
        synthetic=True,
        simulated=loaded.header.simulated,
        pixel_mm=request.pixel_mm,
        cycle_s=_SECONDS_PER_MINUTE / rate_bpm if rate_bpm else None,
        interpolated=interpolation_of(loaded),
        warning="; ".join(filter(None, warnings)),
    )
