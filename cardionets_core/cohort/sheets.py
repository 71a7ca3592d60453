"""Contact sheets: ECGs on paper and cines in a row, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.files import write_whole
from cardionets_core.cohort.reader import Cohort
from cardionets_core.ecg.canonical import CANONICAL_LEADS, CANONICAL_RATE_HZ, CANONICAL_SECONDS
from cardionets_core.ecg.quality import heart_rate_and_r_peaks
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PAPER = "#fff9f7"
_GRID_MAJOR = "#f0b6ae"
_GRID_MINOR = "#f8dcd7"
_INK = "#1c1c1c"
_FAINT = "#6b6b6b"
_WARNING = "#b3261e"
_BADGE = {"facecolor": _WARNING, "edgecolor": "none", "pad": 1.2}
_MARK: dict[str, Any] = {"color": "white", "fontsize": 7, "weight": "bold", "bbox": _BADGE}
_DPI = 150
# Standard paper: 25 mm/s and 10 mm/mV, so 1 mV is as high as 0.4 s is long.
_SECONDS_PER_MV = 0.4
_MM_PER_INCH = 25.4
_ECG_ROWS = (
    ("I", "aVR", "V1", "V4"),
    ("II", "aVL", "V2", "V5"),
    ("III", "aVF", "V3", "V6"),
    ("II",),
)
_ROW_HEIGHT_MV = 2.5
_ECG_WIDTH_S = CANONICAL_SECONDS + 0.6
_ECG_TOP_MV = 1.75  # room for a tall R wave above the first line
_ECG_HEIGHT_MV = len(_ECG_ROWS) * _ROW_HEIGHT_MV + 0.5
_FRAME_IN = 1.1


def pick_rows(cohort: Cohort, count: int, *, with_cine: bool = False) -> NDArray[np.int64]:
    """Rows for a contact sheet, spread evenly over the usable records, real and synthetic.

    Args:
        cohort: The cohort.
        count: How many, at most.
        with_cine: Rows with a cine instead of rows with an ECG.
    """
    real, drawn = (
        cohort.select(with_ecg=not with_cine, with_cine=with_cine, synthetic=synthetic)
        for synthetic in (False, True)
    )
    # Side by side, as many of one as of the other where there are both.
    of_drawn = min(len(drawn), max(count // 2, count - len(real)))
    return np.concatenate([_spread(real, count - of_drawn), _spread(drawn, of_drawn)])


def _spread(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)]


def draw_ecg_sheet(cohort: Cohort, rows: Sequence[int] | NDArray[Any], path: Path) -> None:
    """Draw 12-lead ECGs as on paper: 4 columns of 2.5 s and lead II as rhythm strip.

    Derived leads carry a star; missing ones are named as such.

    Args:
        cohort: The cohort.
        rows: Which records.
        path: PNG to write.

    Raises:
        UsageError: If there are no rows, or one has no ECG.
    """
    chosen = _checked(cohort, rows, cohort.has_ecg, "ECG")
    columns = min(2, len(chosen))
    lines = -(-len(chosen) // columns)
    figure, panels = _figure_in(
        columns, lines, (_ECG_WIDTH_S * 25 / _MM_PER_INCH, _ECG_HEIGHT_MV * 10 / _MM_PER_INCH)
    )
    for axes, row in zip(panels, chosen.tolist(), strict=False):
        _draw_ecg(axes, cohort, row)
    _title(figure, cohort, f"12-lead ECG, {len(chosen)} of {int(cohort.has_ecg.sum())} records")
    _footnote(
        figure,
        "25 mm/s, 10 mm/mV: large squares are 0.2 s and 0.5 mV; pulse 1 mV;  * derived from I, II",
    )
    _save(figure, path)


def draw_cine_sheet(
    cohort: Cohort, rows: Sequence[int] | NDArray[Any], path: Path, *, frames: int = 10
) -> None:
    """Draw cines, a row each, with frames spread evenly over the cycle.

    Synthetic cines are marked as such, on every frame and in the caption.

    Args:
        cohort: The cohort.
        rows: Which records.
        path: PNG to write.
        frames: Frames of each cine.

    Raises:
        UsageError: If there are no rows, or one has no cine.
    """
    chosen = _checked(cohort, rows, cohort.has_cine, "cine")
    cines = cohort.cines(chosen)
    shown = np.linspace(0, cines.shape[1], frames, endpoint=False).astype(np.int64)
    figure, panels = _figure_in(1, len(chosen), (frames * _FRAME_IN, _FRAME_IN))
    for axes, row, cine in zip(panels, chosen.tolist(), cines, strict=True):
        _draw_cine(axes, cine[shown], shown)
        if cohort.synthetic[row]:
            _mark_synthetic(axes, cine.shape[2], len(shown))
        _caption(axes, cohort, row)
    drawn = int(cohort.synthetic[chosen].sum())
    told = f"4-chamber cine, {len(chosen)} of {int(cohort.has_cine.sum())} records"
    _title(figure, cohort, told + (f", {drawn} of them synthetic" if drawn else ""))
    _footnote(figure, f"frames of {cines.shape[1]} over one heart beat")
    _save(figure, path)


def _draw_ecg(axes: Axes, cohort: Cohort, row: int) -> None:
    """One record on paper; x in seconds, y in mV."""
    signal_mv, derived = cohort.ecg_mv([row])[0], cohort.derived[row]
    _draw_paper(axes)
    for line, leads in enumerate(_ECG_ROWS):
        baseline_mv = -_ROW_HEIGHT_MV * line
        _draw_pulse(axes, baseline_mv)
        length_s = CANONICAL_SECONDS / len(leads)
        for place, name in enumerate(leads):
            lead = CANONICAL_LEADS.index(name)
            label = f"{name}*" if derived[lead] else name
            _draw_lead(axes, label, signal_mv[lead], (place * length_s, length_s), baseline_mv)
    record = EcgRecord(signal_mv, CANONICAL_LEADS, float(CANONICAL_RATE_HZ))
    rate = heart_rate_and_r_peaks(record)
    _caption(axes, cohort, row, "" if rate is None else f"{rate.beats_per_minute:.0f} beats/min")


def _draw_lead(
    axes: Axes,
    label: str,
    signal_mv: NDArray[np.float32],
    window_s: tuple[float, float],
    baseline_mv: float,
) -> None:
    """One lead's window (start, length) at its place on the paper."""
    start_s, length_s = window_s
    first, last = (round(s * CANONICAL_RATE_HZ) for s in (start_s, start_s + length_s))
    time_s = np.arange(first, last) / CANONICAL_RATE_HZ
    axes.plot(time_s, baseline_mv + signal_mv[first:last], color=_INK, linewidth=0.7)
    if np.isnan(signal_mv).all():
        label += " missing"
    axes.text(start_s + 0.05, baseline_mv + 1.0, label, color=_INK, fontsize=8, weight="bold")
    if start_s > 0:
        ends_mv = baseline_mv + np.array([-0.3, 0.3])
        axes.plot([start_s, start_s], ends_mv, color=_INK, linewidth=0.5)


def _draw_paper(axes: Axes) -> None:
    """Grid of 0.04 s by 0.1 mV, every fifth line stronger."""
    right_s, top_mv = float(CANONICAL_SECONDS), _ECG_TOP_MV
    left_s, bottom_mv = right_s - _ECG_WIDTH_S, top_mv - _ECG_HEIGHT_MV
    axes.set(xlim=(left_s, right_s), ylim=(bottom_mv, top_mv), facecolor=_PAPER)
    axes.set_aspect(_SECONDS_PER_MV)
    for step, color, width in ((1, _GRID_MINOR, 0.3), (5, _GRID_MAJOR, 0.5)):
        axes.vlines(
            _multiples(left_s, right_s, 0.04 * step), bottom_mv, top_mv, color, linewidth=width
        )
        axes.hlines(
            _multiples(bottom_mv, top_mv, 0.1 * step), left_s, right_s, color, linewidth=width
        )
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=_GRID_MAJOR, linewidth=0.8)


def _multiples(low: float, high: float, step: float) -> NDArray[np.float64]:
    return np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step


def _draw_pulse(axes: Axes, baseline_mv: float) -> None:
    """The calibration pulse: 1 mV for 0.2 s, left of the signal."""
    time_s = np.array([-0.4, -0.3, -0.3, -0.1, -0.1, -0.02])
    axes.plot(time_s, baseline_mv + np.array([0, 0, 1, 1, 0, 0]), color=_INK, linewidth=0.7)


def _draw_cine(axes: Axes, frames: NDArray[np.uint8], numbers: NDArray[np.int64]) -> None:
    """Frames side by side, each with its number."""
    height, width = frames.shape[1:]
    strip = np.concatenate(list(frames), axis=1)
    axes.imshow(strip, cmap="gray", vmin=0, vmax=255, interpolation="lanczos", aspect="equal")
    for place, number in enumerate(numbers.tolist()):
        axes.text(place * width + 4, height - 5, str(number + 1), color="white", fontsize=7)
        if place:
            axes.axvline(place * width - 0.5, color="white", linewidth=0.8)
    axes.set_axis_off()


def _mark_synthetic(axes: Axes, width: int, frames: int) -> None:
    """Say on every frame that nobody is behind it, so that no cut-out passes for a real one."""
    for place in range(frames):
        axes.text((place + 0.5) * width, 4, "SYNTHETIC", ha="center", va="top", **_MARK)


def _caption(axes: Axes, cohort: Cohort, row: int, measured: str = "") -> None:
    """Who this is, above a panel: HMAC id, sex, age, side, what was measured, quality flags."""
    age_years = float(cohort.ages_years[row])
    person = [
        "synthetic, of nobody" if cohort.synthetic[row] else "",
        str(cohort.record_ids[row]),
        str(cohort.sexes[row]) if cohort.sexes[row] != "unknown" else "",
        "" if np.isnan(age_years) else f"{age_years:.0f} years",
        f"{cohort.roles[row]} {cohort.splits[row]}",
        measured,
    ]
    axes.set_title(", ".join(filter(None, person)), loc="left", fontsize=9, color=_INK)
    flags = cohort.quality_flags(row)
    if flags:
        axes.set_title(", ".join(flags), loc="right", fontsize=8, color=_WARNING)


def _figure_in(
    columns: int, lines: int, panel_in: tuple[float, float]
) -> tuple[Figure, list[Axes]]:
    """A figure of panels of a given size in inches, with room for captions, title and footnote."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - heavy
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    side_in, gap_in, caption_in, head_in, foot_in = 0.25, 0.3, 0.4, 0.5, 0.4
    width_in = columns * panel_in[0] + (columns - 1) * gap_in + 2 * side_in
    height_in = lines * (panel_in[1] + caption_in) + head_in + foot_in
    figure = Figure(figsize=(width_in, height_in), facecolor="white")
    FigureCanvasAgg(figure)
    panels = []
    for place in range(columns * lines):
        line, column = divmod(place, columns)
        left_in = side_in + column * (panel_in[0] + gap_in)
        bottom_in = height_in - head_in - (line + 1) * (panel_in[1] + caption_in)
        panels.append(
            figure.add_axes(
                (
                    left_in / width_in,
                    bottom_in / height_in,
                    panel_in[0] / width_in,
                    panel_in[1] / height_in,
                ),
                frame_on=True,
            )
        )
    return figure, panels


def _title(figure: Figure, cohort: Cohort, text: str) -> None:
    """Heading, with what must stand on every picture of simulated data."""
    height_in = figure.get_figheight()
    heading = f"{cohort.path.name}: {text}"
    y = 1 - 0.3 / height_in
    figure.text(0.25 / figure.get_figwidth(), y, heading, fontsize=12, color=_INK, weight="bold")
    stamp = "simulated, no patients" if cohort.simulated else "patient data, confidential"
    x = 1 - 0.25 / figure.get_figwidth()
    figure.text(x, y, stamp, fontsize=12, color=_WARNING, weight="bold", ha="right")


def _footnote(figure: Figure, text: str) -> None:
    y = 0.15 / figure.get_figheight()
    figure.text(0.25 / figure.get_figwidth(), y, text, color=_FAINT, fontsize=9)


def _checked(
    cohort: Cohort, rows: Sequence[int] | NDArray[Any], there: NDArray[np.bool_], what: str
) -> NDArray[np.int64]:
    """Rows of a sheet, all of which have what is to be drawn."""
    chosen = np.asarray(rows, dtype=np.int64)
    if not len(chosen):
        raise UsageError(f"no row of {cohort.path} to draw: needed records with {what}")
    without = chosen[~there[chosen]]
    if len(without):
        raise UsageError(f"row {without[0]} of {cohort.path} has no {what}; choose another")
    return chosen


def _save(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    write_whole(path, buffer.getvalue())
