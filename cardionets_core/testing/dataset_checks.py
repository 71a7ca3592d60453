"""The promises of a dataset: ``cardionets_core.interfaces.Dataset``."""

from __future__ import annotations

import dataclasses
import itertools
import math
import pickle
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from cardionets_core.cmr.phenotypes import FIELD_IDS
from cardionets_core.cohort.layout import CINE_SHAPE
from cardionets_core.errors import CardionetsError
from cardionets_core.interfaces import (
    Dataset,
    Diagnosis,
    Subject,
    SubjectRef,
    missing_members,
)
from cardionets_core.testing import ecg_checks
from cardionets_core.testing.requirement import ConformanceError, require

# Enough records to meet what varies, few enough for a test; unreadable ones are passed over.
_READ = 3
_TRIED = 20
_LARGEST_REF_BYTES = 10_000
_ICD10 = re.compile(r"[A-Z][0-9A-Z]{1,7}")
_OLDEST_YEARS = 130


def check_keeps_the_contract(dataset: Any) -> None:
    """It has ``subjects`` and ``read``, and keeps its options as ``config``."""
    lacking = missing_members(dataset, Dataset)
    require(not lacking, f"{type(dataset).__name__} lacks {', '.join(lacking)}")
    require(
        hasattr(getattr(dataset, "config", None), "model_dump"),
        f"{type(dataset).__name__}.config is not the option model that it was built with; "
        "needed self.config = config, as its options go into the cohort's provenance",
    )


def check_lists_subjects(dataset: Dataset) -> None:
    """There is something to read, listed as ``SubjectRef``."""
    ref = next(iter(dataset.subjects()), None)
    require(
        isinstance(ref, SubjectRef),
        f"the first of subjects() is {ref!r}; needed a SubjectRef: give the test a source with "
        "at least one record",
    )


def check_order_is_stable(dataset: Dataset) -> None:
    """Two listings are the same; sort what a folder or a set gives."""
    first, second = list(_listed(dataset)), list(_listed(dataset))
    require(
        first == second,
        "subjects() gave other records, or another order, the second time; needed a stable order, "
        "as an interrupted `prepare` is taken up by it: sort them",
    )


def check_record_keys_are_unique(dataset: Dataset) -> None:
    """Every record has a key of its own, and every subject a key."""
    seen: set[str] = set()
    for ref in _listed(dataset):
        for name in ("subject_key", "record_key"):
            key = getattr(ref, name)
            require(isinstance(key, str) and bool(key), f"{name} is {key!r}; needed text")
        require(
            ref.record_key not in seen,
            "two records have the same record_key; needed one per record: join the subject's and "
            "the visit's",
        )
        seen.add(ref.record_key)


def check_roles_are_known(dataset: Dataset) -> None:
    """A role is ``pretrain``, ``downstream`` or None."""
    for ref in _listed(dataset):
        require(
            ref.role in ("pretrain", "downstream", None),
            f"role is {ref.role!r}; needed 'pretrain', 'downstream', or None to have it drawn",
        )


def check_splits_are_known(dataset: Dataset) -> None:
    """A split is ``train``, ``val``, ``test`` or None, and one for all records of a person."""
    asked: dict[str, str | None] = {}
    for ref in _listed(dataset):
        require(
            ref.split in ("train", "val", "test", None),
            f"split is {ref.split!r}; needed 'train', 'val', 'test', or None to have it drawn",
        )
        require(
            asked.setdefault(ref.subject_key, ref.split) == ref.split,
            "two records of a person ask for different splits; needed one split per person, so "
            "that nobody is on both sides",
        )
        require(
            (ref.role, ref.split) != ("pretrain", "test"),
            "a record asks for the split 'test' in the role 'pretrain', which has none; needed "
            "'train' or 'val', or another role",
        )


def check_pickles(dataset: Dataset) -> None:
    """It can be sent to a worker process, and reads the same there."""
    try:
        copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - what was dumped here
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ConformanceError(
            f"it cannot be sent to a worker process ({error}); open files in read(), and keep no "
            "lambda, lock or open file in an attribute"
        ) from error
    for ref, subject in _subjects(dataset):
        require(
            _same(copy.read(pickle.loads(pickle.dumps(ref))), subject),  # noqa: S301 - as above
            "a copy in another process reads something else; needed the same from the same ref",
        )


def check_refs_are_small(dataset: Dataset) -> None:
    """A ref says where a record is, and does not hold it."""
    for ref in itertools.islice(_listed(dataset), _TRIED):
        size = len(pickle.dumps(ref))
        require(
            size <= _LARGEST_REF_BYTES,
            f"a SubjectRef takes {size} bytes; needed under {_LARGEST_REF_BYTES}: keep a path or "
            "an index as its location, and read the record in read()",
        )


def check_keys_come_back(dataset: Dataset) -> None:
    """What is read is who was asked for."""
    for ref, subject in _subjects(dataset):
        require(
            (subject.subject_id, subject.record_id) == (ref.subject_key, ref.record_key),
            "read(ref) gave another subject_id or record_id than the keys of the ref",
        )


def check_reading_is_repeatable(dataset: Dataset) -> None:
    """Reading a record twice gives the same."""
    for ref, subject in _subjects(dataset):
        require(
            _same(dataset.read(ref), subject),
            "read(ref) gave something else the second time; needed the same: seed what is random",
        )


def check_holds_an_ecg_or_a_cine(dataset: Dataset) -> None:
    """A record without both is of no use."""
    for _, subject in _subjects(dataset):
        require(
            subject.ecg is not None or subject.cine is not None,
            "a record has neither ecg nor cine; needed at least one: leave it out of subjects()",
        )


def check_ecg_is_leads_by_samples(dataset: Dataset) -> None:
    """Signals are (leads, samples) float32 with a rate."""
    for _, subject in _subjects(dataset):
        if subject.ecg is not None:
            ecg_checks.require_shape(subject.ecg)
            ecg_checks.require_steps(subject.ecg)


def check_leads_are_named(dataset: Dataset) -> None:
    """Leads have their canonical names, none twice."""
    for _, subject in _subjects(dataset):
        if subject.ecg is not None:
            ecg_checks.require_leads(subject.ecg)


def check_ecg_is_in_mv(dataset: Dataset) -> None:
    """Signals are in millivolts, not in microvolts, volts or counts."""
    for _, subject in _subjects(dataset):
        if subject.ecg is not None:
            ecg_checks.require_millivolts(subject.ecg)


def check_cine_is_canonical(dataset: Dataset) -> None:
    """Cines are (T, H, W) uint8 of the size that a cohort stores."""
    for _, subject in _subjects(dataset):
        cine = subject.cine
        require(
            cine is None or (cine.shape == CINE_SHAPE and cine.dtype == np.uint8),
            f"a cine is of shape {getattr(cine, 'shape', None)} and type "
            f"{getattr(cine, 'dtype', None)}; needed (T, H, W) = {CINE_SHAPE} and uint8: "
            "cardionets_core.cmr makes it so",
        )


def check_phenotypes_go_by_field_id(dataset: Dataset) -> None:
    """Phenotypes go by UK Biobank field id; those not measured are left out."""
    for _, subject in _subjects(dataset):
        for field_id, value in subject.phenotypes.items():
            require(
                field_id in FIELD_IDS,
                f"a phenotype goes by {field_id!r}; needed a field id from {FIELD_IDS[0]} to "
                f"{FIELD_IDS[-1]}; other numbers belong into attributes",
            )
            require(
                math.isfinite(value),
                f"phenotype {field_id} is {value}; leave out what was not measured",
            )


def check_diagnoses_are_icd10_without_dots(dataset: Dataset) -> None:
    """Diagnoses are undotted ICD-10 codes, dated in days from the visit."""
    for _, subject in _subjects(dataset):
        for diagnosis in subject.diagnoses:
            require(isinstance(diagnosis, Diagnosis), f"{diagnosis!r}; needed a Diagnosis")
            require(
                _ICD10.fullmatch(diagnosis.icd10) is not None,
                f"a diagnosis is {diagnosis.icd10!r}; needed an ICD-10 code in capitals without "
                "dot, such as 'I420'",
            )
            days = diagnosis.days_from_visit
            require(
                days is None or isinstance(days, int),
                f"days_from_visit is a {type(days).__name__}; needed whole days from the visit, "
                "negative before it, or None",
            )


def check_unknown_diagnoses_are_none(dataset: Dataset) -> None:
    """``diagnoses_known`` is True or False, and a record without known diagnoses has none."""
    for _, subject in _subjects(dataset):
        require(
            isinstance(subject.diagnoses_known, bool),
            f"diagnoses_known is a {type(subject.diagnoses_known).__name__}; needed True or False",
        )
        require(
            subject.diagnoses_known or not subject.diagnoses,
            "a record has diagnoses and says that its diagnoses are not known; needed one or the "
            "other: leave diagnoses_known True where the source has any",
        )


def check_person_is_plausible(dataset: Dataset) -> None:
    """Sex and age are what the contract names, or None."""
    for _, subject in _subjects(dataset):
        require(
            subject.sex in ("female", "male", None),
            f"sex is {subject.sex!r}; needed 'female', 'male' or None",
        )
        age = subject.age_years
        require(
            age is None or 0 <= age <= _OLDEST_YEARS,
            f"age_years is {age}; needed years at the visit, or None where it is not known",
        )


def check_attributes_name_nobody(dataset: Dataset) -> None:
    """Further columns do not hold the source's own ids, which a cohort must not carry."""
    for ref, subject in _subjects(dataset):
        for name, value in subject.attributes.items():
            require(
                value not in (ref.subject_key, ref.record_key),
                f"attribute {name!r} holds the source's own id; leave it out",
            )


def _listed(dataset: Dataset) -> Iterator[SubjectRef]:
    return iter(dataset.subjects())


def _subjects(dataset: Dataset) -> list[tuple[SubjectRef, Subject]]:
    """The first records that can be read; one that cannot may say so with an error of ours."""
    found: list[tuple[SubjectRef, Subject]] = []
    reason = "subjects() lists none"
    for ref in itertools.islice(_listed(dataset), _TRIED):
        try:
            found.append((ref, dataset.read(ref)))
        except CardionetsError as error:
            reason = str(error)
        if len(found) == _READ:
            break
    require(bool(found), f"no record can be read: {reason}")
    return found


def _same(left: Any, right: Any) -> bool:
    """Whether two subjects, or any two of their values, are equal; NaN equals NaN."""
    if dataclasses.is_dataclass(left) and type(left) is type(right):
        names = [field.name for field in dataclasses.fields(left)]
        return all(_same(getattr(left, name), getattr(right, name)) for name in names)
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=True)
    return bool(left == right)
