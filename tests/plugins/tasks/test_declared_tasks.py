"""The tasks are those of the paper, and the simulated cohort has targets for them."""

from __future__ import annotations

import numpy as np
import pytest

from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.targets import task_targets
from cardionets_core.registry import default_registry
from cardionets_tasks.tasks import TASKS

BY_NAME = {task.name: task for task in TASKS}
CODES = {
    "cad": ("I20", "I21", "I22", "I23", "I24", "I25"),
    "hf": ("I50",),
    "cm": ("I42", "I43"),
    "ph": ("I27",),
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Thirty simulated people, most of them with a cardiomyopathy."""
    out = tmp_path_factory.mktemp("cohort") / "cohort.h5"
    options = {"subjects": 30, "prevalence": "enriched", "seed": 11}
    component = default_registry().find("dataset", "simulated")
    prepare_dataset(PrepareRequest(component=component, out=out, options=options, workers=1))
    with open_cohort(out) as opened:
        yield opened


def test_there_are_the_paper_s_tasks():
    assert tuple(BY_NAME) == ("phenotypes", "cad", "hf", "cm", "ph", "cm-subtype")


def test_phenotypes_are_the_82_of_category_157_with_names_and_units():
    task = BY_NAME["phenotypes"]
    assert task.field_ids == tuple(range(24100, 24182))
    told = dict(zip(task.field_ids, zip(task.outputs, task.units, strict=True), strict=True))
    assert told[24103] == ("LV ejection fraction", "%")
    assert told[24105] == ("LV myocardial mass", "g")
    assert len(set(task.outputs)) == 82


def test_diseases_have_the_paper_s_codes_and_date_rule():
    for name, codes in CODES.items():
        assert BY_NAME[name].codes == (codes,)
        assert BY_NAME[name].target == "binary"
    assert all(task.dated_by_visit for task in TASKS)


def test_targets_are_what_the_simulated_people_have(cohort):
    for name, codes in CODES.items():
        expected = [
            any(d.icd10.startswith(codes) and d.days_from_visit <= 0 for d in person.diagnoses)
            for person in cohort
        ]
        found = task_targets(BY_NAME[name], cohort).values[:, 0]
        np.testing.assert_array_equal(found, expected)
    assert task_targets(BY_NAME["cm"], cohort).values.sum() > 0


def test_subtypes_are_known_for_people_with_a_cardiomyopathy_of_a_named_type(cohort):
    targets = task_targets(BY_NAME["cm-subtype"], cohort)
    has_cm = task_targets(BY_NAME["cm"], cohort).values[:, 0] == 1
    np.testing.assert_array_equal(targets.known, has_cm)
    assert set(targets.strata()) <= {"", "dcm", "hcm", "rcm"}


def test_simulated_phenotypes_are_complete(cohort):
    assert task_targets(BY_NAME["phenotypes"], cohort).values.shape == (30, 82)
    assert not np.isnan(task_targets(BY_NAME["phenotypes"], cohort).values).any()
