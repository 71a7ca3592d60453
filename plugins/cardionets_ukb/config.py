"""Options of the UK Biobank dataset. Imports neither numpy nor pydicom."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from cardionets_core.cmr.geometry_config import CineGeometryOptions

Require = Literal["any", "ecg", "cine", "both"]


class UkbConfig(CineGeometryOptions):
    """Where the files are, which of them are wanted, and how cines are cut out."""

    source: Path = Field(description="folder that holds the bulk files, at any depth")
    table: tuple[Path, ...] = Field(
        (),
        description="CSV or TSV table of the participants; several as a TOML list, of which the "
        "first with a field counts for it. Without one, nothing is known but the files",
    )
    withdrawn: Path | None = Field(
        None,
        description="list of the participants who withdrew, one a line; leave it out only if "
        "nobody has",
    )
    instance: Literal[2, 3] = Field(
        2, description="which visit: 2 is the imaging visit, 3 the repeat of it"
    )
    require: Require = Field(
        "any", description="what a visit has to have to be listed: either, an ECG, a cine, or both"
    )
    phenotypes: Literal["partial", "complete"] = Field(
        "partial",
        description="whether to list everybody, or only those with all 82 phenotypes, as the "
        "paper's regression does",
    )
    require_visit_date: bool = Field(
        False,
        description="list only those whose table has the date of the visit; others are listed "
        "with unknown diagnoses",
    )

    @field_validator("table", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str | Path) else given

    @model_validator(mode="after")
    def _has_what_it_asks_for(self) -> Self:
        if not self.table and (self.phenotypes == "complete" or self.require_visit_date):
            raise ValueError(
                "phenotypes = complete and require_visit_date need a table; give one with --table"
            )
        return self
