"""``machine_measurements.csv``: what the electrocardiograph measured and printed.

It is joined on ``study_id`` alone: its times differ from those of the record list here and there.
Of the printed statements only counts are kept, as free text may quote anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cardionets_core.errors import ConfigError
from cardionets_core.source_tables import Table
from cardionets_mimic.cells import id_or_none, number_or_none
from cardionets_mimic.record_list import find_table

FILE_NAME = "machine_measurements.csv"
# The ends of their 16-bit numbers, and 29999 ms, stand for "not measured".
NOT_MEASURED = frozenset({29999.0, 32767.0, -32767.0, -32768.0, 65535.0})
_REPORTS = 18
# Column of the table to column of the cohort, with its unit.
_NUMBERS = {
    **{
        name: f"machine_{name}_ms"
        for name in ("rr_interval", "p_onset", "p_end", "qrs_onset", "qrs_end", "t_end")
    },
    **{name: f"machine_{name}_deg" for name in ("p_axis", "qrs_axis", "t_axis")},
}
# Statements by which the machine doubts its own recording, in parts of their usual wording.
_DOUBTS = (
    "data quality",
    "poor quality",
    "unsuitable for analysis",
    "lead reversal",
    "leads are missing",
)


class Measurement(NamedTuple):
    """What was measured of one ECG, by the name of the cohort's column."""

    study: int
    attributes: dict[str, float]


def measurements_file(source: Path, given: Path | None) -> Path | None:
    """Where the table is; None if there is none.

    Raises:
        ConfigError: If it is given and not there.
    """
    if given is None:
        return find_table(source, FILE_NAME)
    if not given.is_file():
        raise ConfigError(f"measurements {given}: no such file; needed {FILE_NAME}")
    return given


def read_measurements(path: Path) -> Iterator[Measurement]:
    """Every row that says which ECG it is about, in order.

    Raises:
        SourceError: If the table cannot be read.
    """
    table = Table(path)
    study_place = table.require("study_id")
    numbers = {
        column: place
        for name, column in _NUMBERS.items()
        if (place := table.place(name)) is not None
    }
    reports = [place for i in range(_REPORTS) if (place := table.place(f"report_{i}")) is not None]
    for line in table.rows():
        study = id_or_none(line.cells[study_place])
        if study is not None:
            attributes = _measured(line.cells, numbers) | _reported(line.cells, reports)
            yield Measurement(study, attributes)


def _measured(cells: Sequence[str], numbers: Mapping[str, int]) -> dict[str, float]:
    values = {column: number_or_none(cells[place]) for column, place in numbers.items()}
    return {c: v for c, v in values.items() if v is not None and v not in NOT_MEASURED}


def _reported(cells: Sequence[str], reports: Sequence[int]) -> dict[str, float]:
    """How many statements, blank ones between them aside, and whether one doubts the recording."""
    if not reports:
        return {}
    said = [text for place in reports if (text := cells[place].strip().lower())]
    doubted = any(doubt in text for text in said for doubt in _DOUBTS)
    return {"machine_statements": float(len(said)), "machine_doubts_quality": float(doubted)}
