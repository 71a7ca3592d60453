"""Options of the MIMIC-IV-ECG dataset. Imports neither numpy nor wfdb."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from cardionets_core.config import Options

DiagnosisColumn = Literal[
    "ed_diag_ed", "ed_diag_hosp", "hosp_diag_hosp", "all_diag_hosp", "all_diag_all"
]


class MimicConfig(Options):
    """Where the release and its labels are, and which records of it are wanted."""

    source: Path = Field(description="folder of the release: the one that holds record_list.csv")
    labels: Path | None = Field(
        None,
        description="records_w_diag_icd10.csv of the Ext-ICD labels, also as .gz; without it no "
        "diagnosis, sex or age is known",
    )
    measurements: Path | None = Field(
        None,
        description="machine_measurements.csv, also as .gz, where it does not lie in the source; "
        "records without a row in it are read all the same",
    )
    diagnoses: DiagnosisColumn = Field(
        "all_diag_all",
        description="column of the labels that codes are taken from: of the hospital stay where "
        "there is one, else of the emergency department (all_diag_all); of the hospital stay "
        "alone (all_diag_hosp), reached from the emergency department (ed_diag_hosp) or directly "
        "(hosp_diag_hosp); of the emergency department alone (ed_diag_ed)",
    )
    linked_only: bool = Field(
        False,
        description="leave out records without a code in that column; otherwise they are kept, "
        "with unknown diagnoses, and are nobody's control",
    )
    records_per_subject: Literal["all", "first", "last", "random"] = Field(
        "all",
        description="all ECGs of a person, or one: the first or last by time, or one drawn by the "
        "seed; chosen by the tables, after linked_only",
    )
    splits: Literal["subject", "strat-fold"] = Field(
        "subject",
        description="drawn by person, or the published strat_fold: 0 to 17 train, 18 val, 19 test "
        "(people without one are left out)",
    )
    seed: int = Field(
        0, ge=0, le=2**63 - 1, description="seed of the drawn record, for records_per_subject"
    )

    @model_validator(mode="after")
    def _has_the_labels_that_it_needs(self) -> Self:
        if self.labels is None and self.linked_only:
            raise ValueError("linked_only needs labels: give records_w_diag_icd10.csv")
        if self.labels is None and self.splits == "strat-fold":
            raise ValueError("splits strat-fold needs labels: give records_w_diag_icd10.csv")
        return self
