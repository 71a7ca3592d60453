"""Reading a cohort: one subject, or many rows at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cmr.phenotypes import FIELD_IDS
from cardionets_core.cohort import layout
from cardionets_core.cohort.columns import CohortColumns
from cardionets_core.cohort.parts import attribute_values
from cardionets_core.cohort.signal import in_mv
from cardionets_core.cohort.splits import ROLES, SPLITS
from cardionets_core.ecg.canonical import CANONICAL_LEADS, CANONICAL_RATE_HZ
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import UsageError
from cardionets_core.interfaces import Diagnosis, Role, Subject

Rows = Sequence[int] | NDArray[np.integer[Any]]
_ROLES: tuple[Role, ...] = ("pretrain", "downstream")
_SEXES: tuple[Literal["female", "male"], ...] = ("female", "male")


class Cohort(CohortColumns):
    """A cohort file, open for reading: subjects one by one, and signals and cines in bulk.

    May be pickled and may cross a fork: each process opens the file for itself on first use.
    Rows are numbered from 0; row numbers index every column.

    Args:
        path: The file, as ``prepare`` made it.

    Raises:
        CohortError: If it is missing, no cohort, truncated, or of another layout version.
    """

    def __iter__(self) -> Iterator[Subject]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row: int) -> Subject:
        """One record: its ECG at 500 Hz with twelve rows, NaN where a lead or sample is missing.

        Raises:
            IndexError: If there is no such row.
        """
        row = int(self._checked([row])[0])
        sex = int(self._small("subject/sex")[row])
        age_years = float(self._small("subject/age_years")[row])
        values = self._file["phenotypes/values"][row]
        return Subject(
            subject_id=str(self.subject_ids[row]),
            record_id=str(self.record_ids[row]),
            ecg=self._ecg(row) if self.has_ecg[row] else None,
            cine=self.cines([row])[0] if self.has_cine[row] else None,
            phenotypes={
                field_id: float(value)
                for field_id, value in zip(FIELD_IDS, values, strict=True)
                if not np.isnan(value)
            },
            diagnoses=self._diagnoses_of(row),
            diagnoses_known=bool(self.diagnoses_known[row]),
            sex=None if sex == layout.UNKNOWN else _SEXES[sex],
            age_years=None if np.isnan(age_years) else age_years,
            role=_ROLES[int(self._small("subject/role")[row])],
            split=str(self.splits[row]),
            synthetic=bool(self.synthetic[row]),
            attributes={
                name: value
                for name in self.attribute_names
                if (value := attribute_values(self._file[f"attributes/{name}"], row)[0]) is not None
            },
        )

    def select(
        self,
        *,
        role: Role | None = None,
        split: str | None = None,
        with_ecg: bool = False,
        with_cine: bool = False,
        quality: Literal["usable", "any"] = "usable",
        synthetic: bool | None = False,
    ) -> NDArray[np.int64]:
        """Rows that fulfil all conditions, in ascending order; real ones unless asked otherwise.

        Args:
            role: Only this role.
            split: Only this split, ``train``, ``val`` or ``test``.
            with_ecg: Only rows with an ECG.
            with_cine: Only rows with a cine.
            quality: ``usable`` leaves out rows whose ECG failed the checks; rows without an ECG
                have nothing to fail.
            synthetic: False for real records, True for those that a generator drew, None for both.
                Drawn ones are in the training split of the role ``pretrain`` and nowhere else.

        Raises:
            UsageError: If a role, split or quality has another name.
            LeakageError: If the file was altered so that a drawn record is somewhere else.
        """
        _require_one_of("role", role, (None, *ROLES))
        _require_one_of("split", split, (None, *SPLITS))
        _require_one_of("quality", quality, ("usable", "any"))
        chosen = np.ones(len(self), dtype=bool)
        if role is not None:
            chosen &= self.roles == role
        if split is not None:
            chosen &= self.splits == split
        if with_ecg:
            chosen &= self.has_ecg
        if with_cine:
            chosen &= self.has_cine
        if quality == "usable":
            chosen &= self.usable | ~self.has_ecg
        if synthetic is not None:
            chosen &= self.synthetic == synthetic
        return np.flatnonzero(chosen)

    def ecg_int16(self, rows: Rows) -> NDArray[np.int16]:
        """ECGs as stored, (B, 12, 5000); ``MISSING_COUNT`` where missing."""
        return self._bulk("ecg/signal", rows)

    def ecg_mv(self, rows: Rows) -> NDArray[np.float32]:
        """ECGs in mV, (B, 12, 5000); NaN where missing."""
        return in_mv(self.ecg_int16(rows), self._small("ecg/scale_mv")[self._checked(rows)])

    def cines(self, rows: Rows) -> NDArray[np.uint8]:
        """Cines, (B, 50, 96, 96).

        Raises:
            UsageError: If a row has no cine.
        """
        without = self._checked(rows)[~self.has_cine[self._checked(rows)]]
        if len(without):
            raise UsageError(
                f"{len(without)} of the rows have no cine, row {without[0]} first; "
                f"select rows with with_cine=True"
            )
        return self._bulk("cine/frames", rows)

    def fingerprints(self, rows: Rows | None = None) -> NDArray[np.uint64]:
        """Fingerprint of each row's ECG, ``NO_FINGERPRINT`` without one; all rows by default."""
        return self._small("ecg/fingerprint")[... if rows is None else self._checked(rows)]

    def _bulk(self, name: str, rows: Rows) -> NDArray[Any]:
        """Rows of a bulky column, each read straight into its place."""
        checked = self._checked(rows)
        dataset = self._file[name]
        found = np.empty((len(checked), *dataset.shape[1:]), dataset.dtype)
        for place, row in enumerate(checked.tolist()):
            dataset.read_direct(found, np.s_[row], np.s_[place])
        return found

    def _checked(self, rows: Rows) -> NDArray[np.int64]:
        """Row numbers, all of them there; negative ones count from the end."""
        checked = np.asarray(rows, dtype=np.int64)
        checked = np.where(checked < 0, checked + len(self), checked)
        if checked.size and not (checked.min() >= 0 and checked.max() < len(self)):
            raise IndexError(f"rows {rows} of a cohort with {len(self)} rows")
        return checked

    def _ecg(self, row: int) -> EcgRecord:
        return EcgRecord(
            signal_mv=self.ecg_mv([row])[0],
            leads=CANONICAL_LEADS,
            sampling_rate_hz=float(CANONICAL_RATE_HZ),
            derived_leads=tuple(
                n for n, d in zip(CANONICAL_LEADS, self.derived[row], strict=True) if d
            ),
            lsb_mv=self._small("ecg/scale_mv")[row],
        )

    def _diagnoses_of(self, row: int) -> tuple[Diagnosis, ...]:
        table = self.diagnoses
        first, last = np.searchsorted(table.row, (row, row + 1))
        return tuple(
            Diagnosis(str(code), None if days == layout.UNKNOWN_DAYS else int(days))
            for code, days in zip(
                table.icd10[first:last], table.days_from_visit[first:last], strict=True
            )
        )


def open_cohort(path: str | Path) -> Cohort:
    """Open a cohort file for reading.

    Raises:
        CohortError: If it is missing, no cohort, truncated, or of another layout version.
    """
    return Cohort(path)


def _require_one_of(what: str, found: str | None, known: Sequence[str | None]) -> None:
    if found not in known:
        names = ", ".join(str(name) for name in known if name is not None)
        raise UsageError(f"no {what} {found!r} in a cohort; it has: {names}")
