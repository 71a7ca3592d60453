"""Figures of a run, as PNG. matplotlib is imported only when one is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.weights.atomic import atomic_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_SUBJECTS_SHOWN = 64
PHASES: Mapping[str, str] = {"train": "training", "val": "validation"}
# Blue and vermilion of Okabe and Ito: distinct for colour-blind readers too.
COLOURS = ("#0072b2", "#d55e00")
STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def loss_figure(
    rows: Sequence[Mapping[str, Any]], path: Path, *, simulated: bool, title: str = "Loss"
) -> None:
    """Draw a run's losses over its epochs and mark the lowest validation loss, the one kept.

    Args:
        rows: Rows of ``metrics.jsonl``: ``phase`` (``train`` or ``val``), ``epoch`` counted from 0,
            ``loss``. Other phases are passed over.
        path: PNG to write.
        simulated: True if simulated subjects were used; printed on the figure.
        title: Heading.

    Raises:
        EvaluationError: If no row has a loss.
    """
    curves = {label: _curve(rows, phase) for phase, label in PHASES.items()}
    curves = {label: points for label, points in curves.items() if len(points)}
    if not curves:
        raise EvaluationError(
            f"none of {len(rows)} metrics rows has a loss; train for one epoch or more"
        )
    with _figure(path, (6.4, 4.0), simulated=simulated) as (_, axes):
        for colour, (label, points) in zip(COLOURS, curves.items(), strict=False):
            # A single epoch would be an invisible line.
            marker = "o" if len(points) == 1 else ""
            axes.plot(*points.T, color=colour, label=label, linewidth=1.8, marker=marker)
        _mark_lowest(axes, *curves.popitem())
        _finish_loss_axes(axes, title)


def _curve(rows: Sequence[Mapping[str, Any]], phase: str) -> NDArray[np.float64]:
    """Epoch, counted from 1, and loss of one phase: (n, 2)."""
    points = [(r["epoch"] + 1, r["loss"]) for r in rows if r.get("phase") == phase and "loss" in r]
    return np.asarray(points, dtype=np.float64).reshape(-1, 2)


def _mark_lowest(axes: Axes, label: str, points: NDArray[np.float64]) -> None:
    epoch, lowest = points[np.argmin(points[:, 1])]
    text = f"lowest {label} {lowest:.4g} (epoch {epoch:g})"
    axes.plot(epoch, lowest, "o", mfc="white", mec="#333333", mew=1.4, ms=7, label=text, ls="none")


def _finish_loss_axes(axes: Axes, title: str) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    axes.set(xlabel="epoch", ylabel="loss", title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(y=0.08)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend()


def similarity_figure(
    similarity: ArrayLike,
    path: Path,
    *,
    simulated: bool,
    title: str = "Similarity of ECG and CMR embeddings",
) -> None:
    """Draw cosine similarities of test subjects; each row's best match is dotted.

    Subjects are ordered so that similar ones lie side by side: structure beyond the diagonal then
    shows as blocks along it.

    Args:
        similarity: Cosines, (n, n), n up to 64; rows ECGs, columns CMRs in the same order.
        path: PNG to write.
        simulated: True for simulated subjects; printed on the figure.
        title: Heading.

    Raises:
        EvaluationError: If the matrix is not square, empty, too large or not finite.
    """
    matrix = _checked(similarity)
    order = similarity_order(matrix)
    matrix = matrix[np.ix_(order, order)]
    with _figure(path, (6.6, 6.2), simulated=simulated) as (figure, axes):
        limit = float(np.abs(matrix).max()) or 1.0
        image = axes.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="none")
        bar = figure.colorbar(image, ax=axes, shrink=0.85, pad=0.03)
        bar.set_label("cosine similarity")
        bar.outline.set_visible(False)
        axes.set_title(title, pad=22)
        _label_subjects(axes, len(matrix))
        _dot_best_matches(axes, matrix)


def _label_subjects(axes: Axes, count: int) -> None:
    ticks = np.unique(np.linspace(0, count - 1, min(count, 8)).round().astype(int))
    axes.set_xticks(ticks, [str(tick + 1) for tick in ticks])
    axes.set_yticks(ticks, [str(tick + 1) for tick in ticks])
    axes.set_xlabel(f"CMR of subject (1 to {count}, similar ones side by side)")
    axes.set_ylabel("ECG of subject (same order)")


def _dot_best_matches(axes: Axes, matrix: NDArray[np.float64]) -> None:
    count, best = len(matrix), matrix.argmax(axis=1)
    axes.plot(best, np.arange(count), "o", color="black", ms=2.2, label="each ECG's closest CMR")
    axes.legend(loc="upper left", bbox_to_anchor=(-0.04, -0.09), handletextpad=0.2)
    found = int((best == np.arange(count)).sum())
    text = f"{found} of {count} ECGs are closest to their own CMR; guessing finds 1"
    axes.annotate(text, (0, 1), (0, 7), xycoords="axes fraction", textcoords="offset points")


def _checked(similarity: ArrayLike) -> NDArray[np.float64]:
    matrix = np.asarray(similarity, dtype=np.float64)
    if matrix.ndim != 2 or len(set(matrix.shape)) != 1 or not 0 < len(matrix) <= MAX_SUBJECTS_SHOWN:
        raise EvaluationError(
            f"similarities of shape {matrix.shape}, but a square matrix of 1 to "
            f"{MAX_SUBJECTS_SHOWN} subjects is needed; draw a subset"
        )
    if not np.isfinite(matrix).all():
        raise EvaluationError(
            "similarities are not finite; check the checkpoint the embeddings were made with"
        )
    return matrix


def similarity_order(similarity: NDArray[np.float64]) -> NDArray[np.intp]:
    """Order of subjects (n,) along the main axis of their similarities (n, n).

    That axis is the first eigenvector of the symmetrised, doubly centred matrix.
    """
    mutual = (similarity + similarity.T) / 2
    mutual = mutual - mutual.mean(axis=0) - mutual.mean(axis=1, keepdims=True) + mutual.mean()
    axis = np.linalg.eigh(mutual).eigenvectors[:, -1]
    # An eigenvector's sign is arbitrary; this makes the figure the same on every machine.
    axis = axis * np.sign(axis[np.abs(axis).argmax()])
    return np.argsort(axis, kind="stable")


@contextmanager
def _figure(
    path: Path, size_inches: tuple[float, float], *, simulated: bool
) -> Iterator[tuple[Figure, Axes]]:
    """A figure to draw on, written to ``path`` in full when the block ends well.

    The object interface is used throughout: it needs no display and leaves pyplot alone.
    """
    import matplotlib  # noqa: PLC0415 - half a second, spared to whoever draws nothing
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size_inches, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        yield figure, axes
        if simulated:
            figure.text(
                0.995, 0.005, "simulated subjects", ha="right", va="bottom", color="#8a1c1c"
            )
        with atomic_file(path) as file:
            figure.savefig(file, format="png", dpi=150, bbox_inches="tight", pad_inches=0.12)
