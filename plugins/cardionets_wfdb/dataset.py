"""A folder of WFDB records as a dataset."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from cardionets_core.errors import ConfigError
from cardionets_core.interfaces import Subject, SubjectRef
from cardionets_core.source_files import inside
from cardionets_wfdb.config import WfdbFolderConfig
from cardionets_wfdb.wfdb_reader import read_with_comments

_OLDEST_YEARS = 120


class WfdbFolder:
    """Every header below a folder is one record.

    Age, sex and diagnoses come from the comments that PhysioNet's collections share (``Age: 84``,
    ``Sex: Female``, ``Dx: 426783006,...``). Dx codes are SNOMED CT: they are kept as the attribute
    ``snomed_ct``, not turned into ICD-10, so that ICD-10 diagnoses are not known.

    Args:
        config: Where the records are, and whose they are.
    """

    def __init__(self, config: WfdbFolderConfig) -> None:
        self.config = config

    def subjects(self) -> Iterable[SubjectRef]:
        """Every record below the folder, in the order of the paths.

        Raises:
            ConfigError: If there is no folder, no record in it, or a record without a person.
        """
        source = self.config.source
        if not source.is_dir():
            raise ConfigError(f"source {source}: no such folder; needed one with WFDB records")
        records = sorted(
            path.relative_to(source).with_suffix("").as_posix()
            for path in source.glob(self.config.pattern)
            if path.suffix == ".hea"
        )
        if not records:
            raise ConfigError(
                f"source {source}: no header (.hea) matches {self.config.pattern!r}; "
                "check the folder and the pattern"
            )
        return list(self._refs(records))

    def read(self, ref: SubjectRef) -> Subject:
        """Read one record with what its header says about the person.

        Raises:
            EcgError: If it cannot be read.
            SourceError: If one of its files is a link that leads out of the folder.
        """
        for ending in (".dat", ".mat"):
            inside(self.config.source, f"{ref.location}{ending}")
        record = read_with_comments(inside(self.config.source, f"{ref.location}.hea"))
        said = _key_values(record.comments)
        codes = re.findall(r"\d{6,18}", said.get("dx", ""))
        return Subject(
            subject_id=ref.subject_key,
            record_id=ref.record_key,
            ecg=record.ecg,
            sex=_sex(said.get("sex", said.get("gender", ""))),
            age_years=_age_years(said.get("age", "")),
            attributes={"snomed_ct": ",".join(codes)} if codes else {},
            diagnoses_known=False,
        )

    def _refs(self, records: list[str]) -> Iterator[SubjectRef]:
        table = {} if self.config.subjects is None else _subject_table(self.config.subjects)
        unknown = 0
        for record in records:
            subject = self._subject_key(record, table)
            unknown += subject is None
            if subject is not None:
                yield SubjectRef(subject_key=subject, record_key=record, location=record)
        if unknown:
            where = "in the subjects table" if table else "by subject_pattern"
            raise ConfigError(
                f"{unknown} of {len(records)} records have no person {where}; a record without a "
                "person could end up in training and test: complete it, or narrow pattern"
            )

    def _subject_key(self, record: str, table: dict[str, str]) -> str | None:
        name = record.rsplit("/", maxsplit=1)[-1]
        if self.config.subjects is not None:
            return table.get(record, table.get(name))
        if self.config.subject_pattern is None:
            # Two files of one name in different folders count as one person: the safe side.
            return name
        match = re.search(self.config.subject_pattern, record)
        return match.group(1) if match else None


def _subject_table(path: Path) -> dict[str, str]:
    """Record to person."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"subjects {path}: cannot be read ({type(error).__name__}); needed a CSV file in UTF-8"
        ) from error
    table: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        record, subject = row.get("record"), row.get("subject")
        if not record or not subject:
            raise ConfigError(
                f"subjects {path}, row {number}: needed values in the columns record and subject"
            )
        if table.setdefault(record, subject) != subject:
            raise ConfigError(f"subjects {path}, row {number}: this record has another person too")
    return table


def _key_values(comments: Iterable[str]) -> dict[str, str]:
    """``Age: 84`` to ``{"age": "84"}``; the first of a kind counts."""
    said: dict[str, str] = {}
    for line in comments:
        key, colon, value = line.partition(":")
        if colon:
            said.setdefault(key.strip(" #<>").lower(), value.strip())
    return said


def _sex(text: str) -> Literal["female", "male"] | None:
    sexes: dict[str, Literal["female", "male"]] = {"f": "female", "female": "female"}
    sexes |= {"m": "male", "male": "male"}
    return sexes.get(text.lower())


def _age_years(text: str) -> float | None:
    match = re.fullmatch(r"\d{1,3}(\.\d+)?", text)
    return float(text) if match and float(text) <= _OLDEST_YEARS else None
