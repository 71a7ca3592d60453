"""Forest plot of differences between variants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cardionets_core.evaluate.plots.canvas import Marks, canvas
from cardionets_core.evaluate.plots.frames import (
    require_columns,
    require_one_row_each,
    require_ordered,
)
from cardionets_core.evaluate.plots.looks import (
    EN_DASH,
    INK,
    RULE,
    draw_interval,
    metric_label,
    p_text,
    signed,
)
from cardionets_core.evaluate.plots.rows import TextColumn, text_columns

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLOUR = "#0072b2"
_ROW_INCHES = 0.24
# Labels on the left and the interval's name on the right must not squeeze the plot between them.
_PLOT_INCHES, _LETTER_INCHES = 6.0, 0.07
SIGNIFICANT_BELOW = 0.05


def forest_figure(
    frame: pd.DataFrame,
    path: Path,
    *,
    metric: str,
    simulated: bool,
    overlap: bool = False,
    title: str = "",
    interval: str = "95 % CI",
) -> None:
    """Draw differences with their intervals, and p and Cohen's d_z as text beside them.

    Args:
        frame: Columns ``label`` (e.g. "CardioNets - SSL, CM"), ``difference``, ``low``, ``high``,
            ``p`` (Holm-adjusted) and ``d_z`` (paired, of per-subject loss; NaN prints a dash).
        path: File to write, without suffix.
        metric: Name of the metric, e.g. ``auc``.
        simulated: True if subjects were simulated; printed on the figure.
        overlap: True if pre-training and test subjects overlap; printed on the figure.
        title: Heading.
        interval: What ``low`` and ``high`` are; printed above the column.

    Raises:
        EvaluationError: If a column or number is missing, or a label comes twice.
    """
    numbers = ("difference", "low", "high", "p")
    require_columns(frame, "forest plot", names=("label", "d_z"), numbers=numbers)
    require_one_row_each(frame, "forest plot", ("label",))
    require_ordered(frame, "forest plot")
    note = (
        f"p: Holm-adjusted over the rows of this table; filled where p < {SIGNIFICANT_BELOW:g}; "
        "d_z: paired Cohen's d of per-subject loss"
    )
    labels = max(len(str(label)) for label in frame["label"])
    width = _PLOT_INCHES + _LETTER_INCHES * (labels + len(interval))
    size = (width, _ROW_INCHES * len(frame) + 1.1)
    with canvas(path, size, Marks(title, note, simulated, overlap)) as figure:
        axes = figure.add_subplot()
        _differences(axes, frame)
        axes.set_xlabel(f"difference in {metric_label(metric)} (first minus second)")
        text_columns(axes, range(len(frame)), _texts(frame, interval), -0.85)


def _differences(axes: Axes, frame: pd.DataFrame) -> None:
    axes.axvline(0, color=INK, linewidth=0.9)
    for at, row in enumerate(frame.to_dict("records")):
        draw_interval(axes, at, row["low"], row["high"], vertical=False, colour=_COLOUR)
        axes.plot(
            row["difference"],
            at,
            "s",
            markersize=5,
            color=_COLOUR if row["p"] < SIGNIFICANT_BELOW else "white",
            markeredgecolor=_COLOUR,
            zorder=5,
        )
    axes.set_yticks(range(len(frame)), frame["label"].astype(str))
    axes.set_ylim(len(frame) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=5)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)


def _texts(frame: pd.DataFrame, interval: str) -> list[TextColumn]:
    rows = frame.to_dict("records")
    return [
        TextColumn(
            f"difference [{interval}]",
            [f"{signed(r['difference'])} [{signed(r['low'])}, {signed(r['high'])}]" for r in rows],
        ),
        TextColumn("p", [p_text(row["p"]) for row in rows]),
        TextColumn(
            "d_z", [signed(r["d_z"], 2) if np.isfinite(r["d_z"]) else EN_DASH for r in rows]
        ),
    ]
