"""Cells of the release's tables: ids, numbers, times."""

from __future__ import annotations

import math
import re

# Copies that went through a data frame with gaps have 40689238.0 for 40689238.
_WHOLE = re.compile(r"(\d{1,15})(?:\.0*)?")
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)")


def id_or_none(cell: str) -> int | None:
    """A ``subject_id`` or ``study_id``; None for what is no whole number above 0."""
    match = _WHOLE.fullmatch(cell.strip())
    return int(match.group(1)) or None if match else None


def number_or_none(cell: str) -> float | None:
    """A finite number; None for everything else."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def time_or_none(cell: str) -> str | None:
    """A time as text that sorts by time, ``2180-07-23 08:44:00``; None for what is none."""
    match = _TIME.fullmatch(cell.strip())
    return f"{match.group(1)} {match.group(2)}" if match else None


def flag_or_none(cell: str) -> float | None:
    """``True`` and ``False`` as 1 and 0; None for everything else."""
    return {"true": 1.0, "false": 0.0}.get(cell.strip().lower())
