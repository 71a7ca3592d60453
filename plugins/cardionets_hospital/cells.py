"""What the cells of a labels table mean. Messages never quote a cell."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import datetime
from typing import Literal

UNKNOWN = frozenset({"", "na", "n/a", "nan", "null", "unknown"})
LONGEST_LABEL = 64
MOST_CODES = 300
_OLDEST_YEARS = 130
# No measurement is larger, and squares of smaller ones can be summed.
_LARGEST_NUMBER = 1e30
# Years of ECGs; others are slips, which would put a person's records into the wrong order.
_FIRST_YEAR, _LAST_YEAR = 1900, 2199
# In full; of the Chinese edition I42.000x001 the national extension is cut off.
_ICD10 = re.compile(r"([A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{0,4})?)(?:X\d{3})?[+*!]?", re.ASCII)
_SEXES: dict[str, Literal["female", "male"]] = {
    "f": "female",
    "female": "female",
    "\u5973": "female",
    "\u5973\u6027": "female",
    "m": "male",
    "male": "male",
    "\u7537": "male",
    "\u7537\u6027": "male",
}
_SPLITS: dict[str, Literal["train", "val", "test"]] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_CLOCK = r"(?:[T\s]*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(?:Z|[+-]\d{2}:?\d{2})?)?"
_DATES = (
    re.compile(r"(\d{4})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})(\d{2})?)?", re.ASCII),
    re.compile(
        r"(\d{4})[-/.\u5e74](\d{1,2})[-/.\u6708](\d{1,2})\u65e5?" + _CLOCK, re.ASCII | re.IGNORECASE
    ),
)


class CellError(ValueError):
    """A cell that cannot be understood; says what was needed and not what was found."""


def plain(cell: str) -> str:
    """A cell without the spaces around it, and with full-width signs as plain ones."""
    return unicodedata.normalize("NFKC", cell).strip()


def alike(person: str) -> str:
    """What ids have in common that differ only in what typing and spreadsheets change."""
    return plain(person).casefold().lstrip("0")


def is_unknown(cell: str) -> bool:
    """Whether a cell says nothing."""
    return plain(cell).lower() in UNKNOWN


def number_of(cell: str) -> float | None:
    """The number in a cell, with a decimal point or comma; None if it holds none.

    Raises:
        CellError: If it holds something else.
    """
    if is_unknown(cell):
        return None
    try:
        number = float(plain(cell).replace(",", "."))
    except ValueError:
        number = math.nan
    if not abs(number) <= _LARGEST_NUMBER:
        raise CellError("needed a number, or nothing")
    return number


def age_of(cell: str) -> float | None:
    """Age in years."""
    years = number_of(cell)
    if years is not None and not 0 <= years <= _OLDEST_YEARS:
        raise CellError(f"needed an age of 0 to {_OLDEST_YEARS} years, or nothing")
    return years


def sex_of(cell: str) -> Literal["female", "male"] | None:
    """Sex. Numbers are refused: standards disagree on what they mean."""
    if is_unknown(cell):
        return None
    sex = _SEXES.get(plain(cell).lower())
    if sex is None:
        raise CellError("needed female or male (or f, m, \u5973, \u7537), or nothing")
    return sex


def split_of(cell: str) -> Literal["train", "val", "test"] | None:
    """Split that the hospital wants a person in."""
    if is_unknown(cell):
        return None
    split = _SPLITS.get(plain(cell).lower())
    if split is None:
        raise CellError("needed train, val or test, or nothing")
    return split


def label_of(cell: str) -> str | None:
    """The label as text."""
    if is_unknown(cell):
        return None
    label = plain(cell)
    if len(label) > LONGEST_LABEL:
        raise CellError(
            f"needed a label of up to {LONGEST_LABEL} characters: a class or a number, no report"
        )
    return label


def codes_of(cell: str) -> tuple[str, ...] | None:
    """ICD-10 codes without dots, separated by ``;``, ``|`` or ``,``.

    Returns:
        The codes, each once; none for ``-`` or ``none``; None if nothing is known.

    Raises:
        CellError: If something else is among them, or there are too many.
    """
    if is_unknown(cell):
        return None
    text = plain(cell)
    if text.lower() in {"-", "none"}:
        return ()
    # The ideographic comma is no compatibility character of any plain one.
    parts = [part.strip().upper() for part in re.split(r"[;|,\u3001]", text)]
    matches = [_ICD10.fullmatch(part) for part in parts if part]
    codes = dict.fromkeys(match.group(1).replace(".", "") for match in matches if match)
    if None in matches or not 0 < len(codes) <= MOST_CODES:
        raise CellError(
            f"needed up to {MOST_CODES} ICD-10 codes separated by ; or |, '-' for none, or nothing"
        )
    return tuple(codes)


def moment_of(cell: str) -> datetime | None:
    """Date, and time if it is there, by the clock at the place."""
    if is_unknown(cell):
        return None
    for pattern in _DATES:
        if match := pattern.fullmatch(plain(cell)):
            try:
                year, month, day, hour, minute, second = map(int, match.groups("0"))
                if not _FIRST_YEAR <= year <= _LAST_YEAR:
                    break
                return datetime(year, month, day, hour, minute, second)
            except ValueError:
                break
    raise CellError("needed a date with the year first, such as 2024-03-14 10:35, or nothing")
