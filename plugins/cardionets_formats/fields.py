"""Numbers and dates out of XML elements. Messages name the element, never its text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

import numpy as np

from cardionets_core.errors import EcgError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_LONGEST_NUMBER = 40
_NOT_IN_SAMPLES = re.compile(r"[^-+0-9,\s]|\d{10}", re.ASCII)


def text_of(element: Element, path: str) -> str | None:
    """Text at a path, white space reduced, or None where there is none or it is empty.

    Args:
        element: Where the path begins.
        path: As ``Element.findall`` takes it.

    Raises:
        EcgError: If there are several texts that differ.
    """
    return _the_one((found.text for found in element.findall(path)), _plain(path))


def attribute_of(element: Element, path: str, name: str) -> str | None:
    """An attribute at a path; as ``text_of``."""
    return _the_one((found.get(name) for found in element.findall(path)), f"{_plain(path)}@{name}")


def decimal_of(element: Element, path: str) -> float | None:
    """The number at a path, or None where there is no text; errors as ``text_of``, ``decimal``."""
    return decimal(text_of(element, path), _plain(path))


def whole_of(element: Element, path: str) -> int | None:
    """The whole number at a path; as ``decimal_of``."""
    return whole(text_of(element, path), _plain(path))


def decimal(text: str | None, name: str) -> float | None:
    """A number, or None for None.

    Raises:
        EcgError: If the text is no finite number with a decimal point.
    """
    if text is None:
        return None
    if len(text) > _LONGEST_NUMBER or not _DECIMAL.fullmatch(text):
        raise EcgError(f"{name} is no number; needed one with a decimal point")
    value = float(text)
    if not math.isfinite(value):
        raise EcgError(f"{name} is too large a number; is the file damaged?")
    return value


def whole(text: str | None, name: str) -> int | None:
    """A whole number of up to nine digits, or None for None.

    Raises:
        EcgError: If the text is something else.
    """
    if text is None:
        return None
    if not _WHOLE.fullmatch(text):
        raise EcgError(f"{name} is no whole number of up to nine digits; needed one")
    return int(text)


def samples_in(text: str | None, separator: str | None) -> NDArray[np.float64]:
    """Whole numbers of up to nine digits in a text that may be wrapped, (samples,).

    Args:
        text: The numbers.
        separator: What stands between them; None for white space.

    Raises:
        EcgError: If one is empty, or something else is among them.
    """
    numbers = (text or "").strip()
    if _NOT_IN_SAMPLES.search(numbers):
        raise EcgError("samples are not all whole numbers of up to nine digits; needed those")
    if separator:
        numbers = numbers.removesuffix(separator)
    try:
        return np.array([int(cell) for cell in numbers.split(separator)], dtype=np.float64)
    except ValueError:
        raise EcgError("a sample is empty or no whole number; is the file damaged?") from None


def check_count(stated: int | None, found: int, name: str) -> None:
    """Check a number of things that a file states, if it does.

    Raises:
        EcgError: If there are more or fewer.
    """
    if stated is not None and stated != found:
        raise EcgError(f"{name} states {stated}, found are {found}; is the file damaged?")


def moment(parts: Iterable[str | None]) -> datetime | None:
    """Year, month, day, hour, minute and second as the clock at the place said; None if no date."""
    texts = list(parts)
    if not all(text and _WHOLE.fullmatch(text) for text in texts):
        return None
    try:
        year, month, day, hour, minute, second = (int(text) for text in texts if text)
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


def _the_one(texts: Iterable[str | None], name: str) -> str | None:
    different = {" ".join((text or "").split()) for text in texts}
    if len(different) > 1:
        raise EcgError(f"{name} is there several times with different values; needed one")
    return next(iter(different), None) or None


def _plain(path: str) -> str:
    """A path without the wildcards for namespaces."""
    return path.replace("{*}", "")
