"""Tables of a report: CSV for programs, Markdown for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from cardionets_core.generate.evaluating.memorisation import MEASURES
from cardionets_core.generate.evaluating.pixels import METRICS
from cardionets_core.generate.evaluating.scoring import Row, Scored
from cardionets_core.generate.evaluating.space import REAL

_DASH = "\N{EN DASH}"
_LEAST_P = 0.001


def frames_of(scored: Scored, stamp: str) -> dict[str, pd.DataFrame]:
    """What the CSV files hold, by name; each row says so where data are simulated."""
    tables: dict[str, pd.DataFrame] = {
        "pixels": pd.DataFrame(scored.pixels),
        "phenotype-r2": pd.DataFrame(scored.r2),
        "phenotypes": scored.phenotypes,
        "differences": pd.DataFrame(scored.differences),
        "distances": pd.DataFrame(scored.distances),
        "memorisation": pd.DataFrame(scored.closeness),
    }
    return {name: frame.assign(stamp=stamp) for name, frame in tables.items()}


def pixel_grid(rows: Sequence[Row]) -> str:
    """SSIM, PSNR, MAE and RMSE by method."""
    cells = {(row["method"], row["metric"]): interval(row) for row in rows}
    methods = dict.fromkeys(row["method"] for row in rows)
    names = ("SSIM", "PSNR (dB)", "MAE", "RMSE")
    return grid(("method", *names), ([m, *(cells[m, name] for name in METRICS)] for m in methods))


def r2_grid(rows: Sequence[Row]) -> str:
    """Mean R2 by method and source, and that of each structure."""
    structures = list(dict.fromkeys(row["structure"] for row in rows))
    cells = {(row["method"], row["from"], row["structure"]): row for row in rows}
    lines = []
    for method, source in dict.fromkeys((row["method"], row["from"]) for row in rows):
        whole = interval(cells[method, source, "all"])
        parts = [number(cells[method, source, name]["estimate"], 2) for name in structures[1:]]
        lines.append([method, source, whole, *parts])
    return grid(("method", "read from", "mean over phenotypes", *structures[1:]), lines)


def difference_grid(rows: Sequence[Row]) -> str:
    """Paired differences with interval, p and p adjusted over the comparisons of a metric."""
    lines = [
        [row["metric"], f"{row['a']} - {row['b']}", interval(row, "difference", sign=True),
         p_value(row["p"]), p_value(row["p_holm"])]
        for row in rows
    ]  # fmt: skip
    return grid(("metric", "methods", "difference", "p", "p (Holm)"), lines)


def distance_grid(rows: Sequence[Row]) -> str:
    """Frechet distance and KID by method, with real to real as the floor."""
    lines = [
        [row["measure"], "real to real (floor)" if row["method"] == REAL else row["method"],
         interval(row, digits=4), number(row["excess"], 4)]
        for row in rows
    ]  # fmt: skip
    return grid(("measure", "method", "mean over halvings (middle 95 %)", "above the floor"), lines)


def closeness_grid(rows: Sequence[Row]) -> str:
    """Share of cines that are nearer to a training cine than 1 % of real test cines."""
    lines = [
        [MEASURES[row["measure"]], row["method"], number(row["median"], 4),
         f"{row['closer']} of {row['records']}", f"{100 * row['share']:.1f} % "
         f"({100 * row['low']:.1f} to {100 * row['high']:.1f} %)"]
        for row in rows
    ]  # fmt: skip
    head = ("distance", "method", "median", "below the 1st percentile of real", "share")
    return grid(head, lines)


def time_grid(times: Mapping[str, Any]) -> str:
    """Seconds per cine by stage."""
    lines = [
        [stage, found["cines"] or _DASH, number(found["seconds"], 1),
         number(1000 * found["seconds_per_cine"], 1) if found["cines"] else _DASH]
        for stage, found in times["stages"].items()
    ]  # fmt: skip
    if times["decoding"]:
        ms = number(1000 * times["decoding"]["seconds_per_cine"], 1)
        lines.append([f"decoding, a part of {times['decoding']['part_of']}", _DASH, _DASH, ms])
    return grid(("stage", "cines", "seconds", "ms per cine"), lines)


def grid(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as a Markdown table."""
    lines = [_line(columns), _line(["---"] * len(columns)), *map(_line, rows)]
    return "\n".join(lines) + "\n"


def interval(
    row: Mapping[str, Any], name: str = "estimate", *, sign: bool = False, digits: int = 3
) -> str:
    """``0.812 (0.790 to 0.834)``, with signs for differences."""
    spell = f"{{:{'+' if sign else ''}.{digits}f}}"
    values = (float(row[name]), float(row["low"]), float(row["high"]))
    if math.isnan(values[0]):
        return _DASH
    value, low, high = map(spell.format, values)
    return f"{value} ({low} to {high})"


def number(value: float, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    return _DASH if math.isnan(value) else f"{value:.{digits}f}"


def p_value(p: float) -> str:
    """A p-value for people."""
    if math.isnan(p):
        return _DASH
    return f"< {_LEAST_P:g}" if p < _LEAST_P else f"{p:.3f}"


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
