"""Options of the WFDB folder dataset. Imports neither numpy nor wfdb."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, field_validator

from cardionets_core.config import Options


class WfdbFolderConfig(Options):
    """Where the records are, and whose they are."""

    source: Path = Field(description="folder that holds the records, at any depth")
    pattern: str = Field(
        "**/*.hea", min_length=1, description="which headers to read, as a glob below the folder"
    )
    subject_pattern: str | None = Field(
        None,
        description="regular expression with one group, searched in the record's path below the "
        r"folder without ending; the group is the person, e.g. 'p(\d{8})/'. Without it, and "
        "without subjects, every record is a person of its own",
    )
    subjects: Path | None = Field(
        None,
        description="CSV file with columns record and subject, record being a record's name or "
        "its path below the folder without ending",
    )

    @field_validator("subject_pattern")
    @classmethod
    def _has_one_group(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise ValueError(f"no regular expression: {error}") from error
            if groups != 1:
                raise ValueError(f"{groups} groups; needed exactly one, which is the person")
        return pattern

    @field_validator("pattern")
    @classmethod
    def _stays_below_the_folder(cls, pattern: str) -> str:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise ValueError(f"{pattern!r} leaves the folder; needed a glob below it")
        if any("**" in part and part != "**" for part in Path(pattern).parts):
            raise ValueError(
                f"{pattern!r} has ** beside other letters; needed it alone, as in **/*"
            )
        return pattern
