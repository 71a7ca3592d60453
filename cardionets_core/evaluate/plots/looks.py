"""How variants, intervals and numbers look in every figure of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, GREY, RULE = "#222222", "#6b6b6b", "#e4e4e4"
SMALL_PT = 7.0
_LEAST_P = 0.001
MINUS, EN_DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
# Okabe and Ito 2008, distinct for colour-blind readers; yellow comes last, being faint on white.
_COLOURS = (
    "#56b4e9",
    "#0072b2",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#e69f00",
    "#000000",
    "#f0e442",
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))
_HATCHES = ("", "////", "....", "xxxx")

_METRIC_LABELS: Mapping[str, str] = {
    "auc": "AUC",
    "r2": "R²",
    "map": "mean average precision",
    "mean_average_precision": "mean average precision",
    "balanced_accuracy": "balanced accuracy",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "mae": "MAE",
    "rmse": "RMSE",
    "pearson": "Pearson r",
    "brier": "Brier score",
}


class Look(NamedTuple):
    """How one variant is drawn in every figure of a study."""

    colour: str
    marker: str
    dash: Any
    hatch: str


def looks(labels: Sequence[str], variants: Sequence[str] = ()) -> dict[str, Look]:
    """Colour, marker, dash and hatch per label.

    Args:
        labels: Labels of one figure, in order.
        variants: Labels of the whole study, in order; they are served first, so that a variant
            looks the same in a figure that leaves others out.
    """
    names = dict.fromkeys((*variants, *labels))
    count = len(_COLOURS)
    return {
        name: Look(
            _COLOURS[i % count],
            _MARKERS[i % count],
            _DASHES[i // count % len(_DASHES)],
            _HATCHES[i // count % len(_HATCHES)],
        )
        for i, name in enumerate(names)
    }


def metric_label(metric: str) -> str:
    """A metric as printed on an axis: ``auc`` becomes AUC; a name not known stays as it is."""
    return _METRIC_LABELS.get(metric, metric)


def draw_interval(
    axes: Axes, at: float, low: float, high: float, *, vertical: bool, colour: str = INK
) -> None:
    """An error bar with caps and a white halo, so that it shows on any colour."""
    ends = (low, high)
    x, y = ((at, at), ends) if vertical else (ends, (at, at))
    for shade, width, cap in (("white", 2.4, 6.4), (colour, 1.1, 5.0)):
        axes.plot(
            x,
            y,
            color=shade,
            linewidth=width,
            marker="_" if vertical else "|",
            markersize=cap,
            markeredgewidth=width,
            clip_on=False,
            zorder=4,
        )


def signed(value: float, digits: int = 3) -> str:
    """A difference as text, with its sign and a true minus."""
    return f"{value:+z.{digits}f}".replace("-", MINUS)


def p_equation(p: float) -> str:
    """A p-value as written above a bar: ``p = 0.021`` or ``p < 0.001``."""
    return f"p {p_text(p)}" if p < _LEAST_P else f"p = {p_text(p)}"


def p_text(p: float) -> str:
    """A p-value as text: three digits, or ``< 0.001``."""
    return f"< {_LEAST_P:g}" if p < _LEAST_P else f"{p:.3f}"
