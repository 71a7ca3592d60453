"""A user's labels: a CSV with a column ``id`` and one column per label, matched to a cohort."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort import ids
from cardionets_core.cohort.columns import CohortColumns
from cardionets_core.cohort.label_values import Column
from cardionets_core.errors import CohortError, LabelsError
from cardionets_core.registry import unknown

# ``id`` may hold either; the other two say which.
ID_COLUMNS = ("id", "record_id", "subject_id")
_SEPARATORS = (",", ";", "\t")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_NONE = -1
_REMEDY = "needed a CSV file (UTF-8) with a column id and a column per label"


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """A CSV of labels, matched to the rows of a cohort.

    Attributes:
        path: The file.
        table: Name to texts of each column, the ids aside, (m,).
        same_id: Place of the first line with the same id, (m,).
        lines: Line of the file that each entry of the table ends in, (m,).
        places: Place in the table of each row of the cohort, (n,); -1 where there is none.
        note: How many of the ids are in the cohort.
    """

    path: Path
    table: Mapping[str, NDArray[np.str_]]
    same_id: NDArray[np.int64]
    lines: NDArray[np.int64]
    places: NDArray[np.int64]
    note: str

    def column(self, name: str) -> Column:
        """A column in the order of the cohort's rows; empty where the file has no line.

        Raises:
            LabelsError: If there is no such column, or an id has two different values in it.
        """
        if name not in self.table:
            raise LabelsError(f"{self.path}: {unknown('column', name, self.table)}")
        texts = self.table[name]
        differs = np.flatnonzero(texts != texts[self.same_id])
        if len(differs):
            first, second = self.lines[self.same_id[differs[0]]], self.lines[differs[0]]
            raise LabelsError(
                f"{self.path}: lines {first} and {second} have the same id and different values of "
                f"{name!r}; needed one value per id: correct one of them or take it out"
            )
        found = self.places != _NONE
        # Where nothing is found the index is -1, and what it picks is replaced.
        return Column(
            name=name,
            told=f"column {name!r} of {self.path.name}",
            texts=np.where(found, texts[self.places], ""),
            lines=np.where(found, self.lines[self.places], 0),
        )


def read_labels(path: Path, cohort: CohortColumns) -> Labels:
    """Read a CSV of labels and match its ids to a cohort.

    Commas, semicolons and tabs are understood, and decimal commas in a file with semicolons. Ids
    are the source's own, of records or of subjects, which the key beside the cohort translates, or
    the cohort's own; a subject's label holds for all its records.

    Args:
        path: The file; UTF-8, with or without a byte-order mark.
        cohort: The cohort.

    Returns:
        The labels; columns are checked when they are asked for.

    Raises:
        LabelsError: If the file is missing or no such CSV, if no id is in the cohort, or if ids
            mean records and subjects alike.
    """
    header, fields, lines = _read(path)
    id_place, id_column = _id_column(path, header)
    has_id = fields[:, id_place] != ""
    if not has_id.any():
        raise LabelsError(f"{path}: its column {id_column} is empty; {_REMEDY}")
    fields, lines = fields[has_id], lines[has_id]
    table = {name: fields[:, place] for place, name in enumerate(header) if place != id_place}
    source_ids = fields[:, id_place]
    _, first, inverse = np.unique(source_ids, return_index=True, return_inverse=True)
    places = _match(path, id_column, source_ids, cohort)
    found = len(np.unique(source_ids[places[places != _NONE]]))
    note = f"{path.name}: {found} of {len(first)} ids are in the cohort"
    return Labels(path, table, first[inverse], lines, places, note)


def _id_column(path: Path, header: Sequence[str]) -> tuple[int, str]:
    """Place of the column with the ids, and what it says that they are."""
    lower = [name.lower() for name in header]
    for name in ID_COLUMNS:
        if name in lower:
            return lower.index(name), name
    # Without a header the first line holds ids, so it is not repeated here.
    raise LabelsError(
        f"{path}: none of the {len(header)} columns of its first line is called id; {_REMEDY}"
    )


def _match(
    path: Path, id_column: str, source_ids: NDArray[np.str_], cohort: CohortColumns
) -> NDArray[np.int64]:
    """Place in the file of each row of the cohort, (n,)."""
    key = _key(cohort)
    kinds = {
        "record_id": (cohort.record_ids, ids.record_id),
        "subject_id": (cohort.subject_ids, ids.subject_id),
    }
    wanted = kinds if id_column == "id" else {id_column: kinds[id_column]}
    places = np.full(len(cohort), _NONE, dtype=np.int64)
    for stored, hashed in wanted.values():
        spellings = [np.char.lower(source_ids)]
        if key is not None:
            spellings.append(np.array([hashed(key, text) for text in source_ids.tolist()]))
        for spelling in spellings:
            found = _places(stored, spelling)
            if ((found != places) & (found != _NONE) & (places != _NONE)).any():
                raise LabelsError(
                    f"{path}: ids in its column id mean a record and another subject alike; "
                    "call the column record_id or subject_id"
                )
            places = np.where(found == _NONE, places, found)
    if (places == _NONE).all():
        raise LabelsError(_no_match(path, cohort, has_key=key is not None))
    return places


def _places(stored: NDArray[np.str_], spelling: NDArray[np.str_]) -> NDArray[np.int64]:
    """Place of each stored id among the file's, the first of equal ones; -1 if it is not there."""
    order = np.argsort(spelling, kind="stable")
    at = np.minimum(np.searchsorted(spelling, stored, sorter=order), len(spelling) - 1)
    candidates = order[at]
    return np.where(spelling[candidates] == stored, candidates, _NONE)


def _key(cohort: CohortColumns) -> bytes | None:
    """The cohort's id key if it lies beside it."""
    path = ids.key_path(cohort.path)
    if not path.is_file():
        return None
    key = ids.read_key(path)
    if ids.key_check(key) != cohort.provenance["key_check"]:
        raise CohortError(
            f"{path} is the key of another cohort; ids of the source cannot be recognised with it: "
            "put the right key back, or take it away and use the cohort's own ids"
        )
    return key


def _no_match(path: Path, cohort: CohortColumns, *, has_key: bool) -> str:
    needed = "ids of records or subjects, as the source has them or as the cohort has them"
    if not has_key:
        return (
            f"{path}: none of its ids is in {cohort.path}, and without its key beside it "
            f"({ids.key_path(cohort.path).name}) only the cohort's own ids are recognised; needed "
            f"{needed}: put the key back or use the cohort's ids"
        )
    return (
        f"{path}: none of its ids is in {cohort.path}; needed {needed}: look for leading zeros "
        "lost in a spreadsheet, or a file of another cohort"
    )


def _read(path: Path) -> tuple[list[str], NDArray[np.str_], NDArray[np.int64]]:
    """Header, fields (m, columns) and the line that each row of fields ends in, (m,)."""
    text = _text(path)
    first_line = text.lstrip().partition("\n")[0]
    separator = max(_SEPARATORS, key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = [(reader.line_num, [f.strip() for f in fields]) for fields in reader if any(fields)]
    except csv.Error as error:
        raise LabelsError(f"{path}: line {reader.line_num}: {error}; {_REMEDY}") from error
    if len(rows) < 2:
        raise LabelsError(f"{path}: found {len(rows)} lines; {_REMEDY}, and a line per id")
    header = rows[0][1]
    _require_regular(path, header, rows[1:])
    fields = np.array([fields for _, fields in rows[1:]], dtype=np.str_)
    if separator == ";":
        fields = np.stack([_with_decimal_points(column) for column in fields.T], axis=1)
    return header, fields, np.array([line for line, _ in rows[1:]], dtype=np.int64)


def _text(path: Path) -> str:
    try:
        # Excel puts a byte-order mark before UTF-8, which would become part of the first name.
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise LabelsError(f"{path}: {error.strerror or error}; {_REMEDY}") from error
    except UnicodeDecodeError as error:
        raise LabelsError(
            f"{path}: found something else than UTF-8 text; {_REMEDY}: save it as CSV UTF-8"
        ) from error
    if "\0" in text:
        raise LabelsError(
            f"{path}: found something else than text; {_REMEDY}: save it as CSV UTF-8"
        )
    return text


def _require_regular(
    path: Path, header: Sequence[str], rows: Sequence[tuple[int, list[str]]]
) -> None:
    """Refuse a header with a name twice and lines of another length."""
    # Spreadsheets leave empty columns without a name; those may be many.
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise LabelsError(
            f"{path}: {len(twice)} column names stand twice in its first line; needed each once"
        )
    for line, fields in rows:
        if len(fields) != len(header):
            raise LabelsError(
                f"{path}: line {line} has {len(fields)} fields, the first line {len(header)}; "
                "needed as many: quote a field that holds the separator"
            )


def _with_decimal_points(texts: NDArray[np.str_]) -> NDArray[np.str_]:
    """A column with points for decimal commas, unless one of them is something else."""
    with_comma = np.char.find(texts, ",") >= 0
    if not with_comma.any() or not all(map(_DECIMAL_COMMA.fullmatch, texts[with_comma].tolist())):
        return texts
    return np.char.replace(texts, ",", ".")
