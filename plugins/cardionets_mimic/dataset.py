"""MIMIC-IV-ECG as a dataset."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from cardionets_core.errors import SourceError
from cardionets_core.interfaces import Diagnosis, SelectionStep, Split, Subject, SubjectRef
from cardionets_mimic.choosing import choose
from cardionets_mimic.config import MimicConfig
from cardionets_mimic.index import Index, Joined
from cardionets_mimic.labels import FOLDS, read_labels
from cardionets_mimic.measurements import measurements_file, read_measurements
from cardionets_mimic.record_list import read_record_list
from cardionets_mimic.waveforms import read_waveform

_VAL_FOLD, _TEST_FOLD = FOLDS - 2, FOLDS - 1
_ANOTHER_PERSON = (
    "the labels give this record to another person than the record list; needed tables of one "
    "release"
)
_TWO_FOLDS = "this person's records stand in more than one strat_fold; needed one fold each"


class Told(NamedTuple):
    """What the tables say about one ECG: all that a worker needs to read it.

    Attributes:
        path: Path of the record below the source, without ending.
        sex: ``female``, ``male`` or None.
        age_years: Age at the ECG, or None.
        codes: ICD-10 codes, blank-separated; None where nothing is known.
        attributes: JSON objects of further columns.
        problem: Why the record must not be used; None if it may.
    """

    path: str
    sex: Literal["female", "male"] | None
    age_years: float | None
    codes: str | None
    attributes: tuple[str, ...]
    problem: str | None


class MimicEcg:
    """Every ECG of the record list, with what the labels and the machine say about it.

    The tables are read at the first listing and kept in a database on disk; workers get what they
    need of it with each record.

    Args:
        config: Where the release is, and which records of it are wanted.
    """

    def __init__(self, config: MimicConfig) -> None:
        self.config = config
        self._listing: tuple[Index, tuple[SelectionStep, ...]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self.config, "_listing": None}

    def subjects(self) -> Iterable[SubjectRef]:
        """Every wanted record, in the order of the record list.

        Raises:
            ConfigError: If a table is not where it should be.
            SourceError: If one cannot be read or lacks a column.
        """
        index, _ = self._listed()
        return map(self._ref, index.rows())

    def selection(self) -> Sequence[SelectionStep]:
        """What was left out by options; errors as in ``subjects``."""
        _, steps = self._listed()
        return steps

    def read(self, ref: SubjectRef) -> Subject:
        """Read one ECG and add what the tables say. Its diagnoses have no dates.

        Raises:
            SourceError: If the tables contradict each other about it, or a file is missing.
            EcgError: If the ECG cannot be read.
        """
        told: Told = ref.location
        if told.problem is not None:
            raise SourceError(told.problem)
        attributes: dict[str, float] = {}
        for text in told.attributes:
            attributes |= json.loads(text)
        return Subject(
            subject_id=ref.subject_key,
            record_id=ref.record_key,
            ecg=read_waveform(self.config.source, told.path, ref.subject_key),
            # A discharge diagnosis is of the whole stay: it has no day of its own.
            diagnoses=tuple(Diagnosis(code, None) for code in (told.codes or "").split()),
            diagnoses_known=told.codes is not None,
            sex=told.sex,
            age_years=told.age_years,
            attributes=attributes,
        )

    def _listed(self) -> tuple[Index, tuple[SelectionStep, ...]]:
        if self._listing is None:
            index = _index(self.config)
            self._listing = index, choose(index, self.config)
        return self._listing

    def _ref(self, row: Joined) -> SubjectRef:
        by_fold = self.config.splits == "strat-fold"
        return SubjectRef(
            subject_key=row.subject,
            record_key=row.record,
            location=Told(
                path=row.path,
                sex=row.sex,
                age_years=row.age_years,
                codes=row.codes,
                attributes=tuple(filter(None, (row.label_attributes, row.measured_attributes))),
                problem=next(_problems(row, by_fold=by_fold), None),
            ),
            split=_split(row.lowest_fold) if by_fold else None,
        )


def _index(config: MimicConfig) -> Index:
    index = Index()
    measurements = measurements_file(config.source, config.measurements)
    index.add_records(read_record_list(config.source))
    if config.labels is not None:
        folds_needed = config.splits == "strat-fold"
        labels = read_labels(config.labels, config.diagnoses, folds_needed=folds_needed)
        index.add_labels(labels, config.labels)
    if measurements is not None:
        index.add_measurements(read_measurements(measurements))
    index.finish()
    return index


def _problems(row: Joined, *, by_fold: bool) -> Iterator[str]:
    """What forbids to use a record, the gravest first."""
    if row.problem:
        yield row.problem
    if row.label_subject not in (None, row.subject):
        yield _ANOTHER_PERSON
    if row.label_problem:
        yield row.label_problem
    if by_fold and row.lowest_fold != row.highest_fold:
        yield _TWO_FOLDS


def _split(fold: int | None) -> Split | None:
    """The authors' use of their folds."""
    if fold is None:
        return None
    return {_VAL_FOLD: "val", _TEST_FOLD: "test"}.get(fold, "train")  # type: ignore[return-value]
