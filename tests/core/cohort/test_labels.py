"""A user's CSV of labels is matched to the cohort and read as what it looks like."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from cardionets_core.cohort.label_values import Column, meaning_of
from cardionets_core.cohort.labels import read_labels
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.targets import find_task
from cardionets_core.errors import CohortError, LabelsError, UnknownNameError, UsageError
from cardionets_core.plugins import Discovery, Plugin
from cardionets_core.registry import Registry
from cardionets_core.spec import TaskSpec

CM = TaskSpec("cm", "", "binary", ("cm",), codes=(("I42",),))
REGISTRY = Registry(Discovery((Plugin("tasks", "made-up", "0", {"cardionets_tasks": (CM,)}),), ()))
RECORDS = [f"record-{i}" for i in range(12)]
PEOPLE = [f"person-{i}" for i in range(6)]
UNKNOWN = np.nan


@pytest.fixture
def write(tmp_path):
    def write(ids, *, sep=",", encoding="utf-8", id_name="id", **columns):
        rows = [[id_name, *columns], *zip(ids, *columns.values(), strict=True)]
        text = "\r\n".join(sep.join(map(str, row)) for row in rows) + "\r\n"
        path = tmp_path / "labels.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def find(names, cohort, labels, **more):
    return find_task(names, registry=REGISTRY, cohort=cohort, labels=labels, **more)


def column(cohort, path, name="y", **more):
    return find(name, cohort, path, **more).values[:, 0]


def test_record_ids_of_the_source_are_found_with_the_key_beside_the_cohort(cohort, write):
    y = np.arange(12) % 2
    np.testing.assert_array_equal(column(cohort, write(RECORDS, y=y)), y)
    np.testing.assert_array_equal(column(cohort, write(RECORDS[::-1], y=y[::-1])), y)


def test_a_subject_s_label_holds_for_all_its_records(cohort, write):
    y = np.arange(6) % 2
    np.testing.assert_array_equal(column(cohort, write(PEOPLE, y=y)), np.repeat(y, 2))


@pytest.mark.parametrize("name", ["record_ids", "subject_ids"])
def test_the_cohort_s_own_ids_are_found_without_a_key(cohort, write, tmp_path, name):
    alone = tmp_path / "alone.h5"
    shutil.copy(cohort.path, alone)
    own = np.unique(getattr(cohort, name))
    y = np.arange(len(own)) % 2
    expected = y[np.searchsorted(own, getattr(cohort, name))]
    with open_cohort(alone) as opened:
        np.testing.assert_array_equal(column(opened, write(np.char.upper(own), y=y)), expected)


def test_records_without_a_line_and_empty_cells_are_unknown(cohort, write):
    path = write(RECORDS[:6], y=["1", "0", "", "NaN", "NA", "1.0"])
    expected = [1, 0, UNKNOWN, UNKNOWN, UNKNOWN, 1] + [UNKNOWN] * 6
    found = find("y", cohort, path)
    np.testing.assert_array_equal(found.values[:, 0], expected)
    assert found.known.sum() == 3
    assert found.strata().tolist() == ["1", "0", "", "", "", "1"] + [""] * 6


def test_ids_of_nobody_are_counted_in_a_note(cohort, write):
    path = write([*RECORDS[:3], "stranger"], y=[0, 1, 0, 1])
    assert find("y", cohort, path).notes == ("labels.csv: 3 of 4 ids are in the cohort",)


@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_files_from_spreadsheets_are_read(cohort, write, sep, encoding):
    names = ["größer", "kleiner"] * 6
    path = write(RECORDS, sep=sep, encoding=encoding, y=names)
    np.testing.assert_array_equal(column(cohort, path), [0, 1] * 6)


def test_decimal_commas_are_numbers_where_semicolons_separate(cohort, write):
    texts = [f"{i},5" if i else "7" for i in range(12)]
    found = find("y", cohort, write(RECORDS, sep=";", y=texts))
    assert found.task.target == "regression"
    assert found.values[:3, 0].tolist() == [7, 1.5, 2.5]


def test_quoted_fields_may_hold_the_separator(cohort, write):
    path = write(RECORDS, y=['"mild, old"', "none"] * 6)
    assert set(find("y", cohort, path).strata()) == {"0", "1"}


@pytest.mark.parametrize(
    ("texts", "positive"),
    [
        (("no", "yes"), "yes"),
        (("False", "True"), "True"),
        (("0", "1"), None),
        (("0.0", "1"), None),
        (("1", "2"), "2"),
        (("-1", "1"), "1"),
        (("10", "9"), "10"),
        (("healthy", "sick"), "sick"),
    ],
)
def test_of_two_values_the_later_one_is_positive_and_named(cohort, write, texts, positive):
    found = find("y", cohort, write(RECORDS, y=list(texts) * 6))
    is_second = positive is None or texts[1] == positive
    assert (found.task.target, found.task.outputs) == ("binary", ("y",))
    np.testing.assert_array_equal(found.values[:, 0], [0, 1] * 6 if is_second else [1, 0] * 6)
    said = [note for note in found.notes if "is positive" in note]
    assert bool(said) == (positive is not None)
    assert positive is None or f"{positive!r} is positive" in said[0]


def test_spellings_that_differ_in_case_are_one_class(cohort, write):
    path = write(RECORDS, y=["Yes", "no", "yes", "No", "YES", "no"] * 2)
    np.testing.assert_array_equal(column(cohort, path), [1, 0] * 6)


@pytest.mark.parametrize(
    ("texts", "target", "outputs"),
    [
        (["dcm", "hcm", "rcm"] * 4, "multiclass", ("dcm", "hcm", "rcm")),
        (["2", "10", "1"] * 4, "multiclass", ("1", "2", "10")),
        (["1", "2", "2.5"] * 4, "regression", ("y",)),
        ([str(i) for i in range(12)], "regression", ("y",)),
        (["1", "2", "severe"] * 4, "multiclass", ("1", "2", "severe")),
    ],
)
def test_the_kind_of_a_column_follows_from_its_values(cohort, write, texts, target, outputs):
    found = find("y", cohort, write(RECORDS, y=texts))
    assert (found.task.target, found.task.outputs) == (target, outputs)
    if target == "multiclass":
        expected = [outputs.index(text) for text in texts]
        np.testing.assert_array_equal(found.values[:, 0], expected)


@pytest.mark.parametrize(
    ("texts", "target", "outputs"),
    [
        (["1", "2", "3"] * 4, "regression", ("y",)),
        (["0", "1"] * 6, "multiclass", ("0", "1")),
        (["0", "1"] * 6, "regression", ("y",)),
        ([str(i) for i in range(12)], "multiclass", tuple(str(i) for i in range(12))),
    ],
)
def test_a_target_asked_for_wins_over_what_values_look_like(cohort, write, texts, target, outputs):
    found = find("y", cohort, write(RECORDS, y=texts), target=target)
    assert (found.task.target, found.task.outputs) == (target, outputs)


def test_joined_columns_are_several_labels(cohort, write):
    path = write(RECORDS, a=[0, 1] * 6, b=["yes", "no"] * 6, c=[""] * 12)
    found = find("b,a", cohort, path)
    assert (found.task.target, found.task.outputs) == ("multilabel", ("b", "a"))
    np.testing.assert_array_equal(found.values[:2], [[1, 0], [0, 1]])


def test_a_column_of_the_file_goes_before_one_of_the_cohort(cohort, write):
    found = find("site", cohort, write(RECORDS, site=["x", "y", "z"] * 4))
    assert found.task.outputs == ("x", "y", "z")


def test_the_same_line_twice_does_no_harm(cohort, write):
    path = write([*RECORDS, RECORDS[0]], y=[*[0, 1] * 6, 0])
    np.testing.assert_array_equal(column(cohort, path), [0, 1] * 6)


def test_other_columns_may_differ_between_lines_of_one_id(cohort, write):
    path = write([*RECORDS, RECORDS[0]], y=[*[0, 1] * 6, 0], visit=range(13))
    np.testing.assert_array_equal(column(cohort, path), [0, 1] * 6)


def refused(error, words, names, cohort, path, **more):
    with pytest.raises(error, match=words) as caught:
        find(names, cohort, path, **more)
    said = str(caught.value)
    assert "\n" not in said
    assert not any(text in said for text in ("record-", "person-", "stranger"))


@pytest.mark.parametrize(
    ("columns", "names", "more", "expected"),
    [
        ({"y": [1] * 12}, "y", {}, (LabelsError, "the same value in all records; needed two")),
        ({"y": [""] * 12}, "y", {}, (LabelsError, "no value for any record; needed two")),
        ({"y": [0, 1] * 6}, "z", {}, (UnknownNameError, "no column 'z'.*Available: y")),
        ({"lvef": [0, 1] * 6}, "lvev", {}, (UnknownNameError, "Did you mean 'lvef'")),
        ({"y": [0, 1] * 6}, "cm", {}, (UnknownNameError, "no column 'cm'.*leave the labels out")),
        ({"cm": [0, 1] * 6}, "cm", {}, (UsageError, "a task and a column.*rename the column")),
        (
            {"y": [*range(10), "record-3", "inf"]}, "y", {"target": "regression"},
            (LabelsError, "something else than finite numbers, first in line 12; a regression"),
        ),
        ({"y": [*range(11), "1_000"]}, "y", {"target": "regression"}, (LabelsError, "line 13")),
        ({"y": [*range(11), "1e45"]}, "y", {"target": "regression"}, (LabelsError, "line 13")),
        ({"y": range(12)}, "y", {"target": "binary"}, (LabelsError, "12 different values; a bin")),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_used_are_refused(cohort, write, columns, names, more, expected):
    refused(*expected, names, cohort, write(RECORDS, **columns), **more)


def test_free_text_is_no_class():
    remarks = np.array([f"remark {i}" for i in range(51)])
    with pytest.raises(LabelsError, match="found 51 different values; classes may be 50 at most"):
        meaning_of(Column("y", "column 'y'", remarks))
    assert len(meaning_of(Column("y", "column 'y'", remarks[:50])).outputs) == 50


def test_one_id_with_two_values_is_refused_with_its_lines(cohort, write):
    path = write([*RECORDS, RECORDS[0]], y=[*[0, 1] * 6, 1])
    refused(LabelsError, "lines 2 and 14 have the same id and different", "y", cohort, path)


def test_ids_that_are_nobody_s_are_refused(cohort, write):
    refused(
        LabelsError, "none of its ids is in .*leading zeros", "y", cohort,
        write(["stranger-1", "stranger-2"], y=[0, 1]),
    )  # fmt: skip


def test_source_ids_without_the_key_are_refused(cohort, write, tmp_path):
    alone = tmp_path / "alone.h5"
    shutil.copy(cohort.path, alone)
    with open_cohort(alone) as opened:
        refused(
            LabelsError, r"without its key beside it \(alone.h5.key\)", "y", opened,
            write(RECORDS, y=[0, 1] * 6),
        )  # fmt: skip


def test_the_key_of_another_cohort_is_refused(cohort, write, tmp_path):
    alone = tmp_path / "alone.h5"
    shutil.copy(cohort.path, alone)
    (tmp_path / "alone.h5.key").write_text("0" * 64)
    (tmp_path / "alone.h5.key").chmod(0o600)
    with open_cohort(alone) as opened:
        path = write(RECORDS, y=[0, 1] * 6)
        refused(CohortError, "is the key of another cohort", "y", opened, path)


def test_ids_that_mean_a_record_and_another_subject_are_refused_unless_the_column_says_which(
    cohort, write
):
    ids = [*RECORDS[:2], *PEOPLE[:1]]
    words = "a record and another subject alike; call the column record_id or subject_id"
    refused(LabelsError, words, "y", cohort, write(ids, y=[0, 1, 1]))
    found = column(cohort, write(ids, y=[0, 1, 1], id_name="record_id"))
    np.testing.assert_array_equal(found[:3], [0, 1, UNKNOWN])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "found 0 lines"),
        (b"id,y\n", "found 1 lines"),
        (b"record-0,1\nrecord-1,0\n", "none of the 2 columns of its first line is called id"),
        (b"id,y,y\nrecord-0,1,2\n", "stand twice in its first line"),
        (b"id,y\nrecord-0,1\nrecord-1,0,4\n", "line 3 has 3 fields, the first line 2"),
        ("id,y\nrecord-0,größer\n".encode("latin-1"), "something else than UTF-8 text"),
        ("id,y\nrecord-0,1\n".encode("utf-16"), "something else than UTF-8 text"),
        (b"PK\x03\x04\x00\x00", "something else than text"),
    ],
)
def test_files_that_are_no_such_table_are_refused(cohort, tmp_path, content, words):
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    refused(LabelsError, words, "y", cohort, path)


def test_a_missing_file_is_refused(cohort, tmp_path):
    refused(LabelsError, "No such file", "y", cohort, tmp_path / "labels.csv")
    refused(LabelsError, "Is a directory", "y", cohort, tmp_path)


def test_the_id_column_may_be_spelt_in_capitals(cohort, write):
    path = write(RECORDS, id_name="Record_ID", y=[0, 1] * 6)
    np.testing.assert_array_equal(column(cohort, path), [0, 1] * 6)


def test_lines_without_an_id_are_passed_over(cohort, write):
    path = write(["", "", *RECORDS], y=[0, 1, *[0, 1] * 6])
    np.testing.assert_array_equal(column(cohort, path), [0, 1] * 6)
    refused(LabelsError, "its column id is empty", "y", cohort, write(["", ""], y=[0, 1]))


def test_empty_lines_before_the_header_do_no_harm(cohort, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("\n\nid;y\n" + "".join(f"{i};{n % 2}\n" for n, i in enumerate(RECORDS)))
    np.testing.assert_array_equal(column(cohort, path), [0, 1] * 6)


def test_columns_without_a_name_are_passed_over(cohort, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("id;y;;\n" + "".join(f"{i};{n % 2};;\n" for n, i in enumerate(RECORDS)))
    np.testing.assert_array_equal(read_labels(path, cohort).column("y").texts, ["0", "1"] * 6)
