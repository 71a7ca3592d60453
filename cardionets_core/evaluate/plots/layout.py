"""Panels in rows and columns, and the legend under them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEGEND_ROW_INCHES = 0.17
_ENTRY_INCHES, _LETTER_INCHES = 0.52, 0.063


def grid_shape(count: int, per_row: int) -> tuple[int, int]:
    """Rows and columns that hold ``count`` panels, evened out: 5 with 4 a row are 2 x 3."""
    rows = -(-count // per_row)
    return rows, -(-count // rows)


def panel_axes(figure: Figure, count: int, per_row: int, **options: Any) -> list[Axes]:
    """Axes of ``count`` panels in reading order; the places left over stay empty."""
    rows, columns = grid_shape(count, per_row)
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    for spare in axes[count:]:
        spare.remove()
    return axes[:count]


def legend_shape(labels: Sequence[str], width_inches: float) -> tuple[int, int]:
    """Rows and columns of the legend that fits a figure of this width."""
    for columns in range(len(labels), 1, -1):
        widest = [max(map(len, labels[column::columns])) for column in range(columns)]
        if sum(_ENTRY_INCHES + _LETTER_INCHES * letters for letters in widest) < width_inches:
            return grid_shape(len(labels), columns)
    return len(labels), 1


def legend_inches(labels: Sequence[str], width_inches: float) -> float:
    """Height of that legend, to be added to the figure's."""
    return 0.1 + _LEGEND_ROW_INCHES * legend_shape(labels, width_inches)[0]


def legend_below(figure: Figure, all_axes: Sequence[Axes], first: Sequence[str]) -> None:
    """One legend for all panels, under them, where it hides nothing.

    Args:
        figure: Figure of the panels.
        all_axes: The panels; a label that several have is listed once.
        first: Labels in the order wanted; others follow.
    """
    entries = {
        label: handle
        for axes in all_axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    order = [label for label in first if label in entries]
    order += [label for label in entries if label not in first]
    width, height = figure.get_size_inches()
    _, columns = legend_shape(order, width)
    # Room is made by hand: a legend placed "outside" moves when the page is cut to what is drawn.
    share = legend_inches(order, width) / height
    figure.set_layout_engine("constrained", rect=(0, share, 1, 1 - share))
    # matplotlib fills column by column; readers read row by row.
    order = [label for column in range(columns) for label in order[column::columns]]
    figure.legend(
        [entries[label] for label in order],
        order,
        loc="lower center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=figure.transFigure,
        ncols=columns,
        handlelength=2.2,
        columnspacing=1.4,
        borderaxespad=0.2,
    )
