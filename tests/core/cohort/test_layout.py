from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from cardionets_core.cohort import layout

_PAGE = Path(__file__).parents[3] / "docs" / "cohort-layout.md"


def page():
    return _PAGE.read_text(encoding="utf-8")


def test_the_example_of_the_docs_reads_a_cohort_with_plain_h5py(cohort, cohort_path):
    code = re.search(r"```python\n(.*?)```", page(), re.DOTALL)[1]
    names: dict[str, object] = {}
    exec(code.replace('"cohort.h5"', repr(str(cohort_path))), names)  # noqa: S102 - our own page
    np.testing.assert_array_equal(
        np.asarray(names["signal_mv"], np.float32), cohort[0].ecg.signal_mv
    )
    np.testing.assert_array_equal(names["cine"], cohort[0].cine)
    np.testing.assert_array_equal(names["training"], cohort.roles == "pretrain")
    np.testing.assert_array_equal(names["ejection_fraction"], cohort.phenotypes[:, 3])
    assert list(names["codes"]) == [d.icd10 for d in cohort[0].diagnoses]
    assert names["leads"][3] == "aVR"
    assert names["simulated"] is True


def test_the_docs_name_every_dataset_of_a_cohort(cohort_path):
    found = []
    with h5py.File(cohort_path) as file:
        file.visititems(lambda n, item: found.append(n) if isinstance(item, h5py.Dataset) else None)
    text = page()
    assert [n for n in found if f"`{n}`" not in text and not n.startswith("attributes/")] == []


def test_the_docs_name_every_attribute_of_the_provenance(cohort_path):
    with h5py.File(cohort_path) as file:
        assert [n for n in file["provenance"].attrs if f"`{n}`" not in page()] == []


def test_the_docs_are_of_this_layout_version():
    assert f"**layout version {layout.LAYOUT_VERSION}**" in page()


@pytest.mark.parametrize("column", layout.BULKY, ids=lambda column: column.name)
def test_bulky_columns_have_one_chunk_per_record(cohort_path, column):
    with h5py.File(cohort_path) as file:
        assert file[column.name].chunks == (1, *column.shape)


def test_types_and_shapes_are_those_of_the_layout(cohort_path):
    with h5py.File(cohort_path) as file:
        for column in layout.COLUMNS:
            assert file[column.name].shape == (12, *column.shape), column.name
            assert file[column.name].dtype == column.dtype, column.name


def test_labels_explain_themselves(cohort_path):
    with h5py.File(cohort_path) as file:
        assert h5py.check_enum_dtype(file["subject/split"].dtype) == {
            "train": 0,
            "val": 1,
            "test": 2,
            "unknown": -1,
        }


def test_nothing_but_text_has_a_variable_length(cohort_path):
    # Plain readers in other languages struggle with variable lengths, so they stay few.
    with h5py.File(cohort_path) as file:
        variable = []
        file.visititems(
            lambda n, item: (
                variable.append(n)
                if isinstance(item, h5py.Dataset) and item.dtype.kind == "O"
                else None
            )
        )
    assert variable == ["attributes/site", "quality/details", "quarantine/reason"]
