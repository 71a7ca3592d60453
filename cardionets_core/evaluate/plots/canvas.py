"""What the study's figures share: style, colours, stamps, and writing PNG and SVG in full."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

from cardionets_core.evaluate.plots.looks import GREY, INK
from cardionets_core.weights.atomic import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIMULATED_STAMP = "simulated data"
OVERLAP_STAMP = "pre-training and test subjects overlap"
_ALARM = "#8a1c1c"
_FOOT_PT, _HEADING_PT = 7.5, 9.5
_DPI = 200

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "axes.linewidth": 0.8,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    # Names come from users: a dollar sign in one is no formula.
    "text.parse_math": False,
    # Text stays text: searchable, and editable in a drawing program.
    "svg.fonttype": "none",
    # Same figure, same bytes: no random ids in the SVG.
    "svg.hashsalt": "cardionets",
}
# matplotlib's settings are one per process, so figures of several threads are drawn in turn.
_DRAWING = threading.Lock()


class Marks(NamedTuple):
    """What is written around a figure: heading, footnote and the two warnings.

    Attributes:
        title: Heading, or nothing.
        note: Footnote, e.g. what the error bars are.
        simulated: Stamps ``SIMULATED_STAMP``.
        overlap: Stamps ``OVERLAP_STAMP``.
    """

    title: str
    note: str
    simulated: bool
    overlap: bool


@contextmanager
def canvas(path: Path, size_inches: tuple[float, float], marks: Marks) -> Iterator[Figure]:
    """A figure to draw on; when the block ends well it is written as PNG and SVG.

    Args:
        path: File to write, without suffix: ``.png`` and ``.svg`` are appended.
        size_inches: Width and height; what sticks out is kept all the same.
        marks: Heading, footnote and stamps.

    Raises:
        WeightsError: If a file cannot be written; an old one is unchanged.
    """
    import matplotlib  # noqa: PLC0415 - half a second, spared to whoever draws nothing
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with _DRAWING, matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size_inches, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        _mark(figure, marks)
        rendered = {suffix: _rendered(figure, suffix) for suffix in ("png", "svg")}
    for suffix, data in rendered.items():
        with atomic_file(path.with_name(f"{path.name}.{suffix}")) as file:
            file.write(data)


def _mark(figure: Figure, marks: Marks) -> None:
    """Write heading, footnote and stamps; the lower two below the figure, so nothing is hidden."""
    width_pt = 72 * figure.get_size_inches()[0]
    if marks.title:
        heading = fill(marks.title, int(width_pt / (0.68 * _HEADING_PT)))
        figure.suptitle(
            heading, x=0.005, ha="left", fontsize=_HEADING_PT, fontweight="bold", color=INK
        )
    stamps = [SIMULATED_STAMP] * marks.simulated + [OVERLAP_STAMP] * marks.overlap
    letters = int(width_pt / (0.55 * _FOOT_PT))
    stamp = ("; " if len("; ".join(stamps)) < letters else "\n").join(stamps)
    up_pt = -3.0
    for text, x, side, colour in (
        (fill(marks.note, letters), 0.005, "left", GREY),
        (stamp, 0.995, "right", _ALARM),
    ):
        if text:
            _foot(figure, text, (x, up_pt), side, colour)
            up_pt -= (_FOOT_PT + 3) * (text.count("\n") + 1)


def _foot(figure: Figure, text: str, at: tuple[float, float], side: str, colour: str) -> None:
    from matplotlib.transforms import ScaledTranslation  # noqa: PLC0415

    x, up_pt = at
    shift = ScaledTranslation(0, up_pt / 72, figure.dpi_scale_trans)
    figure.text(
        x,
        0,
        text,
        ha=side,
        va="top",
        color=colour,
        fontsize=_FOOT_PT,
        transform=figure.transFigure + shift,
    )


def _rendered(figure: Figure, suffix: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {"Date": None} if suffix == "svg" else None
    figure.savefig(
        buffer, format=suffix, dpi=_DPI, bbox_inches="tight", pad_inches=0.08, metadata=metadata
    )
    return buffer.getvalue()
