"""What a column of labels says: yes or no, a class, or a number; unknown where it says nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cardionets_core.errors import LabelsError
from cardionets_core.spec import TargetKind

UNKNOWN_TEXTS = frozenset({"", "na", "n/a", "nan", "null"})
# Whole numbers are classes up to this many different ones, and a quantity beyond it.
MOST_NUMBERED_CLASSES = 10
# More texts than this are names or remarks, not classes.
MOST_CLASSES = 50
_DEFAULT_PAIR = ("0", "1")


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of labels in the order of the cohort's rows.

    Attributes:
        name: Its name.
        told: What to call it in a message, e.g. ``column 'lvef' of labels.csv``.
        texts: Value of each row as text, (n,); an empty text where unknown.
        lines: Line of the file that each row's value stands in, (n,); None if there is no file.
        quantity: Its numbers are no classes, however few there are.
    """

    name: str
    told: str
    texts: NDArray[np.str_]
    lines: NDArray[np.int64] | None = None
    quantity: bool = False

    @property
    def known(self) -> NDArray[np.bool_]:
        """True where there is a value, (n,)."""
        return ~np.isin(np.char.lower(self.texts), list(UNKNOWN_TEXTS))


class Meaning(NamedTuple):
    """A column as a target.

    Attributes:
        target: Its kind.
        outputs: Names of the classes; the column's name where there are none.
        values: As ``Targets.values``, (n, 1).
        note: What the user should know about how it was read, or an empty text.
    """

    target: TargetKind
    outputs: tuple[str, ...]
    values: NDArray[np.float32]
    note: str = ""


def meaning_of(column: Column, target: TargetKind | None = None) -> Meaning:
    """Read a column as a target.

    Args:
        column: The column.
        target: ``binary``, ``multiclass`` or ``regression``; by default two different values are
            binary, texts and up to ten different whole numbers are classes, and other numbers a
            regression.

    Returns:
        Kind, names and values. Of two values the larger or alphabetically later one is 1.

    Raises:
        LabelsError: If there are no two different values, or they do not fit the target.
    """
    known = column.known
    numbers = _numbers(column.texts[known])
    classes = _classes(column.texts[known], numbers)
    if len(classes) < 2:
        found = "the same value in all records" if classes else "no value for any record"
        raise LabelsError(f"{column.told}: found {found}; needed two different values at least")
    kind = target or ("regression" if column.quantity else _kind(numbers, len(classes)))
    if kind == "regression":
        return Meaning(kind, (column.name,), numbers_of(column))
    return _as_classes(column, kind, classes)


def numbers_of(column: Column) -> NDArray[np.float32]:
    """A column as numbers, (n, 1); NaN where unknown.

    Raises:
        LabelsError: If a value is no finite number.
    """
    known = column.known
    values = np.full((len(known), 1), np.nan, dtype=np.float32)
    # What float32 cannot hold becomes infinite, and is refused below.
    with np.errstate(over="ignore"):
        values[known, 0] = _numbers(column.texts[known])
    strange = known & ~np.isfinite(values[:, 0])
    if strange.any():
        # The value itself may be a name or an id, if it is the wrong column.
        where = "" if column.lines is None else f", first in line {column.lines[strange].min()}"
        raise LabelsError(
            f"{column.told}: found something else than finite numbers{where}; a regression needs "
            "numbers: correct them, leave them empty, or give --target multiclass"
        )
    return values


def classes_of(column: Column, outputs: tuple[str, ...]) -> NDArray[np.float32]:
    """A column of class names as class indices, (n, 1); NaN for other texts and where unknown."""
    index = {name.casefold(): place for place, name in enumerate(outputs)}
    distinct, inverse = np.unique(column.texts, return_inverse=True)
    places = [index.get(_key(text), math.nan) for text in distinct]
    return np.array(places, dtype=np.float32)[inverse].reshape(-1, 1)


def _as_classes(column: Column, kind: TargetKind, classes: tuple[str, ...]) -> Meaning:
    if kind == "binary" and len(classes) != 2:
        raise LabelsError(
            f"{column.told}: found {len(classes)} different values; a binary target needs two: "
            "give --target multiclass or regression, or name another column"
        )
    if len(classes) > MOST_CLASSES:
        raise LabelsError(
            f"{column.told}: found {len(classes)} different values; classes may be {MOST_CLASSES} "
            "at most, and a quantity needs numbers only: correct the column or name another"
        )
    values = classes_of(column, classes)
    if kind == "multiclass":
        return Meaning(kind, classes, values)
    negative, positive = classes
    note = f"{column.told}: {positive!r} is positive, {negative!r} negative"
    return Meaning(kind, (column.name,), values, "" if classes == _DEFAULT_PAIR else note)


def _kind(numbers: NDArray[np.float64], classes: int) -> TargetKind:
    if classes == 2:
        return "binary"
    if not np.isfinite(numbers).all():
        return "multiclass"
    whole = bool((numbers == np.rint(numbers)).all())
    return "multiclass" if whole and classes <= MOST_NUMBERED_CLASSES else "regression"


def _classes(texts: NDArray[np.str_], numbers: NDArray[np.float64]) -> tuple[str, ...]:
    """Different values in ascending order; spellings that differ in case only are one."""
    if len(texts) and np.isfinite(numbers).all():
        return tuple(_number_text(float(number)) for number in np.unique(numbers))
    spelling: dict[str, str] = {}
    for text in np.unique(texts).tolist():
        spelling.setdefault(_key(text), text)
    return tuple(spelling[key] for key in sorted(spelling))


def _key(text: str) -> str:
    """What two spellings of one class share: ``Yes`` and ``yes``, ``1`` and ``1.0``."""
    number = _number(text)
    return text.casefold() if math.isnan(number) else _number_text(number)


def _numbers(texts: NDArray[np.str_]) -> NDArray[np.float64]:
    return np.array([_number(text) for text in texts.tolist()], dtype=np.float64)


def _number(text: str) -> float:
    """The finite number that a text is, else NaN."""
    try:
        # Python reads 1_000 as a number, which nobody means in a table.
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _number_text(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(number)
