"""Bars with error bars, one per variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.plots.canvas import Marks, canvas
from cardionets_core.evaluate.plots.frames import (
    finite_array,
    in_order,
    panels_of,
    require_columns,
    require_one_row_each,
    require_ordered,
)
from cardionets_core.evaluate.plots.layout import grid_shape, panel_axes
from cardionets_core.evaluate.plots.looks import (
    INK,
    RULE,
    SMALL_PT,
    Look,
    draw_interval,
    looks,
    metric_label,
    p_equation,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_PANELS_PER_ROW = 4
_BAR_WIDTH = 0.72
_NUMBERS = ("estimate", "low", "high")
# What guessing reaches; bars of these metrics start there, and the figure says so.
_CHANCE = {"AUC": 0.5}


def bar_figure(
    frame: pd.DataFrame,
    path: Path,
    *,
    metric: str,
    simulated: bool,
    overlap: bool = False,
    title: str = "",
    interval: str = "95 % CI",
    variants: Sequence[str] = (),
) -> None:
    """Draw a metric of each variant as a bar with its interval.

    Args:
        frame: Columns ``variant``, ``estimate``, ``low``, ``high``; optional ``points`` (values of
            single seeds, drawn as dots), ``p`` (text or number written above the bar) and
            ``panel`` (one panel per value, e.g. a task). Order of rows is order of bars.
        path: File to write, without suffix.
        metric: Name of the metric, e.g. ``auc``.
        simulated: True if subjects were simulated; printed on the figure.
        overlap: True if pre-training and test subjects overlap; printed on the figure.
        title: Heading.
        interval: What ``low`` and ``high`` are, e.g. ``SD over 5 folds``; printed as footnote.
        variants: All variants of the study in order, for the same colours in every figure.

    Raises:
        EvaluationError: If a column or number is missing, or a variant has two rows.
    """
    _check(frame, "bar figure", ("variant",))
    note = _note(frame, metric, interval)
    _draw(panels_of(frame), path, metric, variants, Marks(title, note, simulated, overlap))


def ratio_figure(
    frame: pd.DataFrame,
    path: Path,
    *,
    metric: str,
    simulated: bool,
    overlap: bool = False,
    title: str = "",
    interval: str = "95 % CI",
    variants: Sequence[str] = (),
) -> None:
    """Draw a metric of each variant, one panel per number of negatives for each case.

    Args:
        frame: Columns ``ratio`` (negatives per case: 1, 2, 5, 10) and those of `bar_figure`.
        path: File to write, without suffix.
        metric: Name of the metric, e.g. ``auc``.
        simulated: True if subjects were simulated; printed on the figure.
        overlap: True if pre-training and test subjects overlap; printed on the figure.
        title: Heading.
        interval: What ``low`` and ``high`` are; printed as footnote.
        variants: All variants of the study in order, for the same colours in every figure.

    Raises:
        EvaluationError: If a column or number is missing, or a variant has two rows at a ratio.
    """
    require_columns(frame, "ratio figure", numbers=("ratio",))
    _check(frame, "ratio figure", ("ratio", "variant"))
    panels = [(f"1 : {ratio:g}", rows) for ratio, rows in frame.groupby("ratio", sort=True)]
    note = f"panels: cases to negatives in training; {_note(frame, metric, interval)}"
    _draw(panels, path, metric, variants, Marks(title, note, simulated, overlap))


def _check(frame: pd.DataFrame, figure: str, keys: Sequence[str]) -> None:
    require_columns(frame, figure, names=("variant",), numbers=_NUMBERS)
    require_one_row_each(frame, figure, keys)
    require_ordered(frame, figure)
    for points in map(_points, frame.to_dict("records")):
        if points.size:
            finite_array(points, f"{figure}: column 'points'")


def _note(frame: pd.DataFrame, metric: str, interval: str) -> str:
    parts = [f"error bars: {interval}"]
    if any(_points(row).size for row in frame.to_dict("records")):
        parts.append("dots: single seeds")
    if metric_label(metric) in _CHANCE:
        parts.append(f"bars start at {_CHANCE[metric_label(metric)]:g} (chance)")
    return "; ".join(parts)


def _draw(
    panels: Sequence[tuple[str, pd.DataFrame]],
    path: Path,
    metric: str,
    variants: Sequence[str],
    marks: Marks,
) -> None:
    look = looks(in_order([v for _, rows in panels for v in rows["variant"]]), variants)
    widest = max(len(rows) for _, rows in panels)
    rows, columns = grid_shape(len(panels), _PANELS_PER_ROW)
    slot_inches = 0.62 if columns == 1 else 0.4 if columns == 2 else 0.33
    size = (max(2.6, columns * (slot_inches * widest + 0.15) + 0.5), rows * 2.3 + 0.7)
    with canvas(path, size, marks) as figure:
        all_axes = panel_axes(figure, len(panels), _PANELS_PER_ROW, sharey=True)
        for axes, (heading, frame) in zip(all_axes, panels, strict=True):
            _bars(axes, frame, look, _CHANCE.get(metric_label(metric), 0.0), slim=columns > 1)
            axes.set_title(heading, fontweight="bold", loc="left")
        # The axis is shared, so room above the highest bar is made once.
        _make_room(all_axes[0], above=any("p" in frame for _, frame in panels), slim=columns > 1)
        for axes in all_axes[::columns]:
            axes.set_ylabel(metric_label(metric))


def _bars(
    axes: Axes, frame: pd.DataFrame, look: dict[str, Look], start: float, *, slim: bool
) -> None:
    names = [str(name) for name in frame["variant"]]
    for at, row in enumerate(frame.to_dict("records")):
        style = look[names[at]]
        axes.bar(
            at,
            row["estimate"] - start,
            _BAR_WIDTH,
            bottom=start,
            color=style.colour,
            hatch=style.hatch,
            edgecolor="white" if style.hatch else style.colour,
            linewidth=0.5,
        )
        _dots(axes, at, _points(row))
        draw_interval(axes, at, row["low"], row["high"], vertical=True)
        _significance(axes, at, row, slim=slim)
    axes.axhline(start, color=INK, linewidth=0.8)
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    _name_bars(axes, names, slim=slim)


def _points(row: Mapping[Any, Any]) -> NDArray[np.float64]:
    """Values of single seeds, (n,); none where the row has no list of them."""
    points = row.get("points", ())
    return np.asarray(points if np.ndim(points) else [], dtype=np.float64)


def _dots(axes: Axes, at: int, points: NDArray[np.float64]) -> None:
    # Beside the error bar, and spread evenly, not at random: one table gives one picture.
    beside = at + np.linspace(0.13, 0.29, len(points)) if len(points) > 1 else at + 0.2
    if points.size:
        axes.scatter(
            np.broadcast_to(beside, points.shape),
            points,
            s=11,
            facecolor="white",
            edgecolor=INK,
            linewidth=0.7,
            zorder=5,
        )


def _significance(axes: Axes, at: int, row: Mapping[Any, Any], *, slim: bool) -> None:
    p = row.get("p")
    if p is None or p != p or p == "":  # noqa: PLR0124 - NaN: no comparison for this bar
        return
    top = max(row["high"], row["estimate"], *_points(row))
    axes.annotate(
        p if isinstance(p, str) else p_equation(p),
        (at, top),
        (0, 4),
        textcoords="offset points",
        ha="center",
        va="bottom",
        rotation=90 if slim else 0,
        fontsize=SMALL_PT,
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )


def _make_room(axes: Axes, *, above: bool, slim: bool) -> None:
    low, high = axes.get_ylim()
    room = (0.36 if slim else 0.1) if above else 0.03
    axes.set_ylim(low, high + room * (high - low))
    # Room for text is no reason to count beyond 1, which many metrics cannot exceed.
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= max(high, 1.0)])


def _name_bars(axes: Axes, names: Sequence[str], *, slim: bool) -> None:
    longest = max(len(word) for name in names for word in name.split())
    if slim or longest > 10:
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(range(len(names)), [fill(name, 10) for name in names])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(names) - 0.4)
