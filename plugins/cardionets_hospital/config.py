"""Options of the hospital dataset. Imports neither numpy nor any reader."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from cardionets_core.cmr.geometry_config import CineGeometryOptions

EcgsPerPerson = Literal["all", "first", "last"]


class HospitalConfig(CineGeometryOptions):
    """Where the files are, whose they are, and what the files themselves do not say.

    The geometry of cines applies to the CMR that the labels pair with an ECG.
    """

    source: Path = Field(description="folder that holds the ECG files, at any depth")
    labels: Path | None = Field(
        None,
        description="table with the columns file and patient_id, and optionally label, "
        "acquired_at, split, cmr_path, sex, age_years, icd10 and UK Biobank field ids; without it "
        "every file counts as a person of its own",
    )
    unlisted: Literal["leave-out", "include"] = Field(
        "leave-out",
        description="what becomes of files without a row in the labels: left out, or each a "
        "person of its own",
    )
    ecgs_per_person: EcgsPerPerson = Field(
        "all",
        description="which ECGs of a person are taken, by acquired_at, which is needed for first "
        "and last",
    )
    table_units: Literal["mV", "uV"] | None = Field(
        None, description="unit of all CSV and NPY files, which do not say it"
    )
    table_rate_hz: float | None = Field(
        None,
        gt=0,
        description="sampling rate of all CSV and NPY files",
        json_schema_extra={"unit": "Hz"},
    )
    table_leads: tuple[str, ...] | None = Field(
        None,
        description="leads of NPY files, and of CSV files without a row of names, in their order, "
        "such as I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6",
    )
    series: str | None = Field(
        None,
        description="DICOM series of a CMR that is the cine, if there are several: its whole name, "
        "or a regular expression of it, in any case, with _ for spaces",
    )
    cine_errors: Literal["quarantine", "leave-out"] = Field(
        "quarantine",
        description="what becomes of an ECG whose CMR cannot be read: left out with the reason, or "
        "kept without a cine and marked as such",
    )

    @field_validator("table_leads", mode="before")
    @classmethod
    def _splits_at_commas(cls, leads: Any) -> Any:
        return [name.strip() for name in leads.split(",")] if isinstance(leads, str) else leads

    @field_validator("series")
    @classmethod
    def _is_a_pattern(cls, series: str | None) -> str | None:
        try:
            re.compile(series or "")
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return series

    @model_validator(mode="after")
    def _asks_the_labels_only_if_there_are_some(self) -> HospitalConfig:
        for name in ("unlisted", "ecgs_per_person", "series", "cine_errors"):
            default = type(self).model_fields[name].default
            if self.labels is None and getattr(self, name) != default:
                raise ValueError(f"{name} says what to do with labels; needed labels too")
        return self
