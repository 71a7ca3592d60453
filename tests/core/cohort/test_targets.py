"""Targets follow from diagnoses, phenotypes and columns exactly as the task declares."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from made_up_source import MADE_UP, MadeUp

from cardionets_core.cmr.phenotypes import FIELD_IDS, PHENOTYPES
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.targets import (
    Targets,
    find_task,
    require_two_classes,
    task_targets,
)
from cardionets_core.cohort.writer import prepare
from cardionets_core.errors import LabelsError, UnknownNameError, UsageError
from cardionets_core.interfaces import Diagnosis
from cardionets_core.plugins import Discovery, FailedPlugin, Plugin
from cardionets_core.registry import Registry
from cardionets_core.spec import TaskSpec

# Diagnoses of each record of the clinic: code, days from the visit.
CLINIC = (
    (("I42.0", -1),),
    (("I42.1", 0), ("I42.2", -400)),
    (("I42.5", None),),
    (("I42.0", 1),),
    (("I43", -9),),
    (("I42.0", -5), ("I42.2", -5)),
    (("I42.0", -5), ("I42.5", 700)),
    (),
    (("I21.9", -30), ("I50", -2)),
    (("I41.0", -30), ("A42", -30)),
)
YES, NO, UNKNOWN = 1.0, 0.0, np.nan


@dataclass
class Clinic(MadeUp):
    """Ten people, one ECG each, with the diagnoses above."""

    def read(self, ref):
        diagnoses = tuple(Diagnosis(code, days) for code, days in CLINIC[ref.location])
        grade = {
            "grade": float(ref.location % 3),
            "kind": ("dcm", "HCM", "other")[ref.location % 3],
        }
        return replace(super().read(ref), cine=None, diagnoses=diagnoses, attributes=grade)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    out = tmp_path_factory.mktemp("clinic") / "clinic.h5"
    prepare(Clinic(records=10), out, seed=3, provenance=MADE_UP)
    with open_cohort(out) as opened:
        yield opened


def disease(name, *codes, **more):
    return TaskSpec(name, name, "binary", (name,), codes=(codes,), **more)


CM = disease("cm", "I42", "I43")
CAD = disease("cad", "I20", "I21", "I25")
SUBTYPE = TaskSpec(
    "cm-subtype", "subtypes", "multiclass", ("dcm", "hcm", "rcm"),
    codes=(("I420",), ("I421", "I422"), ("I425",)),
)  # fmt: skip
PHENOTYPES_TASK = TaskSpec(
    "phenotypes", "82", "regression", tuple(p.name for p in PHENOTYPES), field_ids=FIELD_IDS
)
BROKEN = FailedPlugin("broken", "acme-broken", "0.3.1", "ImportError: no")


def registry_of(*tasks, failed=()):
    plugin = Plugin("made-up", "made-up", "0", {"cardionets_tasks": tasks})
    return Registry(Discovery((plugin,), failed))


REGISTRY = registry_of(CM, CAD, SUBTYPE, PHENOTYPES_TASK)


def values(task, cohort):
    return task_targets(task, cohort).values


def test_a_diagnosis_counts_if_dated_on_or_before_the_visit_or_undated(clinic):
    expected = [YES, YES, YES, UNKNOWN, YES, YES, YES, NO, NO, NO]
    np.testing.assert_array_equal(values(CM, clinic)[:, 0], expected)


def test_who_is_diagnosed_later_is_left_out_or_a_control_as_one_likes(clinic):
    kept = task_targets(CM, clinic, later_diagnoses="negative").values[:, 0]
    np.testing.assert_array_equal(kept, [YES, YES, YES, NO, YES, YES, YES, NO, NO, NO])
    joined = find("cm,cad", clinic, later_diagnoses="negative").values
    np.testing.assert_array_equal(joined[:, 0], kept)
    np.testing.assert_array_equal(find("cm,cad", clinic).values[3], [UNKNOWN, NO])


@dataclass
class HalfLinked(Clinic):
    """The clinic, with the diagnoses of every second record not known."""

    def read(self, ref):
        known = ref.location % 2 == 0
        subject = super().read(ref)
        return subject if known else replace(subject, diagnoses=(), diagnoses_known=False)


def test_a_record_without_a_source_of_diagnoses_is_nobodys_control(tmp_path, clinic):
    prepare(HalfLinked(records=10), tmp_path / "half.h5", seed=3, provenance=MADE_UP)
    with open_cohort(tmp_path / "half.h5") as half:
        np.testing.assert_array_equal(half.diagnoses_known, [True, False] * 5)
        assert [subject.diagnoses_known for subject in half] == [True, False] * 5
        for task in (CM, CAD, SUBTYPE, replace(SUBTYPE, target="multilabel")):
            found = values(task, half)
            np.testing.assert_array_equal(found[::2], values(task, clinic)[::2])
            assert np.isnan(found[1::2]).all()


def test_later_diagnoses_count_where_a_task_takes_all(clinic):
    found = values(disease("cm", "I42", "I43", dated_by_visit=False), clinic)
    np.testing.assert_array_equal(found[:, 0], [YES] * 7 + [NO] * 3)


def test_a_prefix_matches_the_start_of_a_code_only(clinic):
    np.testing.assert_array_equal(values(disease("x", "42"), clinic), 0)
    np.testing.assert_array_equal(values(disease("x", "I41"), clinic)[:, 0], [NO] * 9 + [YES])


def test_targets_equal_a_loop_over_the_records(clinic):
    def has(subject, prefixes):
        days = [d.days_from_visit or 0 for d in subject.diagnoses if d.icd10.startswith(prefixes)]
        return UNKNOWN if days and min(days) > 0 else float(bool(days))

    task = replace(SUBTYPE, target="multilabel")
    expected = [[has(subject, prefixes) for prefixes in task.codes] for subject in clinic]
    np.testing.assert_array_equal(values(task, clinic), expected)


def test_a_record_is_of_a_class_if_codes_of_exactly_one_class_are_found(clinic):
    targets = task_targets(SUBTYPE, clinic)
    expected = [0, 1, 2, UNKNOWN, UNKNOWN, UNKNOWN, 0, UNKNOWN, UNKNOWN, UNKNOWN]
    np.testing.assert_array_equal(targets.values[:, 0], expected)
    assert targets.known.tolist() == [not np.isnan(v) for v in expected]
    assert targets.strata().tolist() == ["dcm", "hcm", "rcm", "", "", "", "dcm", "", "", ""]


def test_phenotypes_are_those_of_the_named_fields_in_the_named_order(clinic):
    task = replace(PHENOTYPES_TASK, outputs=("EF", "EDV"), field_ids=(24103, 24100))
    targets = task_targets(task, clinic)
    expected = [50.0 + row if row % 4 else 50.0 for row in range(10)]
    np.testing.assert_array_equal(targets.values[:, 0], expected)
    np.testing.assert_array_equal(np.isnan(targets.values[:, 1]), np.arange(10) % 4 == 0)
    assert targets.known.all()
    assert set(targets.strata()) == {""}


def test_all_82_phenotypes_are_the_cohort_s_own(clinic):
    np.testing.assert_array_equal(values(PHENOTYPES_TASK, clinic), clinic.phenotypes)


def test_targets_are_float32_of_a_row_per_record_and_a_column_per_value(clinic):
    for task, width in ((CM, 1), (SUBTYPE, 1), (PHENOTYPES_TASK, 82)):
        assert values(task, clinic).dtype == np.float32
        assert values(task, clinic).shape == (len(clinic), width)


def test_declared_columns_are_read_as_the_task_says(clinic):
    sex = TaskSpec("sex", "", "binary", ("male",), columns=("sex",))
    expected = [(NO, YES, UNKNOWN)[row % 3] for row in range(10)]
    np.testing.assert_array_equal(values(sex, clinic)[:, 0], expected)
    grade = TaskSpec("g", "", "regression", ("grade",), columns=("grade",))
    np.testing.assert_array_equal(values(grade, clinic)[:, 0], np.arange(10) % 3)
    kind = TaskSpec("k", "", "multiclass", ("hcm", "dcm"), columns=("kind",))
    expected = [(1, 0, UNKNOWN)[row % 3] for row in range(10)]
    np.testing.assert_array_equal(values(kind, clinic)[:, 0], expected)


def test_a_declared_column_that_the_cohort_lacks_is_refused(clinic):
    with pytest.raises(UsageError, match=r"no attribute 'bmi' in .*; it has: grade, kind"):
        task_targets(TaskSpec("b", "", "regression", ("bmi",), columns=("bmi",)), clinic)


def test_strata_of_several_labels_are_their_pattern():
    task = TaskSpec("a,b", "", "multilabel", ("a", "b"))
    table = np.array([[0, 1], [UNKNOWN, 1], [UNKNOWN, UNKNOWN], [1, 1]], dtype=np.float32)
    targets = Targets(task, table)
    assert targets.strata().tolist() == ["01", "?1", "", "11"]
    assert targets.known.tolist() == [True, True, False, True]


def test_one_class_among_some_rows_is_refused_and_they_are_named(clinic):
    targets = task_targets(CM, clinic)
    require_two_classes(targets, np.array([2, 7]))
    with pytest.raises(LabelsError, match=r"one class only of 'cm' in the test fold 3; needed two"):
        require_two_classes(targets, np.array([0, 1, 2]), where="the test fold 3")
    with pytest.raises(LabelsError, match="one class only of 'cm-subtype'"):
        require_two_classes(task_targets(SUBTYPE, clinic), np.array([0, 6]))
    with pytest.raises(LabelsError, match="no known label of 'cm-subtype'"):
        require_two_classes(task_targets(SUBTYPE, clinic), np.array([7, 8]))


def test_one_class_of_one_label_among_several_is_refused():
    task = TaskSpec("a,b", "", "multilabel", ("a", "b"))
    targets = Targets(task, np.array([[0, 1], [1, 1]], dtype=np.float32))
    with pytest.raises(LabelsError, match="one class only of 'b'"):
        require_two_classes(targets)


def test_a_regression_without_any_value_is_refused(clinic):
    task = replace(PHENOTYPES_TASK, outputs=("RVEF",), field_ids=(24109,))
    with pytest.raises(LabelsError, match="no known value in the cohort"):
        require_two_classes(task_targets(task, clinic))


def find(names, cohort, **more):
    return find_task(names, registry=REGISTRY, cohort=cohort, **more)


def test_a_registered_task_is_found_by_either_name(clinic):
    for name in ("cm", "made-up:cm"):
        assert find(name, clinic).task == CM


def test_joined_binary_tasks_are_several_labels(clinic):
    found = find("cm, cad", clinic)
    assert (found.task.name, found.task.target) == ("cm,cad", "multilabel")
    assert found.task.outputs == ("cm", "cad")
    np.testing.assert_array_equal(
        found.values, np.concatenate([values(CM, clinic), values(CAD, clinic)], axis=1)
    )


def test_tasks_and_columns_can_be_joined(clinic):
    found = find("sex,cm", clinic)
    assert found.task.target == "multilabel"
    assert np.isnan(found.values[2]).tolist() == [True, False]
    assert "'male' is positive, 'female' negative" in found.notes[0]


def test_joined_numbers_are_a_regression_with_several_outputs(clinic):
    found = find("age_years,grade", clinic, target="regression")
    assert (found.task.target, found.task.outputs) == ("regression", ("age_years", "grade"))
    np.testing.assert_array_equal(found.values[:, 0], clinic.ages_years)
    assert not found.task.units


def test_joined_phenotypes_and_columns_keep_their_units(clinic):
    task = replace(PHENOTYPES_TASK, outputs=("EF",), field_ids=(24103,), units=("%",), name="ef")
    found = find_task("ef,age_years", registry=registry_of(task), cohort=clinic)
    assert found.task.units == ("%", "")


def test_sex_age_and_the_source_s_columns_are_tasks_too(clinic):
    assert find("sex", clinic).task.target == "binary"
    assert find("age_years", clinic).task.target == "regression"
    assert find("grade", clinic).task.outputs == ("0", "1", "2")
    assert find("kind", clinic).task.outputs == ("dcm", "HCM", "other")


@pytest.mark.parametrize(
    ("names", "more", "error", "words"),
    [
        ("cd", {}, UnknownNameError, r"no task or column 'cd'. Did you mean 'cad'\?.* grade, kind"),
        ("cm,cm", {}, UsageError, "empty or repeated name"),
        ("cm,", {}, UsageError, "empty or repeated name"),
        ("cm,age_years", {}, UsageError, "cm is binary, age_years is regression; joined names"),
        ("cm,cm-subtype", {}, UsageError, "cm is binary, cm-subtype is multiclass; joined"),
        ("cm,sex", {"target": "multiclass"}, UsageError, "2 names are a multilabel or regression"),
        ("cm", {"target": "regression"}, UsageError, "task 'cm' is binary, and target regression"),
        ("sex", {"target": "multilabel"}, UsageError, "needs two names or more"),
        ("kind", {"target": "binary"}, LabelsError, "3 different values; a binary target needs"),
        ("kind", {"target": "regression"}, LabelsError, "something else than finite numbers"),
    ],
)
def test_what_cannot_be_a_task_is_refused_in_one_line(clinic, names, more, error, words):
    with pytest.raises(error, match=words) as caught:
        find(names, clinic, **more)
    assert "\n" not in str(caught.value)


def test_a_disease_that_nobody_has_is_refused(clinic):
    with pytest.raises(LabelsError, match="one class only of 'ph' in the cohort"):
        find_task("ph", registry=registry_of(disease("ph", "I27")), cohort=clinic)


def test_an_unknown_task_names_the_plugins_that_did_not_load(clinic):
    with pytest.raises(UnknownNameError, match="not loaded: broken"):
        find_task("x", registry=registry_of(CM, failed=(BROKEN,)), cohort=clinic)
