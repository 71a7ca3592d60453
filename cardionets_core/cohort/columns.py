"""The small columns of a cohort: read once, kept, and there for every row."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from cardionets_core.cmr.phenotypes import FIELD_IDS, PHENOTYPES
from cardionets_core.cohort import layout
from cardionets_core.cohort.opening import open_file, read_provenance
from cardionets_core.cohort.parts import flag_names
from cardionets_core.cohort.splits import ROLES, SPLITS
from cardionets_core.cohort.synthetic import PLACE_COLUMNS, SYNTHETIC, require_in_training
from cardionets_core.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


class DiagnosisTable(NamedTuple):
    """Every diagnosis of a cohort, in the order of the rows.

    Attributes:
        row: Row of the cohort, (m,) int64.
        icd10: Code without dot, (m,) text.
        days_from_visit: Negative before the visit; ``UNKNOWN_DAYS`` where there is no date, (m,).
    """

    row: NDArray[np.int64]
    icd10: NDArray[np.str_]
    days_from_visit: NDArray[np.int32]


class Quarantined(NamedTuple):
    """A record that was left out."""

    subject_id: str
    record_id: str
    reason: str


class CohortColumns:
    """A cohort file, open for reading, and its columns without bulk.

    May be pickled and may cross a fork: each process opens the file for itself on first use.
    Rows are numbered from 0; row numbers index every array below.

    Args:
        path: The file, as ``prepare`` made it.

    Raises:
        CohortError: If it is missing, no cohort, truncated, or of another layout version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._open_file: h5py.File | None = None
        self._process = -1
        self._length = len(self._file["subject/record_id"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; it is opened again if something more is read."""
        if self._open_file is not None and self._process == os.getpid():
            self._open_file.close()
        self._open_file = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_length": self._length}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _open_file=None, _process=-1)

    def __len__(self) -> int:
        return self._length

    @property
    def _file(self) -> h5py.File:
        # HDF5 handles must not cross a fork, so a child opens its own.
        if self._open_file is None or self._process != os.getpid():
            self._open_file = open_file(self.path)
            self._process = os.getpid()
        return self._open_file

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Where the data come from: dataset, plugin, config, seed, roles, versions and more."""
        return read_provenance(self._file)

    @property
    def simulated(self) -> bool:
        """True if there is no patient behind any record; must then be printed on every report."""
        return bool(self.provenance["simulated"])

    @cached_property
    def content_hash(self) -> str:
        """Identity of what is stored, ids and provenance aside."""
        return str(self._file.attrs["content_hash"])

    @cached_property
    def subject_ids(self) -> NDArray[np.str_]:
        """HMAC id of the person of each row, (n,)."""
        return self._small("subject/subject_id").astype(np.str_)

    @cached_property
    def record_ids(self) -> NDArray[np.str_]:
        """HMAC id of each row's record, (n,)."""
        return self._small("subject/record_id").astype(np.str_)

    @cached_property
    def roles(self) -> NDArray[np.str_]:
        """``pretrain`` or ``downstream``, (n,)."""
        return np.array(ROLES)[self._small("subject/role")]

    @cached_property
    def splits(self) -> NDArray[np.str_]:
        """``train``, ``val`` or ``test`` within the role, (n,)."""
        return np.array(SPLITS)[self._small("subject/split")]

    @property
    def folds(self) -> NDArray[np.int8]:
        """Fold of downstream rows, -1 for pretrain rows, (n,)."""
        return self._small("subject/fold")

    @cached_property
    def sexes(self) -> NDArray[np.str_]:
        """``female``, ``male`` or ``unknown``, (n,)."""
        return np.array([*layout.SEXES, "unknown"])[self._small("subject/sex")]

    @property
    def ages_years(self) -> NDArray[np.float32]:
        """Age at the visit in years, NaN where unknown, (n,)."""
        return self._small("subject/age_years")

    @cached_property
    def origins(self) -> NDArray[np.str_]:
        """``simulated/SEED/INDEX``, ``synthetic/WEIGHTS/INDEX``, or empty for people, (n,)."""
        return self._small("subject/origin").astype(np.str_)

    @cached_property
    def synthetic(self) -> NDArray[np.bool_]:
        """True where a generator drew the record and nobody is behind it, (n,).

        Raises:
            LeakageError: If such a record is not in the training split of the role ``pretrain``.
        """
        synthetic: NDArray[np.bool_] = layout.rows_of(self._file, SYNTHETIC)
        if synthetic.any():
            columns = {name: self._small(name) for name in PLACE_COLUMNS}
            require_in_training({**columns, SYNTHETIC: synthetic}, str(self.path))
        return synthetic

    @cached_property
    def behind_synthetic(self) -> dict[str, NDArray[Any]]:
        """Fingerprints of what the generator has seen, as ``guard.Fingerprints.arrays``."""
        return {name: dataset[:] for name, dataset in self._file[layout.SYNTHETIC_GROUP].items()}

    @property
    def has_ecg(self) -> NDArray[np.bool_]:
        """True where there is an ECG, (n,)."""
        return self._small("ecg/present")

    @property
    def has_cine(self) -> NDArray[np.bool_]:
        """True where there is a cine, (n,)."""
        return self._small("cine/present")

    @property
    def usable(self) -> NDArray[np.bool_]:
        """True where the ECG passed the quality checks, (n,); False without an ECG."""
        return self._small("quality/usable")

    @property
    def lead_mask(self) -> NDArray[np.bool_]:
        """True where a lead is there, recorded or derived, (n, 12)."""
        return self._small("ecg/lead_mask")

    @property
    def derived(self) -> NDArray[np.bool_]:
        """True where a lead was computed from I and II, (n, 12)."""
        return self._small("ecg/derived")

    @cached_property
    def phenotypes(self) -> NDArray[np.float32]:
        """The 82 phenotypes in field order, NaN where not measured, (n, 82)."""
        return self._small("phenotypes/values")

    @property
    def phenotype_names(self) -> tuple[str, ...]:
        """Name of each column of ``phenotypes``."""
        return tuple(phenotype.name for phenotype in PHENOTYPES)

    def phenotype_frame(self) -> pd.DataFrame:
        """Phenotypes as a table: a row per record, a column per UK Biobank field id."""
        import pandas as pd  # noqa: PLC0415 - heavy, and seldom wanted

        index = pd.Index(self.record_ids, name="record_id")
        return pd.DataFrame(self.phenotypes, index=index, columns=list(FIELD_IDS))

    @cached_property
    def diagnoses(self) -> DiagnosisTable:
        """Every diagnosis, in the order of the rows."""
        row, icd10, days = (self._file[name][:] for name in layout.DIAGNOSES)
        return DiagnosisTable(row, icd10.astype(np.str_), days)

    @cached_property
    def diagnoses_known(self) -> NDArray[np.bool_]:
        """False where the source has no diagnoses of the record at all, (n,)."""
        return np.asarray(layout.rows_of(self._file, "diagnoses/known"))

    @cached_property
    def quarantine(self) -> tuple[Quarantined, ...]:
        """Records that were left out, with the reason."""
        subject_ids, record_ids, reasons = (self._file[name] for name in layout.QUARANTINE)
        rows = zip(subject_ids[:], record_ids[:], reasons.asstr()[:], strict=True)
        return tuple(Quarantined(s.decode(), r.decode(), str(reason)) for s, r, reason in rows)

    @cached_property
    def quality_names(self) -> tuple[str, ...]:
        """Kinds of quality flags in this cohort."""
        return tuple(str(name) for name in self._file["quality/flags"].attrs["names"])

    @property
    def quality_bits(self) -> NDArray[np.uint32]:
        """Quality flags as bits, (n,); bit i stands for ``quality_names[i]``."""
        return self._small("quality/flags")

    def quality_flags(self, row: int) -> tuple[str, ...]:
        """Kinds of quality flags of a row."""
        return flag_names(int(self.quality_bits[row]), self.quality_names)

    def quality_details(self, row: int) -> str:
        """Quality flags of a row with leads and values, for people."""
        return str(self._file["quality/details"].asstr()[row])

    @cached_property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the source's extra columns."""
        return tuple(self._file["attributes"])

    def attribute(self, name: str) -> NDArray[Any]:
        """One extra column, (n,): numbers with NaN, or text with an empty text, where absent.

        Raises:
            UsageError: If there is no such column.
        """
        if name not in self.attribute_names:
            known = ", ".join(self.attribute_names) or "none"
            raise UsageError(f"no attribute {name!r} in {self.path}; it has: {known}")
        dataset = self._file[f"attributes/{name}"]
        is_text = h5py.check_string_dtype(dataset.dtype) is not None
        return dataset.asstr()[:].astype(np.str_) if is_text else dataset[:]

    def _small(self, name: str) -> NDArray[Any]:
        """A column without bulk, read once and kept."""
        kept: dict[str, NDArray[Any]] = self.__dict__.setdefault("_kept", {})
        if name not in kept:
            kept[name] = self._file[name][:]
        return kept[name]
