"""A table as CSV for programs and as Markdown for people, with what a reader has to know."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd

from cardionets_core.train.run_folder import write_atomically

SIMULATED = "simulated data"
OVERLAP = "pre-training and test subjects overlap"
OPTIMISTIC = "training was stopped on the very subjects that are reported: optimistic"
# Stands where there is no number.
NONE = "\N{EN DASH}"
TRIAL = "a trial of the machinery: its numbers say nothing"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every table and figure of a study says about its data.

    Attributes:
        simulated: Subjects were simulated, or weights trained on such.
        overlap: Pre-training may have seen subjects that are tested.
        trial: Trained for far too short.
        reported: Training was stopped on the subjects that are tested.
    """

    simulated: bool
    overlap: bool
    trial: bool = False
    reported: bool = False

    @property
    def text(self) -> str:
        """All that holds, joined; empty for real data of separate subjects."""
        said = (
            (self.simulated, SIMULATED),
            (self.overlap, OVERLAP),
            (self.reported, OPTIMISTIC),
            (self.trial, TRIAL),
        )
        return "; ".join(text for holds, text in said if holds)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One table.

    Attributes:
        name: File name without suffix.
        title: Heading.
        frame: What the CSV holds.
        shown: Column of the Markdown table to its cells as text; None shows the frame.
        notes: What its numbers are.
    """

    name: str
    title: str
    frame: pd.DataFrame
    shown: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()

    def markdown(self, stamp: Stamp) -> str:
        """Heading, stamp, notes and rows."""
        parts = [f"### {self.title}"]
        if stamp.text:
            parts.append(f"**{stamp.text}**")
        parts.append(grid(self.frame if self.shown is None else self.shown))
        parts += [f"{note}." for note in self.notes]
        return "\n\n".join(parts) + "\n"

    def save(self, folder: Path, stamp: Stamp) -> None:
        """Write NAME.csv and NAME.md.

        Raises:
            TrainingError: If a file cannot be written.
        """
        stamped = self.frame.assign(stamp=stamp.text)
        write_atomically(folder / f"{self.name}.csv", stamped.to_csv(index=False))
        write_atomically(folder / f"{self.name}.md", self.markdown(stamp))


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows by column name."""
    return cast("list[dict[str, Any]]", frame.to_dict("records"))


def grid(frame: pd.DataFrame) -> str:
    """Rows as a Markdown table."""
    if frame.empty:
        return "(no rows)"
    lines = [_line(frame.columns), _line("---" for _ in frame.columns)]
    lines += [_line(_cell(value) for value in row) for row in frame.itertuples(index=False)]
    return "\n".join(lines)


def number(value: float, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    return NONE if math.isnan(value) else f"{value:.{digits}f}"


def with_interval(row: Mapping[str, Any], estimate: str = "estimate", *, sign: bool = False) -> str:
    """``0.812 (0.790 to 0.834)``, with a sign before differences."""
    value = float(row[estimate])
    if math.isnan(value):
        return NONE
    told = f"{value:+.3f}" if sign else f"{value:.3f}"
    if math.isnan(row["low"]):
        return told
    spell = "{:+.3f}" if sign else "{:.3f}"
    return f"{told} ({spell.format(row['low'])} to {spell.format(row['high'])})"


def p_value(p: float) -> str:
    """A p-value for people."""
    if math.isnan(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return NONE if math.isnan(value) else f"{value:.4g}"
    return str(value)
