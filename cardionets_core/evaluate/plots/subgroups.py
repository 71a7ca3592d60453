"""One metric by sex, age band or any other subgroup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cardionets_core.evaluate.plots.canvas import Marks, canvas
from cardionets_core.evaluate.plots.frames import (
    in_order,
    require_columns,
    require_one_row_each,
    require_ordered,
)
from cardionets_core.evaluate.plots.layout import legend_below, legend_inches
from cardionets_core.evaluate.plots.looks import (
    EN_DASH,
    RULE,
    Look,
    draw_interval,
    looks,
    metric_label,
)
from cardionets_core.evaluate.plots.rows import TextColumn, text_columns

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FEWEST_SHOWN = 10
_WIDTH_INCHES = 5.6
TOO_FEW = "fewer than 10"
_VARIANT_INCHES, _HEADING_INCHES, _GAP_INCHES = 0.095, 0.2, 0.08


def subgroup_figure(
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
    """Draw a metric of each variant for every level of every subgroup.

    A level of fewer than 10 subjects is listed without number or estimate.

    Args:
        frame: Columns ``subgroup`` (e.g. "sex"), ``level`` (e.g. "women"), ``variant``,
            ``estimate``, ``low``, ``high``, ``n`` (subjects). Estimates of levels with n below 10
            are not looked at and may be NaN.
        path: File to write, without suffix.
        metric: Name of the metric, e.g. ``auc``.
        simulated: True if subjects were simulated; printed on the figure.
        overlap: True if pre-training and test subjects overlap; printed on the figure.
        title: Heading.
        interval: What ``low`` and ``high`` are; printed as footnote.
        variants: All variants of the study in order, for the same colours in every figure.

    Raises:
        EvaluationError: If a column or number is missing, or a variant has two rows at a level.
    """
    _check(frame)
    order = in_order(frame["variant"].tolist())
    look = looks(order, variants)
    row_inches = max(0.22, _VARIANT_INCHES * len(order) + 0.08)
    heights, headings, bottom = _layout(frame, row_inches)
    size = (_WIDTH_INCHES, bottom + 0.7 + legend_inches(order, _WIDTH_INCHES))
    with canvas(path, size, Marks(title, f"intervals: {interval}", simulated, overlap)) as figure:
        axes = figure.add_subplot()
        _estimates(axes, frame, heights, look)
        _name_rows(axes, heights, headings, row_inches)
        axes.set_ylim(bottom, 0)
        axes.set_xlabel(metric_label(metric))
        column = TextColumn("subjects", [_size(frame, level) for level in heights])
        text_columns(axes, list(heights.values()), [column], min(headings.values()))
        legend_below(figure, [axes], order)


def _check(frame: pd.DataFrame) -> None:
    names = ("subgroup", "level", "variant", "estimate", "low", "high")
    require_columns(frame, "subgroup figure", names=names, numbers=("n",))
    require_one_row_each(frame, "subgroup figure", ("subgroup", "level", "variant"))
    shown = frame[frame["n"] >= FEWEST_SHOWN]
    if len(shown):
        require_columns(shown, "subgroup figure", numbers=("estimate", "low", "high"))
        require_ordered(shown, "subgroup figure")


def _layout(
    frame: pd.DataFrame, row_inches: float
) -> tuple[dict[tuple[str, str], float], dict[str, float], float]:
    """Inches from the top to each (subgroup, level), each subgroup's heading, and the bottom."""
    heights: dict[tuple[str, str], float] = {}
    headings: dict[str, float] = {}
    y = 0.0
    for subgroup, rows in frame.groupby("subgroup", sort=False):
        headings[str(subgroup)] = y + _HEADING_INCHES / 2
        y += _HEADING_INCHES
        for level in in_order(rows["level"].tolist()):
            heights[str(subgroup), level] = y + row_inches / 2
            y += row_inches
        y += _GAP_INCHES
    return heights, headings, y


def _estimates(
    axes: Axes,
    frame: pd.DataFrame,
    heights: Mapping[tuple[str, str], float],
    look: Mapping[str, Look],
) -> None:
    order = in_order(frame["variant"].tolist())
    offsets = dict(zip(order, _offsets(len(order)), strict=True))
    for name in order:
        own = frame[frame["variant"].astype(str) == name]
        style, label = look[name], name
        for row in own[own["n"] >= FEWEST_SHOWN].to_dict("records"):
            y = heights[str(row["subgroup"]), str(row["level"])] + offsets[name]
            draw_interval(axes, y, row["low"], row["high"], vertical=False, colour=style.colour)
            axes.plot(
                row["estimate"],
                y,
                marker=style.marker,
                color=style.colour,
                markersize=4.5,
                markeredgecolor="white",
                markeredgewidth=0.4,
                linestyle="none",
                label=label,
                zorder=5,
            )
            # Named once in the legend; matplotlib leaves out what starts with an underscore.
            label = "_"


def _offsets(count: int) -> list[float]:
    """Inches of each variant from the middle of its row."""
    return ((np.arange(count) - (count - 1) / 2) * _VARIANT_INCHES).tolist()


def _name_rows(
    axes: Axes,
    heights: Mapping[tuple[str, str], float],
    headings: Mapping[str, float],
    row_inches: float,
) -> None:
    axes.set_yticks(
        [*headings.values(), *heights.values()], [*headings, *(level for _, level in heights)]
    )
    for text in axes.get_yticklabels()[: len(headings)]:
        text.set_fontweight("bold")
    for stripe in list(heights.values())[::2]:
        axes.axhspan(stripe - row_inches / 2, stripe + row_inches / 2, color="#f5f5f5", zorder=0)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)


def _size(frame: pd.DataFrame, level: tuple[str, str]) -> str:
    """Subjects of a level as text; variants may have scored different numbers of them."""
    of_level = (frame["subgroup"].astype(str) == level[0]) & (
        frame["level"].astype(str) == level[1]
    )
    fewest, most = frame.loc[of_level, "n"].min(), frame.loc[of_level, "n"].max()
    if fewest < FEWEST_SHOWN:
        return TOO_FEW
    return f"{fewest:,g}" if fewest == most else f"{fewest:,g}{EN_DASH}{most:,g}"
