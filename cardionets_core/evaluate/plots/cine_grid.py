"""Strips of frames in bands and blocks, at their true aspect, with labels outside the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.plots.canvas import Marks, canvas
from cardionets_core.evaluate.plots.looks import GREY, INK, MINUS, SMALL_PT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ALARM = "#8a1c1c"
_FRAME_IN, _LABEL_IN, _GAP_IN = 0.78, 1.2, 0.16
_TEXT_PT, _MARK_PT = 8.0, 6.5
_HEAD_IN, _BAND_IN, _TEXT_IN, _CAPTION_IN, _LINE_IN = 0.36, 0.26, 0.16, 0.15, 0.06


class Strip(NamedTuple):
    """Frames (k, H, W) side by side, and what stands above each, if anything."""

    frames: NDArray[np.floating]
    captions: tuple[str, ...] = ()


class Block(NamedTuple):
    """One strip per row of its band, under a heading."""

    title: str
    strips: Sequence[Strip]


class Band(NamedTuple):
    """Blocks side by side; ``labels`` are (label, mark) of each row."""

    title: str
    labels: Sequence[tuple[str, str]]
    blocks: Sequence[Block]


def draw_bands(
    bands: Sequence[Band], path: Path, window: tuple[float, float], marks: Marks
) -> None:
    """Draw bands below each other.

    Args:
        bands: One or more.
        path: File to write, without suffix: ``.png`` and ``.svg`` are appended.
        window: Values that are drawn black and white; stated at the foot.
        marks: Heading, footnote and stamps.
    """
    low, high = (f"{value:g}".replace("-", MINUS) for value in window)
    marks = marks._replace(note=f"Grey from {low} (black) to {high} (white). {marks.note}".strip())
    head_in = _HEAD_IN if marks.title else 0.05
    size = (
        _LABEL_IN + max(_widths(band)[-1] for band in bands),
        head_in + sum(_height(band) for band in bands),
    )
    with canvas(path, size, marks) as figure:
        # Every place is given: nothing may be moved or stretched.
        figure.set_layout_engine("none")
        top = size[1] - head_in
        for band in bands:
            _draw_band(figure, band, top, window)
            top -= _height(band)


def _widths(band: Band) -> NDArray[np.float64]:
    """Where each block ends, in inches from the first block's left; the last is the whole width."""
    own = [_strip_in(block.strips[0])[0] for block in band.blocks]
    return np.cumsum(own) + _GAP_IN * np.arange(len(own))


def _strip_in(strip: Strip) -> tuple[float, float]:
    """Width and height of a strip in inches; pixels are square."""
    count, height, width = strip.frames.shape
    return count * _FRAME_IN, _FRAME_IN * height / width


def _row_in(band: Band, row: int) -> float:
    captioned = any(block.strips[row].captions for block in band.blocks)
    return _strip_in(band.blocks[0].strips[row])[1] + _LINE_IN + _CAPTION_IN * captioned


def _heads_in(band: Band) -> float:
    lines = max(len(_title_lines(block)) for block in band.blocks)
    return _BAND_IN * bool(band.title) + _TEXT_IN * lines + _LINE_IN * bool(lines)


def _title_lines(block: Block) -> list[str]:
    return _lines(block.title, _strip_in(block.strips[0])[0])


def _lines(text: str, width_in: float) -> list[str]:
    """Lines of a text that fit into a width; a letter is about half as wide as high."""
    return wrap(text, int(width_in * 72 / (0.56 * _TEXT_PT)))


def _height(band: Band) -> float:
    return _heads_in(band) + sum(_row_in(band, row) for row in range(len(band.labels))) + _LINE_IN


def _draw_band(figure: Figure, band: Band, top: float, window: tuple[float, float]) -> None:
    lefts = _LABEL_IN + np.concatenate([[0.0], _widths(band)[:-1] + _GAP_IN])
    below = top - _heads_in(band)
    _text(figure, (0.0, top - 0.05), band.title, INK, _TEXT_PT + 0.5, "bold")
    for left, block in zip(lefts.tolist(), band.blocks, strict=True):
        lines = _title_lines(block)
        y = below + _LINE_IN + _TEXT_IN * len(lines) - 0.04
        _text(figure, (left, y), "\n".join(lines), INK, _TEXT_PT)
    for row, label in enumerate(band.labels):
        bottom = below - _row_in(band, row) + _LINE_IN
        _draw_label(figure, label, bottom + _strip_in(band.blocks[0].strips[row])[1] / 2)
        for left, block in zip(lefts.tolist(), band.blocks, strict=True):
            _draw_strip(figure, block.strips[row], (left, bottom), window)
        below -= _row_in(band, row)


def _draw_label(figure: Figure, label: tuple[str, str], middle: float) -> None:
    """What a row is, and its mark below in the colour of warnings."""
    name, mark = label
    lines = _lines(name, _LABEL_IN - 0.1)
    _text(figure, (0.0, middle + _TEXT_IN * len(lines)), "\n".join(lines), INK, _TEXT_PT)
    _text(figure, (0.0, middle), mark.replace(", ", ",\n"), _ALARM, _MARK_PT, "bold")


def _draw_strip(
    figure: Figure, strip: Strip, corner: tuple[float, float], window: tuple[float, float]
) -> None:
    width, height = _strip_in(strip)
    full_width, full_height = figure.get_size_inches()
    left, bottom = corner
    axes = figure.add_axes(
        (left / full_width, bottom / full_height, width / full_width, height / full_height)
    )
    low, high = window
    joined = np.concatenate(list(strip.frames), axis=1)
    axes.imshow(joined, cmap="gray", vmin=low, vmax=high, interpolation="lanczos", aspect="auto")
    for place in range(1, len(strip.frames)):
        axes.axvline(place * strip.frames.shape[2] - 0.5, color="white", linewidth=0.8)
    axes.set_axis_off()
    for place, caption in enumerate(strip.captions):
        x = left + place * _FRAME_IN
        _text(figure, (x, bottom + height + _CAPTION_IN - 0.02), caption, GREY, SMALL_PT)


def _text(
    figure: Figure,
    at: tuple[float, float],
    text: str,
    colour: str,
    size: float,
    weight: str = "normal",
) -> None:
    """Text with its upper left corner at a place in inches."""
    if text:
        # As shares of the figure: places in inches stay behind when the page is cut to its content.
        x, y = np.divide(at, figure.get_size_inches()).tolist()
        figure.text(x, y, text, ha="left", va="top", color=colour, fontsize=size, fontweight=weight)
