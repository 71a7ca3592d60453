"""Every check of a dataset passes a sound one, and catches the mistake that it is for."""

from __future__ import annotations

import dataclasses
import itertools
import threading

import numpy as np
import pytest

from cardionets_core.config import Options
from cardionets_core.errors import EcgError
from cardionets_core.interfaces import Diagnosis, SelectionStep, SubjectRef
from cardionets_core.testing import ConformanceError, checks_of, made_up_subject


class Sound:
    """Four made-up persons."""

    def __init__(self):
        self.config = Options()

    def subjects(self):
        for index in range(4):
            yield SubjectRef(f"person-{index}", f"record-{index}", location=index)

    def read(self, ref):
        return self.change(made_up_subject(ref.location))

    def change(self, subject):
        return subject


def changed(**values):
    """A dataset whose subjects differ in these values."""

    class Changed(Sound):
        def change(self, subject):
            return dataclasses.replace(subject, **values)

    return Changed


def changed_ecg(change):
    class Changed(Sound):
        def change(self, subject):
            return dataclasses.replace(subject, ecg=change(subject.ecg))

    return Changed


def listed(*refs):
    class Listed(Sound):
        def subjects(self):
            return [SubjectRef(**ref) for ref in refs]

    return Listed


class NoConfig(Sound):
    def __init__(self):
        pass


class Shuffled(Sound):
    turn = itertools.count()

    def subjects(self):
        refs = list(super().subjects())
        return refs[:: 1 if next(self.turn) % 2 else -1]


class Locked(Sound):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class Unseeded(Sound):
    turn = itertools.count()

    def change(self, subject):
        return dataclasses.replace(subject, age_years=float(next(self.turn)))


def microvolts(ecg):
    return dataclasses.replace(ecg, signal_mv=ecg.signal_mv * 1000)


def telling(*steps):
    """Four records of four persons, selected in these steps."""

    class Telling(Sound):
        def selection(self):
            return steps

    return Telling


def withdrawn(*people):
    class Withdrawn(Sound):
        def withdrawn_subjects(self):
            return people

    return Withdrawn


class Whole(Sound):
    def selection(self):
        return [
            SelectionStep("ECGs in the tree", 7),
            SelectionStep("ECGs of this visit", 4, 4, {"another visit": 2, "withdrawn": 1}),
        ]

    def withdrawn_subjects(self):
        return iter(["person-9"])


PERSON = {"subject_key": "person-0", "record_key": "record-0", "location": 0}
BROKEN = {
    "keeps_the_contract": (NoConfig, "config is not the option model"),
    "lists_subjects": (listed(), "needed a SubjectRef"),
    "order_is_stable": (Shuffled, "stable order"),
    "record_keys_are_unique": (listed(PERSON, PERSON), "same record_key"),
    "roles_are_known": (listed({**PERSON, "role": "train"}), "role is 'train'"),
    "splits_are_known": (listed({**PERSON, "split": "dev"}), "split is 'dev'"),
    "pickles": (Locked, "worker process"),
    "refs_are_small": (listed({**PERSON, "location": b"x" * 20_000}), "keep a path or an index"),
    "keys_come_back": (changed(subject_id="somebody else"), "another subject_id"),
    "reading_is_repeatable": (Unseeded, "seed what is random"),
    "holds_an_ecg_or_a_cine": (changed(ecg=None, cine=None), "neither ecg nor cine"),
    "ecg_is_leads_by_samples": (
        changed_ecg(lambda ecg: dataclasses.replace(ecg, signal_mv=ecg.signal_mv.T.copy())),
        "5000 rows for 12 lead names",
    ),
    "leads_are_named": (
        changed_ecg(lambda ecg: dataclasses.replace(ecg, leads=("AVR", *ecg.leads[1:]))),
        "canonical spelling 'aVR'",
    ),
    "ecg_is_in_mv": (changed_ecg(microvolts), "divide microvolts by 1000"),
    "cine_is_canonical": (changed(cine=np.zeros((50, 96, 96), np.float32)), "uint8"),
    "phenotypes_go_by_field_id": (changed(phenotypes={"LVEF": 60.0}), "goes by 'LVEF'"),
    "diagnoses_are_icd10_without_dots": (
        changed(diagnoses=(Diagnosis("I42.0", None),)),
        "without dot",
    ),
    "unknown_diagnoses_are_none": (
        changed(diagnoses=(Diagnosis("I42", 1),), diagnoses_known=False),
        "one or the other",
    ),
    "person_is_plausible": (changed(sex="F"), "sex is 'F'"),
    "attributes_name_nobody": (changed(attributes={"eid": "person-0"}), "'eid' holds"),
    "selection_ends_in_what_is_listed": (
        telling(SelectionStep("ECGs", 5, 4)),
        "lists 4 of 4",
    ),
    "selection_adds_up": (
        telling(SelectionStep("files", 9), SelectionStep("ECGs", 4, 4, {"no ECG": 4})),
        "9 records less 4 excluded are not 4",
    ),
    "nobody_withdrawn_is_listed": (withdrawn("person-9", "person-1"), "lists 1 of"),
}
CHECKS = {check.name: check for check in checks_of("dataset")}


@pytest.mark.parametrize("name", CHECKS)
def test_a_sound_dataset_passes(name):
    CHECKS[name](Sound())


@pytest.mark.parametrize("name", CHECKS)
def test_the_mistake_is_caught_and_explained(name):
    dataset, words = BROKEN[name]
    with pytest.raises(ConformanceError, match=words):
        CHECKS[name](dataset())


def test_a_dataset_with_every_optional_method_passes():
    for check in CHECKS.values():
        check(Whole())


@pytest.mark.parametrize(
    "words",
    ["person-1 has no ECG", "before 2020-01-02", "missing in /data/ukb", "no 1234567", "record-3"],
)
@pytest.mark.parametrize("place", ["label", "reason"])
def test_a_step_that_names_somebody_is_caught(words, place):
    last = SelectionStep(words, 4) if place == "label" else SelectionStep("ECGs", 4, 4, {words: 0})
    with pytest.raises(ConformanceError, match="without ids, paths and dates"):
        CHECKS["selection_ends_in_what_is_listed"](telling(last)())


def test_a_selection_without_steps_is_caught():
    with pytest.raises(ConformanceError, match="one SelectionStep or more"):
        CHECKS["selection_ends_in_what_is_listed"](telling()())


def test_other_mistakes_with_splits_are_caught():
    both = listed(
        {**PERSON, "split": "train"}, {**PERSON, "record_key": "record-1", "split": "test"}
    )
    with pytest.raises(ConformanceError, match="one split per person"):
        CHECKS["splits_are_known"](both())
    with pytest.raises(ConformanceError, match="which has none"):
        CHECKS["splits_are_known"](listed({**PERSON, "role": "pretrain", "split": "test"})())


def test_withdrawn_numbers_instead_of_keys_are_caught():
    with pytest.raises(ConformanceError, match="which are text"):
        CHECKS["nobody_withdrawn_is_listed"](withdrawn(1234567)())


def test_volts_passed_as_millivolts_are_caught():
    volts = changed_ecg(lambda ecg: dataclasses.replace(ecg, signal_mv=ecg.signal_mv / 1000))
    with pytest.raises(ConformanceError, match="multiply volts by 1000"):
        CHECKS["ecg_is_in_mv"](volts())


def test_one_record_that_cannot_be_read_is_passed_over():
    class OneBroken(Sound):
        def change(self, subject):
            if subject.record_id == "record-0":
                raise EcgError("broken off")
            return subject

    CHECKS["ecg_is_in_mv"](OneBroken())


def test_a_source_of_which_nothing_can_be_read_fails_with_its_reason():
    class AllBroken(Sound):
        def change(self, subject):
            raise EcgError("broken off")

    with pytest.raises(ConformanceError, match="no record can be read: broken off"):
        CHECKS["ecg_is_in_mv"](AllBroken())
