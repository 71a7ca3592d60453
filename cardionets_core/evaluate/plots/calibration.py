"""Reliability curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cardionets_core.evaluate.plots.canvas import Marks, canvas
from cardionets_core.evaluate.plots.frames import in_order, require_columns, require_ordered
from cardionets_core.evaluate.plots.layout import grid_shape
from cardionets_core.evaluate.plots.looks import GREY, RULE, Look, draw_interval, looks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS_PER_ROW = 4
_NUMBERS = ("predicted", "observed", "low", "high", "count")


def calibration_figure(
    frame: pd.DataFrame,
    path: Path,
    *,
    simulated: bool,
    overlap: bool = False,
    title: str = "",
    interval: str = "95 % CI",
    variants: Sequence[str] = (),
) -> None:
    """Draw observed against predicted risk, one panel per variant with its counts below.

    Args:
        frame: One row per bin: ``variant``, ``predicted`` (mean probability), ``observed`` (share
            of cases), ``low``, ``high`` (of observed) and ``count`` (subjects in the bin).
        path: File to write, without suffix.
        simulated: True if subjects were simulated; printed on the figure.
        overlap: True if pre-training and test subjects overlap; printed on the figure.
        title: Heading.
        interval: What ``low`` and ``high`` are; printed as footnote.
        variants: All variants of the study in order, for the same colours in every figure.

    Raises:
        EvaluationError: If a column or number is missing.
    """
    require_columns(frame, "calibration figure", names=("variant",), numbers=_NUMBERS)
    require_ordered(frame, "calibration figure")
    names = in_order(frame["variant"].tolist())
    look = looks(names, variants)
    rows, columns = grid_shape(len(names), _PANELS_PER_ROW)
    size = (max(3.0, 1.95 * columns + 0.4), 2.75 * rows)
    note = f"error bars: {interval}; dashed: perfect calibration; below: subjects per bin"
    with canvas(path, size, Marks(title, note, simulated, overlap)) as figure:
        limit = min(1.0, 1.05 * float(frame[["predicted", "observed", "high"]].max().max()))
        panels = _panels(figure, len(names))
        most = float(frame["count"].max())
        for place, ((upper, lower), name) in enumerate(zip(panels, names, strict=True)):
            own = frame[frame["variant"].astype(str) == name].sort_values("predicted")
            _reliability(upper, own, look[name], limit)
            _counts(lower, own, look[name], most)
            upper.set_title(name, fontweight="bold", loc="left")
            if place % columns == 0:
                upper.set_ylabel("observed share")
                lower.set_ylabel("n")


def _panels(figure: Figure, count: int) -> list[tuple[Axes, Axes]]:
    """Upper and lower axes of each panel, in reading order."""
    rows, columns = grid_shape(count, _PANELS_PER_ROW)
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=[4, 1] * rows)
    panels = []
    for place in range(count):
        row, column = divmod(place, columns)
        upper = figure.add_subplot(grid[2 * row, column])
        panels.append((upper, figure.add_subplot(grid[2 * row + 1, column], sharex=upper)))
    return panels


def _reliability(axes: Axes, bins: pd.DataFrame, look: Look, limit: float) -> None:
    axes.plot((0, limit), (0, limit), color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))
    for row in bins.to_dict("records"):
        draw_interval(
            axes, row["predicted"], row["low"], row["high"], vertical=True, colour=look.colour
        )
    axes.plot(
        bins["predicted"],
        bins["observed"],
        color=look.colour,
        linewidth=1.2,
        marker=look.marker,
        markersize=4.5,
        markeredgecolor="white",
        markeredgewidth=0.4,
        clip_on=False,
        zorder=5,
    )
    axes.set(xlim=(0, limit), ylim=(0, limit))
    axes.tick_params(axis="x", labelbottom=False)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)


def _counts(axes: Axes, bins: pd.DataFrame, look: Look, most: float) -> None:
    axes.vlines(bins["predicted"], 0, bins["count"], color=look.colour, linewidth=3)
    axes.set_ylim(0, 1.1 * most)
    axes.set_yticks((0, most), ("0", f"{most:,g}"))
    axes.set_xlabel("predicted probability")
