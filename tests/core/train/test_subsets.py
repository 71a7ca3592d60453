"""Who trains, selects and tests: by subject, by class, and by nothing but the seed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from made_up_cohort import MadeUpCohort, binary, classes, quantities
from pydantic import ValidationError

from cardionets_core.cohort.targets import find_task
from cardionets_core.errors import LeakageError, TrainingError
from cardionets_core.registry import default_registry
from cardionets_core.train.protocol import ProtocolConfig
from cardionets_core.train.subsets import draw_subsets

PARTS = ("train", "val", "test")


def drawn(cohort, targets, *, modality="ecg", seed=0, **protocol):
    return draw_subsets(cohort, targets, ProtocolConfig(**protocol), modality=modality, seed=seed)


def people(cohort, rows):
    return set(cohort.subject_ids[rows].tolist())


def cases(targets, rows):
    return int(targets.values[rows, 0].sum())


def used_rows(subsets):
    return set(np.concatenate([getattr(subsets, part) for part in PARTS]).tolist())


@pytest.fixture
def hundred():
    """A hundred subjects, every fifth a case."""
    cohort = MadeUpCohort()
    return cohort, binary(np.arange(100) % 5 == 0, cohort)


@pytest.fixture
def visits():
    """Forty subjects of three records each; the last record of every fourth one is a case."""
    cohort = MadeUpCohort(subjects=40, records=3)
    row = np.arange(120)
    return cohort, binary((row % 3 == 2) & (row // 3 % 4 == 0), cohort)


def test_one_fold_of_five_is_sixty_twenty_twenty_of_the_subjects(hundred):
    subsets = drawn(*hundred)
    assert [len(getattr(subsets, part)) for part in PARTS] == [60, 20, 20]
    assert subsets.fraction == 1


def test_no_subject_is_in_two_parts_and_none_is_lost(visits):
    cohort, targets = visits
    subsets = drawn(cohort, targets)
    found = [people(cohort, getattr(subsets, part)) for part in PARTS]
    assert sum(map(len, found)) == len(set.union(*found)) == 40
    assert sum(len(getattr(subsets, part)) for part in PARTS) == 120


@pytest.mark.parametrize("fold", range(5))
def test_every_part_has_its_share_of_every_class(hundred, fold):
    cohort, targets = hundred
    subsets = drawn(cohort, targets, fold=fold)
    assert [cases(targets, getattr(subsets, part)) for part in PARTS] == [12, 4, 4]


def test_subjects_are_dealt_by_their_class_even_if_only_a_later_record_tells_it(visits):
    cohort, targets = visits
    for fold in range(5):
        subsets = drawn(cohort, targets, fold=fold)
        assert [cases(targets, getattr(subsets, part)) for part in PARTS] == [6, 2, 2]


@pytest.mark.parametrize("folds", [3, 5, 10])
def test_the_folds_test_everybody_once(hundred, folds):
    parts = [drawn(*hundred, folds=folds, fold=fold) for fold in range(folds)]
    assert sorted(np.concatenate([part.test for part in parts])) == list(range(100))
    for part, following in zip(parts, (*parts[1:], parts[0]), strict=True):
        # The inner split is the next fold's test, so that it serves everybody once as well.
        assert part.val.tolist() == following.test.tolist()


def test_parts_follow_from_the_seed_and_the_task_alone(hundred):
    cohort, targets = hundred
    once, again, other = (drawn(cohort, targets, seed=seed) for seed in (3, 3, 4))
    assert all(np.array_equal(getattr(once, part), getattr(again, part)) for part in PARTS)
    assert not np.array_equal(once.test, other.test)
    renamed = binary(targets.values[:, 0], cohort, name="another")
    assert not np.array_equal(once.test, drawn(cohort, renamed, seed=3).test)


def test_parts_do_not_depend_on_the_order_of_the_cohort(hundred):
    cohort, targets = hundred
    before = people(cohort, drawn(cohort, targets, labels=20).train)
    cohort.subject_ids = cohort.subject_ids[::-1].copy()
    turned = binary(targets.values[::-1, 0], cohort)
    assert people(cohort, drawn(cohort, turned, labels=20).train) == before


def test_a_simulated_cohort_is_dealt_alike_under_another_key():
    found = []
    for key in (7919, 104729):
        cohort = MadeUpCohort()
        cohort.subject_ids = np.array([f"{(row * key) % 2**20:016x}" for row in range(100)])
        cohort.origins = np.array([f"simulated/3/{row}" for row in range(100)])
        found.append(drawn(cohort, binary(np.arange(100) % 5 == 0, cohort), labels=20))
    assert all(np.array_equal(getattr(found[0], p), getattr(found[1], p)) for p in PARTS)


@pytest.mark.parametrize("seed", range(5))
def test_fewer_labels_are_a_part_of_more(hundred, seed):
    shares = [0.05, 0.1, 0.25, 0.5, 0.75, 1.0]
    parts = [drawn(*hundred, seed=seed, label_fraction=share) for share in shares]
    for less, more in pairwise(parts):
        assert set(less.train) < set(more.train)
        assert set(less.val) <= set(more.val)
        assert np.array_equal(less.test, more.test)
    counts = [drawn(*hundred, seed=seed, labels=count) for count in (2, 7, 10, 23, 60)]
    for less, more in pairwise(counts):
        assert set(less.train) < set(more.train)


@pytest.mark.parametrize("count", [2, 3, 7, 10, 23, 59, 60])
def test_a_label_count_is_met_exactly_with_every_class_in_it(hundred, count):
    cohort, targets = hundred
    subsets = drawn(cohort, targets, labels=count)
    assert len(subsets.train) == count
    assert abs(cases(targets, subsets.train) - max(1, count / 5)) <= 0.5
    assert subsets.fraction == pytest.approx(count / 60)


def test_a_label_count_is_met_with_three_classes_too():
    cohort = MadeUpCohort(subjects=60)
    targets = classes(np.repeat([0, 1, 2], [40, 15, 5]))
    for count in (3, 5, 10, 17, 30):
        subsets = drawn(cohort, targets, labels=count)
        found = np.bincount(targets.values[subsets.train, 0].astype(int), minlength=3)
        assert found.sum() == count
        assert found.min() >= 1


def test_the_inner_split_shrinks_with_the_labels(hundred):
    subsets = drawn(*hundred, label_fraction=0.25)
    assert [len(getattr(subsets, part)) for part in PARTS] == [15, 5, 20]
    assert len(drawn(*hundred, labels=15).val) == 5


def test_numbers_without_classes_are_drawn_as_many_as_asked():
    cohort = MadeUpCohort()
    subsets = drawn(cohort, quantities(np.arange(200).reshape(100, 2)), labels=13)
    assert [len(getattr(subsets, part)) for part in PARTS] == [13, 4, 20]


def test_subjects_without_a_label_are_in_no_part(hundred):
    cohort, targets = hundred
    values = targets.values[:, 0].copy()
    values[[1, 2, 5]] = np.nan
    assert used_rows(drawn(cohort, binary(values, cohort))) == set(range(100)) - {1, 2, 5}


@pytest.mark.parametrize(("ratio", "train", "val"), [(1, 24, 8), (2, 36, 12), (1.5, 30, 10)])
def test_controls_are_counted_per_case_in_training_and_inner_split(hundred, ratio, train, val):
    cohort, targets = hundred
    whole, subsets = drawn(cohort, targets), drawn(cohort, targets, negatives=ratio)
    assert (len(subsets.train), len(subsets.val)) == (train, val)
    assert np.array_equal(subsets.test, whole.test)
    for part in PARTS:
        assert cases(targets, getattr(subsets, part)) == cases(targets, getattr(whole, part))


def test_more_controls_than_there_are_is_all_of_them(hundred):
    whole, subsets = drawn(*hundred), drawn(*hundred, negatives=10)
    assert np.array_equal(subsets.train, whole.train)


def test_fewer_controls_are_a_part_of_more(hundred):
    parts = [drawn(*hundred, negatives=ratio).train for ratio in (0.5, 1, 2, 3)]
    for less, more in pairwise(parts):
        assert set(less) < set(more)


def test_who_is_a_case_in_a_later_record_is_no_control(visits):
    cohort, targets = visits
    subsets = drawn(cohort, targets, negatives=1)
    assert cases(targets, subsets.train) == 6
    assert len(people(cohort, subsets.train)) == 12


def test_a_label_count_is_met_among_the_controls_that_are_kept(hundred):
    cohort, targets = hundred
    subsets = drawn(cohort, targets, negatives=1, labels=10)
    assert (len(subsets.train), cases(targets, subsets.train)) == (10, 5)
    assert subsets.fraction == pytest.approx(10 / 24)
    assert len(subsets.test) == 20


def test_ecg_and_cmr_are_tested_on_the_same_subjects():
    cohort = MadeUpCohort(without_cine=(3, 40), without_ecg=(7,))
    targets = binary(np.arange(100) % 5 == 0, cohort)
    ecg, cmr = (drawn(cohort, targets, modality=modality) for modality in ("ecg", "cmr"))
    for part in PARTS:
        both = set(getattr(ecg, part)) - {3, 40}
        assert both == set(getattr(cmr, part)) - {7}


def test_subjects_to_pretrain_on_take_part_only_where_they_are_asked_for():
    cohort = MadeUpCohort(pretrain=30)
    targets = binary(np.arange(100) % 3 == 0, cohort)

    asked = {"downstream": range(30, 100), "all": range(100), "pretrain": range(30)}
    for subjects, rows in asked.items():
        assert used_rows(drawn(cohort, targets, subjects=subjects)) == set(rows)


def test_the_role_pretrain_is_split_as_the_cohort_says_and_tests_nobody():
    cohort = MadeUpCohort(pretrain=30)
    subsets = drawn(cohort, quantities(np.arange(100.0)[:, None]), subjects="pretrain", labels=12)
    assert (len(subsets.train), len(subsets.val), len(subsets.test)) == (12, 3, 0)
    assert set(cohort.splits[subsets.train]) == {"train"}
    assert set(cohort.splits[subsets.val]) == {"val"}


def test_a_real_cohort_is_dealt_by_role_and_diagnosis(task_cohort):
    targets = find_task("cad", registry=default_registry(), cohort=task_cohort)
    subsets = drawn(task_cohort, targets)
    used = used_rows(subsets)
    assert used == set(np.flatnonzero(task_cohort.roles == "downstream").tolist())
    assert all(0 < cases(targets, getattr(subsets, p)) < len(getattr(subsets, p)) for p in PARTS)


def refused(cohort, targets, *said, **protocol):
    with pytest.raises(TrainingError) as error:
        drawn(cohort, targets, **protocol)
    assert "\n" not in str(error.value)
    for text in said:
        assert text in str(error.value)


def test_one_class_in_a_part_is_refused():
    cohort = MadeUpCohort()
    two_cases = binary(np.arange(100) < 2, cohort)
    refused(cohort, two_cases, "task made-up", "test part of fold 2 has one class only", fold=2)
    kinds = classes(np.arange(100) < 1)
    refused(cohort, kinds, "task kind", "part of fold 0 has one class only")


def test_too_few_subjects_are_refused(hundred):
    cohort = MadeUpCohort(subjects=104, pretrain=100)
    targets = binary(np.arange(104) % 2 == 0, cohort)
    refused(cohort, targets, "4 labelled subjects with the role downstream", "at least 5 needed")
    cohort = MadeUpCohort(subjects=5)
    refused(cohort, quantities(np.ones((5, 1))), "1 labelled records in the inner validation part")


def test_more_labels_than_there_are_is_refused(hundred):
    refused(*hundred, "protocol.labels = 61, but 60 labelled subjects", labels=61)
    refused(*hundred, "protocol.labels = 25, but 24", labels=25, negatives=1)


@pytest.mark.parametrize("target", ["multiclass", "regression"])
def test_controls_of_a_task_without_cases_are_refused(target):
    cohort = MadeUpCohort()
    kinds = {"multiclass": classes(np.arange(100) % 3), "regression": quantities(np.ones((100, 1)))}
    refused(cohort, kinds[target], f"is {target}, and only a binary one", negatives=1)


@pytest.mark.parametrize(("part", "said"), [("train", "trained on"), ("val", "selected on")])
def test_the_ecg_of_a_test_record_under_another_id_is_found_in_other_parts(hundred, part, said):
    cohort, targets = hundred
    subsets = drawn(cohort, targets)
    copy, original = getattr(subsets, part)[0], subsets.test[3]
    cohort.signals[copy] = cohort.signals[original]
    with pytest.raises(LeakageError, match=f"also {said}.*1 with the identical ECG") as error:
        drawn(cohort, targets)
    assert str(cohort.record_ids[original]) in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fold": 5}, "fold 5 of 5; needed 0 to 4"),
        ({"folds": 2}, "greater than or equal to 3"),
        ({"labels": 10, "label_fraction": 0.5}, "keep one"),
        ({"label_fraction": 0}, "greater than 0"),
        ({"negatives": float("inf")}, "finite"),
        ({"threshold": float("nan")}, "finite"),
        ({"lr_candidates": (1e-3, 1e-3)}, "tried twice"),
        ({"subjects": "pretrain", "select_on": "reported"}, "select_on = inner"),
    ],
)
def test_a_protocol_that_contradicts_itself_is_refused(options, said):
    with pytest.raises(ValidationError, match=said):
        ProtocolConfig(**options)
