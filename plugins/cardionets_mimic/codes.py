"""Lists of ICD-10-CM codes as the Ext-ICD labels have them: ``['I2510', 'E785']`` as text."""

from __future__ import annotations

import ast
import re
from typing import Any, NamedTuple

from cardionets_core.errors import SourceError

# A stay has up to some hundred codes of up to seven characters.
LONGEST_LIST = 8192
_ICD10 = re.compile(r"[A-Z][0-9][0-9A-Z]{1,5}")
_UNREADABLE = (ValueError, SyntaxError, TypeError, RecursionError, MemoryError)


class CodeList(NamedTuple):
    """Codes of one record.

    Attributes:
        codes: Without dots, spaces and trailing X, each once; None where no stay is linked or not
            one code of it can be read: then nothing is known.
        unreadable: Entries that are no ICD-10 code and were left out.
    """

    codes: tuple[str, ...] | None
    unreadable: int


def read_code_list(cell: str) -> CodeList:
    """Read one cell, as text alone: nothing in it is run.

    Raises:
        SourceError: If it is no list, or an absurdly long one.
    """
    text = cell.strip()
    if not text:
        return CodeList(None, 0)
    entries = _entries(text)
    codes = [_code(entry) for entry in entries]
    readable = tuple(dict.fromkeys(code for code in codes if code))
    return CodeList(readable or None, codes.count(None))


def _entries(text: str) -> list[Any]:
    if len(text) > LONGEST_LIST:
        raise SourceError(
            f"a list of diagnoses of {len(text)} characters in the labels; needed at most "
            f"{LONGEST_LIST}"
        )
    try:
        # No code holds a backslash, and escapes can make the parser warn.
        entries = None if "\\" in text else ast.literal_eval(text)
    except _UNREADABLE:
        entries = None
    if not isinstance(entries, list):
        raise SourceError(
            "a cell of the labels that is no list of codes; needed one such as ['I2510', 'E785']"
        )
    return entries


def _code(entry: object) -> str | None:
    """An entry as a bare code; X only pads codes to their full length."""
    if not isinstance(entry, str):
        return None
    code = "".join(entry.replace(".", "").split()).upper().rstrip("X")
    return code if _ICD10.fullmatch(code) else None
