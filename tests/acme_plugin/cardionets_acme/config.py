"""Options. Imports neither torch nor numpy."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cardionets_core.config import Options


class AcmeCsvConfig(Options):
    """Where the archive is, and how its devices count."""

    source: Path = Field(description="folder with index.csv and one NPY file per record")
    microvolts_per_count: float = Field(
        5.0, gt=0, description="voltage of one count", json_schema_extra={"unit": "uV"}
    )
    require_consent: bool = Field(True, description="leave out records without consent")


class AcmeLinearConfig(Options):
    """Options of the head."""

    dropout: float = Field(0.0, ge=0, lt=1, description="share of features dropped in training")
