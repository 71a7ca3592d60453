"""Tables as colour: confusion matrices and R2 per group of phenotypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.plots.canvas import Marks, canvas
from cardionets_core.evaluate.plots.frames import finite_array, require_columns
from cardionets_core.evaluate.plots.layout import grid_shape, panel_axes
from cardionets_core.evaluate.plots.looks import INK, MINUS, SMALL_PT, metric_label

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_PANELS_PER_ROW = 4
_SCALE = "Blues"


def confusion_figure(
    matrices: Mapping[str, ArrayLike],
    classes: Sequence[str],
    path: Path,
    *,
    simulated: bool,
    overlap: bool = False,
    title: str = "",
) -> None:
    """Draw confusion matrices: colour is the share of the true class; counts are written in.

    Args:
        matrices: Variant -> counts (K, K), rows true classes, columns predicted ones.
        classes: Names of the K classes.
        path: File to write, without suffix.
        simulated: True if subjects were simulated; printed on the figure.
        overlap: True if pre-training and test subjects overlap; printed on the figure.
        title: Heading.

    Raises:
        EvaluationError: If there is no matrix, or one is not K x K counts.
    """
    checked = {name: _counts(matrix, classes, name) for name, matrix in matrices.items()}
    if not checked:
        raise EvaluationError(
            "confusion figure: no matrix, but one or more are needed; score a variant first"
        )
    rows, columns = grid_shape(len(checked), _PANELS_PER_ROW)
    side_inches = max(1.7, 0.55 * len(classes)) + 0.35
    size = (side_inches * columns + 0.8, (side_inches + 0.35) * rows)
    with canvas(path, size, Marks(title, "", simulated, overlap)) as figure:
        all_axes = panel_axes(figure, len(checked), _PANELS_PER_ROW)
        for place, (axes, name) in enumerate(zip(all_axes, checked, strict=True)):
            image = _confusion_panel(axes, checked[name], classes)
            axes.set_title(name, fontweight="bold", loc="left")
            axes.set_xlabel("predicted")
            axes.set_ylabel("" if place % columns else "true")
        bar = figure.colorbar(image, ax=all_axes, shrink=0.8, pad=0.02, aspect=22)
        bar.set_label("share of the true class (%)")
        bar.outline.set_visible(False)


def _counts(matrix: ArrayLike, classes: Sequence[str], name: str) -> NDArray[np.float64]:
    counts = finite_array(matrix, f"confusion matrix of {name}")
    if counts.shape != (len(classes), len(classes)) or (counts < 0).any():
        raise EvaluationError(
            f"confusion matrix of {name}: shape {counts.shape}, lowest {counts.min():g}, but "
            f"counts of shape {(len(classes), len(classes))} are needed, one row and column per "
            "class"
        )
    return counts


def _confusion_panel(axes: Axes, counts: NDArray[np.float64], classes: Sequence[str]) -> AxesImage:
    totals = counts.sum(axis=1, keepdims=True)
    percent = 100 * np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    texts = [
        [
            f"{count:,g}\n({share:.0f} %)" if total else "0"
            for count, share in zip(own, shares, strict=True)
        ]
        for own, shares, total in zip(counts, percent, totals[:, 0], strict=True)
    ]
    return _coloured_table(axes, percent, texts, (classes, classes), (0, 100))


def phenotype_heat_figure(
    frame: pd.DataFrame,
    path: Path,
    *,
    simulated: bool,
    metric: str = "r2",
    overlap: bool = False,
    title: str = "",
) -> None:
    """Draw a metric of every variant per group of phenotypes as an annotated heat map.

    Args:
        frame: Index: groups of phenotypes; columns: variants; values: the metric.
        path: File to write, without suffix.
        simulated: True if subjects were simulated; printed on the figure.
        metric: Name of the metric.
        overlap: True if pre-training and test subjects overlap; printed on the figure.
        title: Heading.

    Raises:
        EvaluationError: If the table is empty or has a gap.
    """
    require_columns(frame, "phenotype heat map", numbers=list(frame.columns))
    values = frame.to_numpy(dtype=np.float64)
    texts = [[f"{value:z.2f}".replace("-", MINUS) for value in row] for row in values]
    names = ([str(group) for group in frame.index], [str(name) for name in frame.columns])
    size = (0.72 * values.shape[1] + 2.0, 0.3 * values.shape[0] + 1.1)
    with canvas(path, size, Marks(title, "", simulated, overlap)) as figure:
        axes = figure.add_subplot()
        # Below 0 is worse than guessing the mean: one colour, so that an outlier leaves the rest.
        limits = (0.0, max(values.max(), 0.1))
        image = _coloured_table(axes, values, texts, names, limits)
        axes.set_aspect("auto")
        bar = figure.colorbar(image, ax=axes, pad=0.03, aspect=22)
        bar.set_label(metric_label(metric))
        bar.outline.set_visible(False)


def _coloured_table(
    axes: Axes,
    values: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    names: tuple[Sequence[str], Sequence[str]],
    limits: tuple[float, float],
) -> AxesImage:
    """Cells coloured by value with text on top; ``names`` are those of rows and of columns."""
    low, high = limits
    image = axes.imshow(values, cmap=_SCALE, vmin=low, vmax=high, interpolation="none")
    for (row, column), value in np.ndenumerate(values):
        # White on the dark end of the scale, ink elsewhere.
        colour = "white" if (value - low) / (high - low) > 0.55 else INK
        axes.text(
            column,
            row,
            texts[row][column],
            ha="center",
            va="center",
            color=colour,
            fontsize=SMALL_PT,
        )
    rows, columns = names
    axes.set_yticks(range(len(rows)), rows)
    slanted = max(map(len, columns)) > 10
    axes.set_xticks(
        range(len(columns)),
        columns,
        rotation=40 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
    )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image
