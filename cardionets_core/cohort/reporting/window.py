"""A cohort a few thousand rows at a time, so that its size does not matter."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort import layout
from cardionets_core.cohort.columns import CohortColumns, DiagnosisTable
from cardionets_core.cohort.opening import open_file

ROWS_AT_ONCE = 8192


class CohortWindow(CohortColumns):
    """Some rows of a cohort, as if they were all: what a cohort has by row, and diagnoses.

    Args:
        path: The cohort.
        start: First row.
        stop: Row after the last.
    """

    def __init__(self, path: Path, start: int, stop: int) -> None:
        super().__init__(path)
        self.rows = slice(start, stop)
        self._length = stop - start

    @cached_property
    def synthetic(self) -> NDArray[np.bool_]:
        """True where a generator drew the record, (n,)."""
        return layout.rows_of(self._file, "subject/synthetic", self.rows)

    @cached_property
    def diagnoses_known(self) -> NDArray[np.bool_]:
        """False where the source has no diagnoses of the record at all, (n,)."""
        return layout.rows_of(self._file, "diagnoses/known", self.rows)

    @cached_property
    def diagnoses(self) -> DiagnosisTable:
        """Every diagnosis of these rows; rows are counted from the first."""
        by_row = self._file["diagnoses/row"]
        first, last = (bisect_left(by_row, row) for row in (self.rows.start, self.rows.stop))
        row, icd10, days = (self._file[name][first:last] for name in layout.DIAGNOSES)
        return DiagnosisTable(row - self.rows.start, icd10.astype(np.str_), days)

    @property
    def fingerprints(self) -> NDArray[np.uint64]:
        """Fingerprint of each ECG, 0 where there is nothing to recognise, (n,)."""
        return self._small("ecg/fingerprint")

    def attribute(self, name: str) -> NDArray[Any]:
        """One extra column, (n,): numbers with NaN, or text with an empty text, where absent."""
        dataset = self._file[f"attributes/{name}"]
        is_text = h5py.check_string_dtype(dataset.dtype) is not None
        return dataset.asstr()[self.rows] if is_text else dataset[self.rows]

    def _small(self, name: str) -> NDArray[Any]:
        kept: dict[str, NDArray[Any]] = self.__dict__.setdefault("_kept", {})
        if name not in kept:
            kept[name] = self._file[name][self.rows]
        return kept[name]


def windows(path: Path, rows_at_once: int = ROWS_AT_ONCE) -> Iterator[CohortWindow]:
    """A cohort's rows in order, window by window."""
    with open_file(path) as file:
        rows = len(file["subject/record_id"])
    for start in range(0, rows, rows_at_once):
        with CohortWindow(path, start, min(start + rows_at_once, rows)) as window:
            yield window
