"""Acme's archive as a dataset."""

from __future__ import annotations

import csv
from collections.abc import Iterable

import numpy as np

from cardionets_acme.config import AcmeCsvConfig
from cardionets_core import Diagnosis, EcgRecord, Subject, SubjectRef
from cardionets_core.errors import ConfigError, EcgError

# The order in which Acme's devices store the leads they record.
LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
SAMPLING_RATE_HZ = 500.0


class AcmeCsv:
    """Every row of ``index.csv`` is one ECG.

    Its columns are ``record``, ``patient``, ``age``, ``sex``, ``consent`` and ``icd10``; the counts
    of a record are in ``RECORD.npy``, (8 leads, samples) int16.

    Args:
        config: Where the archive is, and how its devices count.
    """

    def __init__(self, config: AcmeCsvConfig) -> None:
        self.config = config

    def subjects(self) -> Iterable[SubjectRef]:
        """Every record with consent, in the order of the index.

        Raises:
            ConfigError: If there is no index.
        """
        index = self.config.source / "index.csv"
        if not index.is_file():
            raise ConfigError(f"source {index.parent}: no index.csv; needed Acme's archive folder")
        with index.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["consent"] == "yes" or not self.config.require_consent:
                    yield SubjectRef(row["patient"], row["record"], location=row)

    def read(self, ref: SubjectRef) -> Subject:
        """Read one record.

        Raises:
            EcgError: If its signal is missing or of another shape.
        """
        row = ref.location
        codes = filter(None, row["icd10"].split(";"))
        return Subject(
            subject_id=ref.subject_key,
            record_id=ref.record_key,
            ecg=self._ecg(ref.record_key),
            diagnoses=tuple(Diagnosis(code.replace(".", ""), None) for code in codes),
            sex={"f": "female", "m": "male"}.get(row["sex"]),
            age_years=float(row["age"]) if row["age"] else None,
        )

    def _ecg(self, record: str) -> EcgRecord:
        try:
            counts = np.load(self.config.source / f"{record}.npy", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise EcgError(f"record {record}: no readable signal; export it again") from error
        if counts.ndim != 2 or len(counts) != len(LEADS):
            raise EcgError(f"record {record}: shape {counts.shape}; needed ({len(LEADS)}, samples)")
        mv_per_count = self.config.microvolts_per_count / 1000
        return EcgRecord(
            signal_mv=(counts * mv_per_count).astype(np.float32),
            leads=LEADS,
            sampling_rate_hz=SAMPLING_RATE_HZ,
            lsb_mv=np.full(len(LEADS), mv_per_count),
        )
