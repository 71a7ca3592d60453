"""Cines rendered for the eye: enlarged, with marks in the margins and never on the heart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cardionets_core.evaluate.cine_files.about import CineAbout

# Side of an enlarged picture; a whole multiple of the cine's own pixels comes close to it.
_SIDE_PIXELS = 288
_GAP_PIXELS = 12
_MARK_SIZE, _HEADING_SIZE, _FOOT_SIZE = 19, 15, 12
_MARGIN = 8
_WHITE, _GREY = 255, 170


class Panel(NamedTuple):
    """One cine (T, H, W) in [-1, 1] of a picture, with its mark and heading."""

    cine: NDArray[np.float32]
    mark: str
    heading: str


def to_grey(cine: NDArray[np.float32]) -> NDArray[np.uint8]:
    """[-1, 1] to 0 to 255: the whole range, so that brightness is the same in every file."""
    return np.rint((cine.astype(np.float64) + 1) * 127.5).clip(0, 255).astype(np.uint8)


def render_cine(cine: NDArray[np.float32], about: CineAbout) -> NDArray[np.uint8]:
    """One cine (T, H, W) in [-1, 1] with its mark above and its notes below; see ``render``."""
    return render([Panel(cine, about.mark, "")], about.notes[1:] if about.mark else about.notes)


def render(panels: Sequence[Panel], foot: Sequence[str]) -> NDArray[np.uint8]:
    """Cines side by side, frame by frame, with text above and below.

    Args:
        panels: Cines with the same number of frames and pixels.
        foot: Lines of text below; long ones are wrapped.

    Returns:
        Grey pictures (T, height, width), both sides even, as video needs them.
    """
    factor = max(1, round(_SIDE_PIXELS / max(panels[0].cine.shape[1:])))
    height, width = (side * factor for side in panels[0].cine.shape[1:])
    full = width * len(panels) + _GAP_PIXELS * (len(panels) - 1)
    above = [_wrapped(panel.mark, _MARK_SIZE, width) for panel in panels]
    headings = [_wrapped(panel.heading, _HEADING_SIZE, width) for panel in panels]
    below = [line for text in foot for line in _wrapped(text, _FOOT_SIZE, full)]
    mark_room = _room(max(map(len, above)), _MARK_SIZE)
    head_room = mark_room + _room(max(map(len, headings)), _HEADING_SIZE)
    canvas = Image.new(
        "L", (_even(full), _even(head_room + height + _room(len(below), _FOOT_SIZE)))
    )
    draw = ImageDraw.Draw(canvas)
    lefts = [place * (width + _GAP_PIXELS) for place in range(len(panels))]
    for left, marks, lines in zip(lefts, above, headings, strict=True):
        _write(draw, (left, 0), marks, _MARK_SIZE, _WHITE)
        _write(draw, (left, mark_room), lines, _HEADING_SIZE, _WHITE)
    _write(draw, (0, head_room + height), below, _FOOT_SIZE, _GREY)
    frames = np.repeat(np.asarray(canvas)[None], len(panels[0].cine), axis=0)
    for left, panel in zip(lefts, panels, strict=True):
        for frame, picture in zip(frames, to_grey(panel.cine), strict=True):
            frame[head_room : head_room + height, left : left + width] = _enlarged(picture, factor)
    return frames


def _enlarged(picture: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    height, width = picture.shape
    larger = Image.fromarray(picture).resize(
        (width * factor, height * factor), Image.Resampling.BICUBIC
    )
    return np.asarray(larger)


def _even(length: int) -> int:
    return length + length % 2


def _room(lines: int, size: int) -> int:
    """Height of so many lines with the margins around them; none for no line."""
    return lines * (size + size // 4) + 2 * _MARGIN if lines else 0


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _wrapped(text: str, size: int, width: int) -> list[str]:
    """Lines of a text that fit into a width in pixels."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _font(size).getlength(longer) <= width - 2 * _MARGIN:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _write(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], lines: Sequence[str], size: int, grey: int
) -> None:
    left, top = corner
    for place, line in enumerate(lines):
        y = top + _MARGIN + place * (size + size // 4)
        draw.text((left + _MARGIN, y), line, fill=grey, font=_font(size))
