"""Columns of text beside the rows of a plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from cardionets_core.evaluate.plots.looks import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TEXT_PT = 7.5
# Widest common letter of the usual sans-serif fonts, as a share of their size.
_LETTER_WIDTH = 0.6
_GAP_PT = 12.0


class TextColumn(NamedTuple):
    """Heading and one text per row."""

    heading: str
    texts: Sequence[str]


def text_columns(
    axes: Axes, heights: Sequence[float], columns: Sequence[TextColumn], heading_at: float
) -> None:
    """Write columns of text to the right of the axes, aligned with its rows.

    Args:
        axes: Axes whose y axis counts rows.
        heights: y of each row, as many as each column has texts.
        columns: Columns from left to right.
        heading_at: y of the headings.
    """
    left_pt = _GAP_PT
    for column in columns:
        for y, text in zip(heights, column.texts, strict=True):
            _write(axes, text, y, left_pt)
        _write(axes, column.heading, heading_at, left_pt, weight="bold")
        widest = max(map(len, (column.heading, *column.texts)))
        left_pt += widest * _TEXT_PT * _LETTER_WIDTH + _GAP_PT


def _write(axes: Axes, text: str, y: float, left_pt: float, weight: str = "normal") -> None:
    axes.annotate(
        text,
        (1, y),
        (left_pt, 0),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        va="center_baseline",
        fontsize=_TEXT_PT,
        fontweight=weight,
        color=INK,
        annotation_clip=False,
    )
