"""``records_w_diag_icd10.csv`` of MIMIC-IV-ECG-Ext-ICD: diagnoses, sex, age and folds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from cardionets_core.errors import ConfigError, SourceError
from cardionets_core.source_tables import Table
from cardionets_mimic.cells import flag_or_none, id_or_none, number_or_none
from cardionets_mimic.codes import read_code_list

FOLDS = 20
# MIMIC gives every age above 89 as one near 91, to which the years since are added.
OLDEST_TRUE_AGE_YEARS = 89
_OLDEST_YEARS = 120
_SEXES: dict[str, Literal["female", "male"]] = {"f": "female", "m": "male"}
_LAST_OF_PATH = re.compile(r"[^/\\]*\Z")
# Facts of the record that are kept as they are, by the name of their column.
_ATTRIBUTES: dict[str, Callable[[str], float | None]] = {
    "ecg_no_within_stay": number_or_none,
    "ecg_taken_in_ed": flag_or_none,
    "ecg_taken_in_hosp": flag_or_none,
    "strat_fold": number_or_none,
}


class Label(NamedTuple):
    """What the labels say about one ECG.

    Attributes:
        study: The ECG.
        subject: The person, or None if it is not told.
        sex: ``female``, ``male`` or None.
        age_years: Age at the ECG, or None.
        fold: ``strat_fold``, 0 to 19, or None.
        codes: ICD-10 codes, blank-separated; None where nothing is known.
        attributes: Further facts by name.
        problem: Why they cannot be used; None if they can.
    """

    study: int
    subject: str | None
    sex: Literal["female", "male"] | None
    age_years: float | None
    fold: int | None
    codes: str | None
    attributes: dict[str, float]
    problem: str | None


def read_labels(path: Path, diagnoses: str, *, folds_needed: bool) -> Iterator[Label]:
    """Every row that says which ECG it is about, in order. Columns are found by name.

    Args:
        path: The table.
        diagnoses: Column that codes are taken from.
        folds_needed: Refuse a table without ``strat_fold``.

    Raises:
        ConfigError: If there is no such file.
        SourceError: If it cannot be read or lacks a column that is needed.
    """
    if not path.is_file():
        raise ConfigError(f"labels {path}: no such file; needed records_w_diag_icd10.csv")
    table = Table(path)
    reading = _Reading(table, diagnoses, folds_needed=folds_needed)
    for line in table.rows():
        label = reading.label(line.cells)
        if label is not None:
            yield label


class _Reading:
    """Where the columns of one table are."""

    def __init__(self, table: Table, diagnoses: str, *, folds_needed: bool) -> None:
        # The authors' name for the record is its path; the last part of it is the study.
        self._study = table.require("study_id", "file_name")
        self._codes = table.require(diagnoses)
        self._fold = table.require("strat_fold") if folds_needed else table.place("strat_fold")
        self._subject, self._sex, self._age = map(table.place, ("subject_id", "gender", "age"))
        self._attributes = {
            name: (place, read)
            for name, read in _ATTRIBUTES.items()
            if (place := table.place(name)) is not None
        }

    def label(self, cells: Sequence[str]) -> Label | None:
        study = _study(cells[self._study])
        if study is None:
            return None
        age_years = _age_years(_cell(cells, self._age))
        attributes = {
            name: value
            for name, (place, read) in self._attributes.items()
            if (value := read(cells[place])) is not None
        }
        if age_years is not None:
            attributes["age_above_89"] = float(age_years > OLDEST_TRUE_AGE_YEARS)
        codes, problem = self._diagnoses(cells[self._codes], attributes)
        subject = id_or_none(_cell(cells, self._subject))
        return Label(
            study=study,
            subject=None if subject is None else str(subject),
            sex=_SEXES.get(_cell(cells, self._sex).strip().lower()),
            age_years=age_years,
            fold=_fold(_cell(cells, self._fold)),
            codes=codes,
            attributes=attributes,
            problem=problem,
        )

    @staticmethod
    def _diagnoses(cell: str, attributes: dict[str, float]) -> tuple[str | None, str | None]:
        """Codes, and what is wrong with them."""
        try:
            found = read_code_list(cell)
        except SourceError as error:
            return None, str(error)
        if found.unreadable:
            attributes["unreadable_diagnoses"] = float(found.unreadable)
        return (None if found.codes is None else " ".join(found.codes)), None


def _cell(cells: Sequence[str], place: int | None) -> str:
    return "" if place is None else cells[place]


def _study(cell: str) -> int | None:
    match: Any = _LAST_OF_PATH.search(cell.strip())
    return id_or_none(match.group())


def _age_years(cell: str) -> float | None:
    age = number_or_none(cell)
    return age if age is not None and 0 <= age <= _OLDEST_YEARS else None


def _fold(cell: str) -> int | None:
    fold = number_or_none(cell)
    return int(fold) if fold is not None and fold in range(FOLDS) else None
