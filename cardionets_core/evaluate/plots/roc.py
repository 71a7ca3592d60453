"""Receiver operating characteristics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.plots.canvas import Marks, canvas
from cardionets_core.evaluate.plots.frames import finite_array, in_order
from cardionets_core.evaluate.plots.layout import grid_shape, panel_axes
from cardionets_core.evaluate.plots.looks import GREY, RULE, SMALL_PT, Look, looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RocCurve: TypeAlias = tuple[ArrayLike, ArrayLike, str]
_Points: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], str]
_PANELS_PER_ROW = 4
# More entries than this would cover the curves.
_MOST_INSIDE = 3
_ENTRY_INCHES, _BELOW_INCHES = 0.125, 0.42


def roc_figure(
    curves: Mapping[str, Mapping[str, RocCurve]],
    path: Path,
    *,
    simulated: bool,
    overlap: bool = False,
    title: str = "",
    variants: Sequence[str] = (),
) -> None:
    """Draw ROC curves, one panel per variant with a curve per class, or the other way round.

    Args:
        curves: Heading of a panel -> name of a curve -> false-positive rate (n,), true-positive
            rate (n,), and the AUC as text for the legend.
        path: File to write, without suffix.
        simulated: True if subjects were simulated; printed on the figure.
        overlap: True if pre-training and test subjects overlap; printed on the figure.
        title: Heading.
        variants: All names of curves in order, for the same colours in every figure.

    Raises:
        EvaluationError: If there is no curve, or one is not a pair of equally long rates in [0, 1].
    """
    panels = {
        heading: {name: _checked(curve, f"ROC of {heading}, {name}") for name, curve in own.items()}
        for heading, own in curves.items()
    }
    names = in_order([name for own in panels.values() for name in own])
    if not names or not all(panels.values()):
        raise EvaluationError(
            f"{len(names)} ROC curves in {len(panels)} panels, but one or more per panel are "
            "needed; check that both classes were scored"
        )
    look = looks(names, variants)
    columns = grid_shape(len(panels), _PANELS_PER_ROW)[1]
    most = max(map(len, panels.values()))
    below = most > _MOST_INSIDE
    size = _size_inches(len(panels), most if below else 0, titled=bool(title))
    with canvas(path, size, Marks(title, "", simulated, overlap)) as figure:
        all_axes = panel_axes(figure, len(panels), _PANELS_PER_ROW, sharey=True)
        for axes, (heading, own) in zip(all_axes, panels.items(), strict=True):
            _roc_panel(axes, own, look)
            _list_aucs(figure, axes, below=below)
            axes.set_title(heading, fontweight="bold", loc="left")
        for axes in all_axes[::columns]:
            axes.set_ylabel("true-positive rate")


def _size_inches(panels: int, entries_below: int, *, titled: bool) -> tuple[float, float]:
    """Size at which the axes come out square; a fixed aspect would spoil the layout's sums."""
    rows, columns = grid_shape(panels, _PANELS_PER_ROW)
    side = 2.8 if columns == 1 else 1.95
    list_inches = 0.1 + _ENTRY_INCHES * entries_below if entries_below else 0.0
    return (side + 0.2) * columns + 0.4, (side + 0.6 + list_inches) * rows + 0.25 * titled


def _checked(curve: RocCurve, where: str) -> _Points:
    false_positive = finite_array(curve[0], where)
    true_positive = finite_array(curve[1], where)
    both = np.concatenate([false_positive.ravel(), true_positive.ravel()])
    if false_positive.shape != true_positive.shape or false_positive.ndim != 1:
        raise EvaluationError(
            f"{where}: rates of shapes {false_positive.shape} and {true_positive.shape}, but two "
            "of the same length are needed; take both from one curve"
        )
    if both.min() < 0 or both.max() > 1:
        raise EvaluationError(
            f"{where}: rates from {both.min():g} to {both.max():g}, but rates in [0, 1] are "
            "needed; divide counts by their class"
        )
    return false_positive, true_positive, curve[2]


def _roc_panel(axes: Axes, curves: Mapping[str, _Points], look: Mapping[str, Look]) -> None:
    axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    for name, (false_positive, true_positive, auc) in curves.items():
        axes.plot(
            false_positive,
            true_positive,
            color=look[name].colour,
            linestyle=look[name].dash,
            linewidth=1.5,
            label=f"{name} {auc}".rstrip(),
            clip_on=False,
        )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="false-positive rate")
    axes.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
    axes.set_yticks((0, 0.5, 1), ("0", "0.5", "1"))
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)


def _list_aucs(figure: Figure, axes: Axes, *, below: bool) -> None:
    from matplotlib.transforms import ScaledTranslation  # noqa: PLC0415

    shift = ScaledTranslation(0, -_BELOW_INCHES if below else 0, figure.dpi_scale_trans)
    axes.legend(
        loc="upper center" if below else "lower right",
        bbox_to_anchor=(0.5 if below else 1.0, 0.0),
        bbox_transform=axes.transAxes + shift,
        fontsize=SMALL_PT - 0.5,
        handlelength=1.5,
        handletextpad=0.5,
        labelspacing=0.3,
        borderaxespad=0.2,
    )
