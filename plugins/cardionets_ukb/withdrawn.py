"""The list of participants who withdrew, as UK Biobank sends it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cardionets_core.errors import SourceError
from cardionets_core.source_tables import Table
from cardionets_ukb import values

# A heading may hold the number of an application, which has fewer digits.
_AS_LONG_AS_AN_ID = re.compile(r"\d{7}")


def read_withdrawn(path: Path) -> Iterator[int]:
    """Ids of a list of one column, with or without a heading.

    Empty lines and negative ids are passed over. Anything else that is no id is refused: somebody
    who withdrew must not stay because of a slip of the pen.

    Raises:
        SourceError: If it cannot be read, or does not hold one id a line.
    """
    table = Table(path)
    _check_one_column(path, table.header)
    for number, cells in ((1, table.header), *table.rows()):
        _check_one_column(path, cells)
        try:
            participant = values.participant(cells[0])
        except ValueError:
            if number == 1 and _is_heading(cells[0].strip()):
                continue
            raise SourceError(
                f"{path.name}, line {number}: no participant's id; needed one a line: correct the "
                "list, so that nobody who withdrew is kept"
            ) from None
        if participant is not None:
            yield participant


def _is_heading(cell: str) -> bool:
    return cell[:1].isalpha() and not _AS_LONG_AS_AN_ID.search(cell)


def _check_one_column(path: Path, cells: tuple[str, ...]) -> None:
    if any(cell.strip() for cell in cells[1:]):
        raise SourceError(
            f"{path.name}: a table of {len(cells)} columns; needed a list of participants' ids, "
            "one a line"
        )
