"""GIF: plays anywhere, at the speed of the heart."""

from __future__ import annotations

import io
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cardionets_core.evaluate.cine_files.about import CineAbout
from cardionets_core.evaluate.cine_files.pictures import render_cine

# GIF counts in 1/100 s, and viewers slow down what is shown for less than two of them.
_TICKS_PER_S, _LEAST_TICKS = 100, 2


def encode(cine: NDArray[np.float32], about: CineAbout) -> bytes:
    """A cine (T, H, W) in [-1, 1] as an endless GIF."""
    cycle_s = about.frame_s(len(cine)) * len(cine)
    return animation(render_cine(cine, about), cycle_s, "; ".join(about.notes))


def animation(pictures: NDArray[np.uint8], cycle_s: float, comment: str) -> bytes:
    """Grey pictures (T, height, width) over one cycle as an endless GIF.

    A beat too short for all of them is shown with every second one, every third, and so on.
    """
    total = max(round(cycle_s * _TICKS_PER_S), _LEAST_TICKS)
    step = ceil(_LEAST_TICKS * len(pictures) / total)
    shown = pictures[::step]
    # Rounded as they add up, so that the beat keeps its length.
    ends = np.rint(np.arange(len(shown) + 1) * total / len(shown)).astype(int)
    milliseconds = (np.diff(ends) * 1000 // _TICKS_PER_S).tolist()
    first, *others = (Image.fromarray(picture) for picture in shown)
    buffer = io.BytesIO()
    first.save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=others,
        duration=milliseconds,
        loop=0,
        comment=comment.encode("ascii", "replace"),
    )
    return buffer.getvalue()
