"""Sheets of cines, real beside drawn: over the cycle, at ED and ES, and at the ends of a phenotype.

Every row says on its left what it is; what a model drew and what was simulated is marked there.
Pixels are square, and the grey window is the same for all and stated at the foot.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.cine_files.about import ASSUMED_CYCLE_S, cine_mark
from cardionets_core.evaluate.cine_files.gif import animation
from cardionets_core.evaluate.cine_files.pictures import Panel, render
from cardionets_core.evaluate.cine_files.writing import checked_cine
from cardionets_core.evaluate.plots.canvas import Marks
from cardionets_core.evaluate.plots.cine_grid import Band, Block, Strip, draw_bands
from cardionets_core.weights.atomic import atomic_file

WINDOW = (-1.0, 1.0)
ES_RULE = "ED is the first frame; ES the one that differs most from it (mean absolute difference)"


class CineRow(NamedTuple):
    """A row of a sheet.

    Attributes:
        label: What it is, e.g. ``real`` or the generator's name.
        cine: Frames over the cycle, (T, H, W) in [-1, 1]; (n, T, H, W) where it stands for many.
        synthetic: Whether a model drew it.
        simulated: Whether it rests on simulated subjects.
    """

    label: str
    cine: NDArray[np.floating]
    synthetic: bool
    simulated: bool

    @property
    def mark(self) -> str:
        """What stands in capitals beside it."""
        return cine_mark(synthetic=self.synthetic, simulated=self.simulated)


class CineGroup(NamedTuple):
    """The rows of one subject, under a neutral heading."""

    title: str
    rows: Sequence[CineRow]


def end_systole(cine: ArrayLike) -> int:
    """The frame of a cine (T, H, W) that differs most from the first one."""
    frames = np.asarray(cine, dtype=np.float64)
    return int(np.abs(frames - frames[0]).mean(axis=(1, 2)).argmax())


def draw_contact_sheet(
    groups: Sequence[CineGroup],
    path: Path,
    *,
    frames: int = 10,
    window: tuple[float, float] = WINDOW,
    title: str = "",
    note: str = "",
) -> None:
    """Draw cines of several subjects, a row each, with frames spread evenly over the cycle.

    Args:
        groups: One per subject.
        path: File to write, without suffix: ``.png`` and ``.svg`` are appended.
        frames: Frames of each cine that are shown.
        window: Values that are drawn black and white.
        title: Heading.
        note: Further words for the footnote.

    Raises:
        EvaluationError: If there is nothing to draw.
        CineError: If a cine is none in [-1, 1].
    """
    bands = []
    for group in _some(groups):
        strips: list[Strip] = []
        for row in group.rows:
            cine = checked_cine(row.cine)
            shown = np.linspace(0, len(cine), min(frames, len(cine)), endpoint=False).astype(int)
            captions = tuple(f"{frame + 1} of {len(cine)}" for frame in shown) if not strips else ()
            strips.append(Strip(cine[shown], captions))
        bands.append(Band(group.title, _labels(group.rows), [Block("", strips)]))
    draw_bands(bands, path, window, _marks([group.rows for group in groups], title, note))


def draw_ed_es_sheet(
    groups: Sequence[CineGroup],
    path: Path,
    *,
    per_line: int = 4,
    window: tuple[float, float] = WINDOW,
    title: str = "",
    note: str = "",
) -> None:
    """Draw end-diastole and end-systole of several subjects, whose rows have the same labels.

    Args:
        groups: One per subject.
        path: File to write, without suffix: ``.png`` and ``.svg`` are appended.
        per_line: Subjects side by side.
        window: Values that are drawn black and white.
        title: Heading.
        note: Further words for the footnote.

    Raises:
        EvaluationError: If there is nothing to draw, or the rows differ from subject to subject.
        CineError: If a cine is none in [-1, 1].
    """
    labels = _labels(_some(groups)[0].rows)
    if any(_labels(group.rows) != labels for group in groups):
        raise EvaluationError(
            "ED and ES of subjects with rows of different labels; needed the same for each: draw "
            "them on sheets of their own"
        )
    blocks = [
        Block(group.title, [_ed_es(checked_cine(row.cine)) for row in group.rows])
        for group in groups
    ]
    bands = [
        Band("", labels, blocks[first : first + per_line])
        for first in range(0, len(blocks), per_line)
    ]
    marks = _marks([group.rows for group in groups], title, f"{ES_RULE}. {note}".strip())
    draw_bands(bands, path, window, marks)


def draw_decile_sheet(
    rows: Sequence[CineRow],
    values: ArrayLike,
    path: Path,
    *,
    phenotype: str,
    unit: str = "",
    subjects: int = 3,
    window: tuple[float, float] = WINDOW,
    title: str = "",
    note: str = "",
) -> None:
    """Draw subjects of the lowest and highest tenth of a phenotype, and the mean of each tenth.

    Args:
        rows: Cines (n, T, H, W) of the same n subjects, e.g. real and generated.
        values: The phenotype, measured on the subjects, (n,); those without a number are left out.
        path: File to write, without suffix: ``.png`` and ``.svg`` are appended.
        phenotype: Its name.
        unit: Its unit.
        subjects: Subjects shown of each tenth: those spread evenly over it.
        window: Values that are drawn black and white.
        title: Heading.
        note: Further words for the footnote.

    Raises:
        EvaluationError: If fewer than 10 subjects have a value, or a row has other subjects.
        CineError: If a cine is none in [-1, 1].

    Source: the paper's Fig. 5c shows subjects at the ends of LV mass.
    """
    measured = np.asarray(values, dtype=np.float64)
    order = np.argsort(measured, kind="stable")[: np.isfinite(measured).sum()]
    if len(order) < 10 or not rows or any(len(row.cine) != len(measured) for row in rows):
        raise EvaluationError(
            f"a sheet of tenths of {phenotype} from {len(order)} values and cines of "
            f"{[len(row.cine) for row in rows]} subjects; needed 10 or more with a value, and as "
            "many cines as values in each row"
        )
    tenth = len(order) // 10
    bands = [
        _tenth_band(f"{name} tenth of {phenotype}", unit, rows, measured, chosen, subjects)
        for name, chosen in (("lowest", order[:tenth]), ("highest", order[-tenth:]))
    ]
    draw_bands(bands, path, window, _marks([rows], title, f"{ES_RULE}. {note}".strip()))


def write_side_by_side(
    rows: Sequence[CineRow],
    path: Path,
    *,
    cycle_s: float | None = None,
    foot: Sequence[str] = (),
) -> None:
    """Write cines of one subject side by side as a GIF, each with its label and mark above.

    Args:
        rows: Cines with the same number of frames and pixels.
        path: File to write, ``.gif``.
        cycle_s: Length of the heart beat in seconds; a second if unknown.
        foot: Lines of text below.

    Raises:
        EvaluationError: If there is none, or they differ in frames or pixels.
        CineError: If a cine is none in [-1, 1].
    """
    panels = [Panel(checked_cine(row.cine), row.mark, row.label) for row in rows]
    shapes = {panel.cine.shape for panel in panels}
    if len(shapes) != 1:
        raise EvaluationError(
            f"cines of shapes {sorted(shapes)} side by side; needed one or more of one shape"
        )
    told = "; ".join(f"{row.label}: {row.mark}" for row in rows if row.mark)
    data = animation(render(panels, foot), cycle_s or ASSUMED_CYCLE_S, told)
    with atomic_file(path) as file:
        file.write(data)


def _tenth_band(
    name: str,
    unit: str,
    rows: Sequence[CineRow],
    values: NDArray[np.float64],
    chosen: NDArray[np.intp],
    subjects: int,
) -> Band:
    low, high = values[chosen].min(), values[chosen].max()
    picked = chosen[np.unique(np.linspace(0, len(chosen) - 1, subjects).round().astype(int))]
    cines = [[checked_cine(row.cine[subject]) for subject in chosen] for row in rows]
    means = [_mean_ed_es(of_row) for of_row in cines]
    blocks = [Block(f"mean of {len(chosen)}", means)]
    places = {subject: place for place, subject in enumerate(chosen.tolist())}
    blocks += [
        Block(
            f"{values[subject]:.4g} {unit}".strip(),
            [_ed_es(of_row[places[subject]]) for of_row in cines],
        )
        for subject in picked.tolist()
    ]
    heading = f"{name}: {low:.4g} to {high:.4g} {unit}".strip()
    return Band(heading, _labels(rows), blocks)


def _ed_es(cine: NDArray[np.float32]) -> Strip:
    last = end_systole(cine)
    return Strip(cine[[0, last]], ("ED", f"ES, {last + 1} of {len(cine)}"))


def _mean_ed_es(cines: Sequence[NDArray[np.float32]]) -> Strip:
    both = np.mean([cine[[0, end_systole(cine)]] for cine in cines], axis=0)
    return Strip(both, ("ED", "ES"))


def _labels(rows: Sequence[CineRow]) -> list[tuple[str, str]]:
    return [(row.label, row.mark) for row in rows]


def _some(groups: Sequence[CineGroup]) -> Sequence[CineGroup]:
    if not groups or any(not group.rows for group in groups):
        raise EvaluationError("no cine to draw; needed one or more rows for each subject")
    return groups


def _marks(rows: Sequence[Sequence[CineRow]], title: str, note: str) -> Marks:
    simulated = any(row.simulated for of_group in rows for row in of_group)
    return Marks(title, note, simulated=simulated, overlap=False)
