"""Names and values of the columns of each kind of task."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.evaluate.prediction_columns import task_cells, task_schema
from cardionets_core.weights.header import TaskHeader


def names(task):
    return [name for name, _ in task_schema(task)]


def test_a_binary_task_has_probability_threshold_and_decision():
    task = TaskHeader(name="cm", target="binary", outputs=("cm",), threshold=(0.3,))
    assert names(task) == ["cm_probability", "cm_threshold", "cm_decision"]
    assert task_cells(task, [0.3]) == {
        "cm_probability": 0.3, "cm_threshold": 0.3, "cm_decision": True
    }  # fmt: skip
    assert task_cells(task, [0.29])["cm_decision"] is False


def test_without_a_threshold_nothing_is_decided():
    task = TaskHeader(name="cm", target="binary", outputs=("cm",))
    cells = task_cells(task, [0.9])
    assert cells == {"cm_probability": 0.9, "cm_threshold": None, "cm_decision": None}


def test_each_label_has_its_own_threshold():
    task = TaskHeader(
        name="cad,hf", target="multilabel", outputs=("cad", "hf"), threshold=(0.5, math.nan)
    )
    cells = task_cells(task, [0.6, 0.6])
    assert list(cells) == names(task)
    assert cells["cad_decision"] is True
    assert cells["hf_decision"] is cells["hf_threshold"] is None


def test_classes_have_a_probability_each_and_the_likeliest_is_named():
    task = TaskHeader(name="cm-subtype", target="multiclass", outputs=("dcm", "hcm", "rcm"))
    cells = task_cells(task, [0.2, 0.7, 0.1])
    assert list(cells) == names(task)
    assert cells["cm-subtype_hcm_probability"] == 0.7
    assert cells["cm-subtype_decision"] == "hcm"
    assert dict(task_schema(task))["cm-subtype_decision"] == pa.string()


def test_phenotypes_carry_field_name_and_unit():
    task = TaskHeader(
        name="phenotypes",
        target="regression",
        outputs=tuple(phenotype.name for phenotype in PHENOTYPES),
        units=tuple(phenotype.unit for phenotype in PHENOTYPES),
    )
    assert len(names(task)) == len(set(names(task))) == 82
    assert names(task)[0] == "24100 LV end diastolic volume (mL)"
    assert names(task)[3] == "24103 LV ejection fraction (%)"
    assert task_cells(task, [float(i) for i in range(82)])[names(task)[81]] == 81.0


@pytest.mark.parametrize(
    ("name", "output", "units", "column"),
    [
        ("age", "age", ("years",), "age (years)"),
        ("age", "age", (), "age"),
        ("labs", "ntprobnp", ("ng/L",), "labs ntprobnp (ng/L)"),
        # Another unit than the field's: it is not the field.
        ("p", "LV ejection fraction", ("share",), "p LV ejection fraction (share)"),
    ],
)  # fmt: skip
def test_other_quantities_carry_their_own_name_and_unit(name, output, units, column):
    task = TaskHeader(name=name, target="regression", outputs=(output,), units=units)
    assert names(task) == [column]
