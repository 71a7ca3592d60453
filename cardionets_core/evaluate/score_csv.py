"""Read scores from a CSV: comma, semicolon or tab, UTF-8 or UTF-16, with or without a BOM.

Messages name counts and row numbers (the first row below the header is row 1), never the
content of a cell: an id may be a patient's.
"""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.scores import ScoreKind, Scores

Target = Literal["auto", "binary", "regression"]
_KNOWN = ("id", "label", "score", "fold", "seed", "subject", "threshold")
_GROUPS = ("fold", "seed", "subject")
_CLASS_PREFIX = "score_"
_SEPARATORS = (",", ";", "\t")
# Whole numbers of fewer different values than this are more likely codes than measurements.
_FEWEST_MEASURED = 11
_TRUTH_WORDS = {"true": "1", "false": "0"}
# First bytes of what people take for a CSV.
_NO_CSV = {
    b"PK\x03\x04": "an Excel workbook or ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x89HDF": "an HDF5 file",
    b"PAR1": "a parquet file without the ending .parquet",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive",
}
_LAYOUT = "needed: columns id, label, score (or score_CLASS for each of several classes)"


def read_csv_scores(path: Path, *, target: Target = "auto") -> Scores:
    """Read a CSV of scores.

    Args:
        path: The file.
        target: What the labels are; ``auto`` tells from the labels.

    Raises:
        EvaluationError: If it is no such CSV, or a label or score is missing.
    """
    table = _Table(path)
    classes = tuple(
        name.removeprefix(_CLASS_PREFIX)
        for name in table.frame.columns
        if name.startswith(_CLASS_PREFIX)
    )
    single = "score" in table.frame
    table.require("id", "label", *([] if classes else ["score"]))
    if classes and (single or len(classes) == 1):
        found = f"{len(classes)} column{'s' * (len(classes) > 1)} score_CLASS"
        raise EvaluationError(
            f"{path.name}: {found}{' and one score' * single}; give either one column 'score', or "
            "two or more score_CLASS"
        )
    if classes and target != "auto":
        raise EvaluationError(
            f"{path.name}: columns score_CLASS are of labels that name a class, and --target "
            f"{target} was given; leave it out"
        )
    for name in ("id", *(group for group in _GROUPS if group in table.frame)):
        table.refuse_empty(name)
    y, kind = table.class_labels(classes) if classes else table.labels(target)
    scored = [_CLASS_PREFIX + name for name in classes] or ["score"]
    taken = {"id", "label", "threshold", *scored}
    return Scores(
        name=path.name,
        kind=kind,
        outputs=classes or ("score",),
        ids=np.asarray(table.frame["id"].to_numpy(), dtype=np.str_),
        y=y[:, np.newaxis],
        score=np.stack([table.numbers(name) for name in scored], axis=1),
        columns=table.frame[[name for name in table.frame.columns if name not in taken]],
        threshold=table.numbers("threshold") if "threshold" in table.frame else None,
        notes=tuple(table.notes),
    )


class _Table:
    """The cells of a CSV as text, and the ways to read them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        text = _decoded(path)
        header = text.lstrip("\r\n").split("\n", 1)[0]
        self._separator = max(_SEPARATORS, key=header.count)
        self.frame = _frame(path, text, self._separator)

    def require(self, *names: str) -> None:
        missing = [name for name in names if name not in self.frame]
        if missing:
            raise EvaluationError(
                f"{self.path.name}: no column {', '.join(missing)} among "
                f"{_told(list(self.frame.columns))}; {_LAYOUT}"
            )

    def refuse_empty(self, name: str) -> None:
        self._refuse(name, (self.frame[name] == "").to_numpy(), "are empty")

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as finite numbers, (n,)."""
        found = self._as_numbers(self.frame[name])
        self._refuse(name, ~np.isfinite(found), "are empty, not finite or no numbers")
        return found

    def labels(self, target: Target) -> tuple[NDArray[np.float64], ScoreKind]:
        """Labels of a single output, (n,), and what they are."""
        words = self.frame["label"].str.lower()
        found = self._as_numbers(words.replace(_TRUTH_WORDS))
        self._refuse(
            "label",
            ~np.isfinite(found),
            "are empty or no numbers",
            "write 1 for cases and 0 for controls, or a measured value",
        )
        binary = bool(np.isin(found, (0, 1)).all())
        whole = bool((found == np.round(found)).all())
        coded = whole and len(np.unique(found)) < _FEWEST_MEASURED
        if target == "regression" or (target == "auto" and not binary and not coded):
            return found, "regression"
        if not binary:
            raise EvaluationError(
                f"{self.path.name}: column 'label' holds {_some(found)}; needed 1 for cases and 0 "
                "for controls (or score_CLASS columns for several classes, or --target regression "
                "for measured values)"
            )
        return found, "binary"

    def class_labels(self, classes: tuple[str, ...]) -> tuple[NDArray[np.float64], ScoreKind]:
        """Index of the class of each row, (n,)."""
        index = {name: float(place) for place, name in enumerate(classes)}
        found = np.asarray(self.frame["label"].map(index), dtype=np.float64)
        self._refuse(
            "label",
            np.isnan(found),
            "are none of the classes " + ", ".join(classes),
            "write the class as in the names of the score columns",
        )
        return found, "multiclass"

    def _as_numbers(self, column: pd.Series[str]) -> NDArray[np.float64]:
        # A semicolon between the cells is the habit of countries with a decimal comma.
        if self._separator == ";" and column.str.contains(",", regex=False).any():
            column = column.str.replace(",", ".", regex=False)
            note = f"{self.path.name}: commas were read as decimal points"
            self.notes += [note] * (note not in self.notes)
        return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)

    def _refuse(
        self,
        name: str,
        bad: NDArray[np.bool_],
        what: str,
        remedy: str = "fill them in, or leave those records out",
    ) -> None:
        if bad.any():
            raise EvaluationError(
                f"{self.path.name}: {int(bad.sum())} of {len(bad)} values of column {name!r} {what}"
                f", the first in row {int(bad.argmax()) + 1}; {remedy}"
            )


def _told(names: list[str]) -> str:
    """The names of columns, unless the line that they come from may be a patient's."""
    if set(names) & set(_KNOWN):
        return ", ".join(names)
    return f"the {len(names)} of the first line, which names none of them"


def _some(values: NDArray[np.float64]) -> str:
    distinct = [f"{value:g}" for value in np.unique(values)]
    return ", ".join(distinct[:4]) + " and others" * (len(distinct) > 4)


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EvaluationError(f"{path.name}: cannot be read ({error.strerror})") from error
    for start, what in _NO_CSV.items():
        if data.startswith(start):
            raise EvaluationError(f"{path.name} is {what}, no CSV; export it as CSV; {_LAYOUT}")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvaluationError(
            f"{path.name}: not UTF-8 from byte {error.start} on; save it as CSV in UTF-8"
        ) from error
    if "\0" in text:
        raise EvaluationError(f"{path.name} is a binary file, no CSV; {_LAYOUT}")
    if not text.strip():
        raise EvaluationError(f"{path.name} is empty; {_LAYOUT}")
    return text


def _frame(path: Path, text: str, separator: str) -> pd.DataFrame:
    """The cells as text; names of known columns in lower case."""
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise EvaluationError(f"{path.name}: no proper CSV ({error}); export it again") from error
    names = [name.lower() if name.lower() in _KNOWN else name for name in rows[0]]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        told = ", ".join(map(repr, double)) if set(names) & set(_KNOWN) else "name"
        raise EvaluationError(
            f"{path.name}: column {told} comes more than once in the first line; rename or remove "
            f"one; {_LAYOUT}"
        )
    if len(rows) == 1:
        raise EvaluationError(f"{path.name} has a header but no rows; {_LAYOUT}")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(names):
            raise EvaluationError(
                f"{path.name}: row {number} has {len(row)} cells and the header {len(names)}; "
                "export it again with quotes around cells that hold the separator"
            )
    return pd.DataFrame(rows[1:], columns=names, dtype=str)
