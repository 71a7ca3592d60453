"""Cells of UK Biobank's tables as values.

Everywhere: None is a value that is missing, ``ValueError`` one that is there and not understood.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import date
from itertools import zip_longest
from typing import Literal

_MISSING = frozenset({"", "na", "nan", "nat", "null", "none", "<na>"})
_PARTICIPANT = re.compile(r"(-?)(\d{1,18})(?:\.0+)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ].*)?", re.ASCII)
# Dates such as 1900-01-01 stand for "unknown" in several fields of UK Biobank, this one too.
_FIRST_YEAR, _PLACEHOLDER = 1910, date(2037, 7, 7)
_LAST_YEAR = 2099
_OLDEST_YEARS = 130
_CODE = re.compile(r"[A-Z]\d[0-9A-Z][0-9X]{0,4}", re.ASCII)
# Nodes of coding 19 above the codes: chapters, and blocks such as I20-I25.
_GROUP = re.compile(r"(?:CHAPTER|BLOCK)\b.*|[A-Z]\d\d-[A-Z]?\d\d\b.*", re.ASCII)
_SEXES: dict[str, Literal["female", "male"]] = {
    "0": "female",
    "0.0": "female",
    "female": "female",
    "1": "male",
    "1.0": "male",
    "male": "male",
}


def is_missing(cell: str) -> bool:
    """Whether a cell is empty, or holds one of the words for that."""
    return cell.strip().lower() in _MISSING


def participant(cell: str) -> int | None:
    """A participant's id; None also for negative ones, which stand for people who withdrew."""
    if is_missing(cell):
        return None
    match = _PARTICIPANT.fullmatch(cell.strip())
    if match is None:
        raise ValueError("no participant's id")
    return None if match.group(1) else int(match.group(2)) or None


def number(cell: str) -> float | None:
    """A finite number."""
    if is_missing(cell):
        return None
    if not _NUMBER.fullmatch(cell.strip()):
        raise ValueError("no number")
    value = float(cell)
    return value if math.isfinite(value) else None


def age_years(cell: str) -> float | None:
    """Field 21003: whole years; UK Biobank rounds down. Negative codes are missing."""
    value = number(cell)
    if value is not None and value > _OLDEST_YEARS:
        raise ValueError("no age")
    return None if value is None or value < 0 else value


def sex(cell: str) -> Literal["female", "male"] | None:
    """Field 31: 0 female, 1 male, or the words."""
    if is_missing(cell):
        return None
    try:
        return _SEXES[cell.strip().lower()]
    except KeyError:
        raise ValueError("no sex") from None


def day(cell: str) -> int | None:
    """A date ``YYYY-MM-DD`` as a day number; None for those that stand for no date."""
    if is_missing(cell):
        return None
    match = _DAY.fullmatch(cell.strip())
    if match is None:
        raise ValueError("no date")
    found = date(*(int(part) for part in match.groups()))
    if found.year > _LAST_YEAR:
        raise ValueError("no date")
    is_dummy = found.year < _FIRST_YEAR or found == _PLACEHOLDER
    return None if is_dummy else found.toordinal()


def list_in(cell: str) -> list[str]:
    """The elements of a cell that holds a list: JSON or Python's own, or separated by bars."""
    text = cell.strip()
    if not text.startswith("["):
        return [] if is_missing(text) else text.split("|")
    try:
        found = _json(text)
    except ValueError:
        # What Python prints of a list of codes differs from JSON only in the quotes.
        found = _json(text.replace("'", '"'))
    return ["" if element is None else str(element) for element in found]


def _json(text: str) -> list[object]:
    try:
        found: list[object] = json.loads(text)
    except RecursionError:
        raise ValueError("lists in lists without end") from None
    return found


def icd10(cell: str) -> str | None:
    """Field 41270: a code in capitals without dot; a description may follow it.

    None also for chapters and blocks, which are no diagnoses.
    """
    text = cell.strip().upper()
    if is_missing(text) or _GROUP.fullmatch(text):
        return None
    code = text.split()[0].replace(".", "")
    if not _CODE.fullmatch(code):
        raise ValueError("no ICD-10 code")
    return code


def dated_codes(codes: Sequence[str], days: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Fields 41270 and 41280: codes with the day of each, paired by their places.

    Codes without a date are left out; there are a hundred of them in six million.

    Raises:
        ValueError: If one is not understood, a date has no code, or there are no places for the
            dates of all codes: the lists do not belong together then, and no pair can be relied on.
    """
    if not all(is_missing(cell) for cell in codes[len(days) :]):
        raise ValueError("codes without a place for their dates")
    found = []
    for code_cell, day_cell in zip_longest(codes, days, fillvalue=""):
        code, when = icd10(code_cell), day(day_cell)
        if is_missing(code_cell) and not is_missing(day_cell):
            raise ValueError("a date without a code")
        if code is not None and when is not None:
            found.append((code, when))
    return tuple(found)
