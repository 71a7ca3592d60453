"""Curves of variants over the number of labels and over the decision threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cardionets_core.evaluate.plots.canvas import Marks, canvas
from cardionets_core.evaluate.plots.frames import (
    in_order,
    panels_of,
    require_columns,
    require_one_row_each,
    require_ordered,
)
from cardionets_core.evaluate.plots.layout import (
    grid_shape,
    legend_below,
    legend_inches,
    panel_axes,
)
from cardionets_core.evaluate.plots.looks import (
    GREY,
    INK,
    RULE,
    Look,
    draw_interval,
    looks,
    metric_label,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_PANELS_PER_ROW = 3
_MOST_TICKS = 6
_LOG_FROM = 10.0
_STRATEGIES = ("treat all", "treat none")


def label_efficiency_figure(
    frame: pd.DataFrame,
    path: Path,
    *,
    metric: str,
    simulated: bool,
    xlabel: str = "training labels",
    overlap: bool = False,
    title: str = "",
    interval: str = "95 % CI",
    variants: Sequence[str] = (),
) -> None:
    """Draw a metric of each variant over the number of training labels, with bands.

    The axis of labels is logarithmic if they differ by more than ten times.

    Args:
        frame: Columns ``variant``, ``labels`` (above 0), ``estimate``, ``low``, ``high``; optional
            ``panel`` (one panel per value, e.g. a task).
        path: File to write, without suffix.
        metric: Name of the metric, e.g. ``auc``.
        simulated: True if subjects were simulated; printed on the figure.
        xlabel: What ``labels`` counts.
        overlap: True if pre-training and test subjects overlap; printed on the figure.
        title: Heading.
        interval: What ``low`` and ``high`` are; printed as footnote.
        variants: All variants of the study in order, for the same colours in every figure.

    Raises:
        EvaluationError: If a column or number is missing, or a variant has two rows at one count.
    """
    numbers = ("labels", "estimate", "low", "high")
    require_columns(frame, "label-efficiency figure", names=("variant",), numbers=numbers)
    require_one_row_each(frame, "label-efficiency figure", ("variant", "labels"))
    require_ordered(frame, "label-efficiency figure")
    look = looks(in_order(frame["variant"].tolist()), variants)
    marks = Marks(title, f"intervals: {interval}", simulated, overlap)
    panels = panels_of(frame)
    with canvas(
        path, _size_inches(len(panels), in_order(frame["variant"].tolist())), marks
    ) as figure:
        all_axes = panel_axes(figure, len(panels), _PANELS_PER_ROW, sharey=True)
        for axes, (heading, rows) in zip(all_axes, panels, strict=True):
            _label_curves(axes, rows, look)
            axes.set(xlabel=xlabel)
            axes.set_title(heading, fontweight="bold", loc="left")
        for axes in all_axes[:: grid_shape(len(panels), _PANELS_PER_ROW)[1]]:
            axes.set_ylabel(metric_label(metric))
        legend_below(figure, all_axes, list(look))


def _size_inches(panels: int, labels: Sequence[str]) -> tuple[float, float]:
    rows, columns = grid_shape(panels, _PANELS_PER_ROW)
    width = 4.2 if columns == 1 else 2.5 * columns
    return width, rows * (2.7 if columns == 1 else 2.2) + legend_inches(labels, width)


def _label_curves(axes: Axes, frame: pd.DataFrame, look: dict[str, Look]) -> None:
    counts = sorted(set(frame["labels"]))
    names = in_order(frame["variant"].tolist())
    # With a single count the variants would lie on one line: set them side by side.
    step = 0.03 * counts[0] if len(counts) == 1 else 0.0
    for name, rows in frame.groupby("variant", sort=False):
        style, curve = look[str(name)], rows.sort_values("labels")
        x = curve["labels"].to_numpy() + step * (names.index(str(name)) - (len(names) - 1) / 2)
        if len(x) > 1:
            axes.fill_between(
                x, curve["low"], curve["high"], color=style.colour, alpha=0.14, linewidth=0
            )
        else:
            # A band of one point would be invisible.
            low, high = curve["low"].iloc[0], curve["high"].iloc[0]
            draw_interval(axes, x[0], low, high, vertical=True, colour=style.colour)
        axes.plot(
            x,
            curve["estimate"],
            color=style.colour,
            linestyle=style.dash,
            linewidth=1.6,
            marker=style.marker,
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            label=str(name),
            zorder=5,
        )
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    _label_ticks(axes, counts)


def _label_ticks(axes: Axes, counts: Sequence[float]) -> None:
    if counts[-1] > _LOG_FROM * counts[0]:
        axes.set_xscale("log")
        axes.minorticks_off()
    if len(counts) <= _MOST_TICKS:
        axes.set_xticks(counts)
    axes.xaxis.set_major_formatter(lambda count, _: f"{count:,g}")


def decision_curve_figure(
    frame: pd.DataFrame,
    path: Path,
    *,
    simulated: bool,
    overlap: bool = False,
    title: str = "",
    variants: Sequence[str] = (),
) -> None:
    """Draw the net benefit of each variant over the threshold, with treating all and none.

    Args:
        frame: Columns ``variant``, ``threshold``, ``net_benefit`` and ``treat_all`` (net benefit of
            treating everyone at that threshold); optional ``panel``. Treating none is 0.
        path: File to write, without suffix.
        simulated: True if subjects were simulated; printed on the figure.
        overlap: True if pre-training and test subjects overlap; printed on the figure.
        title: Heading.
        variants: All variants of the study in order, for the same colours in every figure.

    Raises:
        EvaluationError: If a column or number is missing, or a threshold comes twice.

    Source: Vickers and Elkin 2006.
    """
    numbers = ("threshold", "net_benefit", "treat_all")
    require_columns(frame, "decision curve", names=("variant",), numbers=numbers)
    require_one_row_each(frame, "decision curve", ("variant", "threshold"))
    look = looks(in_order(frame["variant"].tolist()), variants)
    panels = panels_of(frame)
    size = _size_inches(len(panels), [*in_order(frame["variant"].tolist()), *_STRATEGIES])
    with canvas(path, size, Marks(title, "", simulated, overlap)) as figure:
        all_axes = panel_axes(figure, len(panels), _PANELS_PER_ROW)
        for axes, (heading, rows) in zip(all_axes, panels, strict=True):
            _benefit_curves(axes, rows, look)
            axes.set_title(heading, fontweight="bold", loc="left")
        for axes in all_axes[:: grid_shape(len(panels), _PANELS_PER_ROW)[1]]:
            axes.set_ylabel("net benefit")
        legend_below(figure, all_axes, list(look))


def _benefit_curves(axes: Axes, frame: pd.DataFrame, look: dict[str, Look]) -> None:
    everyone = frame.drop_duplicates("threshold").sort_values("threshold")
    treat_all, treat_none = _STRATEGIES
    axes.plot(
        everyone["threshold"], everyone["treat_all"], color=GREY, linewidth=1.1, label=treat_all
    )
    axes.axhline(0, color=INK, linewidth=1.1, linestyle=(0, (4, 2)), label=treat_none)
    for name, rows in frame.groupby("variant", sort=False):
        style, curve = look[str(name)], rows.sort_values("threshold")
        axes.plot(
            curve["threshold"],
            curve["net_benefit"],
            color=style.colour,
            linestyle=style.dash,
            linewidth=1.6,
            label=str(name),
        )
    # Treating all falls without bound; only what lies near or above treating none matters.
    top = max(frame["net_benefit"].max(), frame["treat_all"].max(), 1e-3)
    axes.set_ylim(-0.2 * top, 1.08 * top)
    axes.set(xlabel="threshold probability")
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
