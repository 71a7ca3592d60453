from __future__ import annotations

import logging
import pickle

import pytest

from cardionets_core.errors import ConfigError, SourceError
from cardionets_core.options import make_options
from cardionets_ukb.config import UkbConfig


def steps_of(dataset):
    return [(step.records, step.subjects, dict(step.excluded)) for step in dataset.selection()]


def keys_of(dataset):
    return [ref.subject_key for ref in dataset.subjects()]


@pytest.fixture
def tree(put):
    """Files of seven participants; nobody reads them here."""
    for name in (
        "9_20205_2_0.xml", "9_20208_2_0.zip", "deep/down/10_20205_2_0.XML", "2_20208_2_0.zip",
        "2_20205_3_0.xml", "30_20205_3_0.xml", "31_20208_2_0.zip", "31_20205_2_0.xml",
        "32_20205_2_0.xml", "33_20205_2_0.xml", "a/33_20205_2_1.xml", "b/9_20205_2_0.xml",
        "x9_20205_2_0.xml", "9_20205_2_0.xml.part", "9_20204_2_0.xml", "9_20205_2.xml",
        "9_20205_2_0.zip", "0_20205_2_0.xml",
    ):  # fmt: skip
        put(name, b"")


@pytest.fixture
def table(made, tmp_path):
    """Rows of all but the last participant."""
    whole = made.all_phenotypes(1)
    partial = {field: value for field, value in whole.items() if field != 24120}
    people = {9: whole, 10: whole, 2: partial, 31: {}, 32: whole, 30: whole}
    rows = {each: made.Participant(phenotypes=values) for each, values in people.items()}
    rows[32].visit = ""
    return made.write_showcase(tmp_path / "ukb.csv", rows)


@pytest.fixture
def withdrawn(tmp_path):
    path = tmp_path / "w1_2024.csv"
    path.write_text("eid\n10\n\n-4\n77\n")
    return path


def test_files_are_found_at_any_depth_and_listed_by_participant(tree, dataset_of):
    dataset = dataset_of()
    refs = list(dataset.subjects())
    assert [ref.subject_key for ref in refs] == ["2", "9", "10", "31", "32", "33"]
    assert [ref.record_key for ref in refs][:2] == ["2_2", "9_2"]
    assert refs == list(dataset.subjects())
    assert keys_of(dataset_of(instance=3)) == ["2", "30"]


def test_of_repeats_the_last_counts_and_of_copies_the_first(tree, dataset_of):
    found = {ref.subject_key: ref.location for ref in dataset_of().subjects()}
    assert found["33"].ecg == "a/33_20205_2_1.xml"
    assert (found["9"].ecg, found["9"].cine) == ("9_20205_2_0.xml", "9_20208_2_0.zip")


@pytest.mark.parametrize(
    ("require", "keys"),
    [("any", ["2", "9", "10", "31", "32", "33"]), ("ecg", ["9", "10", "31", "32", "33"]),
     ("cine", ["2", "9", "31"]), ("both", ["9", "31"])],
)  # fmt: skip
def test_who_has_what_is_required_is_listed(tree, dataset_of, require, keys):
    assert keys_of(dataset_of(require=require)) == keys


def test_phenotypes_may_have_to_be_complete(tree, table, dataset_of):
    assert keys_of(dataset_of(table=table)) == ["2", "9", "10", "31", "32", "33"]
    assert keys_of(dataset_of(table=table, phenotypes="complete")) == ["9", "10", "32"]


def test_the_flow_of_the_selection_adds_up(tree, table, withdrawn, dataset_of):
    dataset = dataset_of(
        table=table,
        withdrawn=withdrawn,
        require="both",
        phenotypes="complete",
        require_visit_date=True,
    )
    assert steps_of(dataset) == [
        (12, 7, {}),
        (8, 7, {"files of a visit that has both, counted as one": 4}),
        (6, 6, {"visit of another instance": 2}),
        (5, 5, {"withdrawn": 1}),
        (4, 4, {"no ecg": 1}),
        (2, 2, {"no cine": 2}),
        (2, 2, {"no visit date": 0}),
        (1, 1, {"phenotypes incomplete": 1}),
    ]
    assert keys_of(dataset) == ["9"]
    assert not any(str(withdrawn.parent) in step.label for step in dataset.selection())


def test_a_visit_without_a_date_can_be_left_out(tree, table, dataset_of):
    assert keys_of(dataset_of(table=table, require_visit_date=True)) == ["2", "9", "10", "31"]


def test_links_out_of_the_source_are_passed_over_and_counted(tree, dataset_of, tmp_path):
    outside = tmp_path / "elsewhere.xml"
    outside.write_bytes(b"")
    (tmp_path / "source" / "50_20205_2_0.xml").symlink_to(outside)
    dataset = dataset_of()
    assert "50" not in keys_of(dataset)
    assert dataset.selection()[0].excluded == {"a link that leads out of the source": 1}


def test_who_withdrew_is_told_and_never_listed(tree, withdrawn, dataset_of):
    dataset = dataset_of(withdrawn=withdrawn)
    assert list(dataset.withdrawn_subjects()) == ["10", "77"]
    assert keys_of(dataset) == ["2", "9", "31", "32", "33"]
    assert list(dataset_of().withdrawn_subjects()) == []


@pytest.mark.parametrize(
    "text",
    ["7", "eid\n7\n", "\ufeff7\r\n", "f.eid\n7\n8\n", "eid_w12345\n7\n", "7.0\n-1\n\n"],
)
def test_a_list_of_withdrawals_may_have_any_heading(put, dataset_of, tmp_path, text):
    put("7_20205_2_0.xml", b"")
    put("9_20205_2_0.xml", b"")
    path = tmp_path / "w.txt"
    path.write_text(text, encoding="utf-8")
    assert keys_of(dataset_of(withdrawn=path)) == ["9"]


@pytest.mark.parametrize(
    ("text", "told"),
    [("eid\n7\n8x\n", "line 3: no participant's id"), ("7x\n8\n", "line 1: no participant's id"),
     ("x1234567\n8\n", "line 1: no participant's id"),
     (",eid\n1,7\n", "a table of 2 columns"), ("eid;when\n7;2020-01-01\n", "a table of 2 columns"),
     ("", "an empty table")],
)  # fmt: skip
def test_a_list_of_withdrawals_that_is_not_understood_is_refused(
    tree, dataset_of, tmp_path, text, told
):
    path = tmp_path / "w.csv"
    path.write_text(text)
    with pytest.raises(SourceError, match=told) as raised:
        keys_of(dataset_of(withdrawn=path))
    assert "8x" not in str(raised.value)


def test_a_missing_list_of_withdrawals_is_refused(tree, dataset_of, tmp_path):
    with pytest.raises(SourceError, match=r"w\.csv: cannot be read"):
        keys_of(dataset_of(withdrawn=tmp_path / "w.csv"))


def test_a_folder_without_such_files_is_refused(put, dataset_of):
    put("readme.txt", b"")
    with pytest.raises(ConfigError, match=r"no file named as EID_20205_2_0\.xml"):
        keys_of(dataset_of())


def test_a_folder_that_is_not_there_is_refused(dataset_of):
    with pytest.raises(ConfigError, match="no such folder"):
        keys_of(dataset_of())


def test_a_table_of_another_application_is_refused(tree, dataset_of, made, tmp_path):
    table = made.write_tab(tmp_path / "other.tab", {555: made.Participant()})
    with pytest.raises(SourceError, match="none of 6 participants with files has a row"):
        keys_of(dataset_of(table=table))


def test_people_without_a_row_are_counted_in_the_log(tree, table, dataset_of, caplog):
    with caplog.at_level(logging.WARNING):
        keys_of(dataset_of(table=table))
    assert [record.getMessage() for record in caplog.records] == [
        "1 of 6 participants with files have no row in the tables"
    ]


def test_a_second_row_of_a_participant_may_not_differ(tree, dataset_of, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("eid,31-0.0\n9,1\n9,1\n")
    assert "9" in keys_of(dataset_of(table=table))
    table.write_text("eid,31-0.0\n9,1\n9,0\n")
    with pytest.raises(SourceError, match=r"t\.csv, line 3: a second row of one participant"):
        keys_of(dataset_of(table=table))


def test_several_tables_join_by_participant(tree, made, dataset_of, tmp_path):
    first = tmp_path / "a.csv"
    first.write_text("eid,31-0.0,53-2.0\n9,1,2016-03-05\n")
    (tmp_path / "sub").mkdir()
    second = tmp_path / "sub" / "a.csv"
    second.write_text("eid\tp41270\tp41280_a0\n9\tI251\t2016-03-06\n10\tI50\t2016-03-06\n")
    found = {ref.subject_key: ref.location for ref in dataset_of(table=[first, second]).subjects()}
    assert (found["9"].sex, found["9"].diagnoses) == ("male", (("I251", 1),))
    # The first table has no date of this visit.
    assert found["10"].diagnoses is None


def test_it_goes_to_a_worker_without_its_database(tree, table, dataset_of):
    dataset = dataset_of(table=table)
    refs = list(dataset.subjects())
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - what was dumped here
    assert list(copy.subjects()) == refs


def test_a_ref_is_small_however_many_diagnoses_there_are(put, made, dataset_of, tmp_path):
    put("9_20208_2_0.zip", b"")
    diagnoses = [(f"I{k:03d}", f"20{k % 20:02d}-01-01") for k in range(259)]
    person = made.Participant(phenotypes=made.all_phenotypes(1), diagnoses=diagnoses)
    table = made.write_platform(tmp_path / "t.csv", {9: person})
    (ref,) = dataset_of(table=table).subjects()
    assert len(ref.location.diagnoses) == 259
    assert len(pickle.dumps(ref)) < 10_000


@pytest.mark.parametrize(
    ("options", "told"),
    [({"phenotypes": "complete"}, "need a table"), ({"require_visit_date": True}, "need a table"),
     ({"instance": 0}, "2 or 3"), ({"crop": "left"}, "'centre' or 'temporal-variance'"),
     ({"require": "mri"}, "'any', 'ecg', 'cine' or 'both'")],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused_in_one_line(tmp_path, options, told):
    with pytest.raises(ConfigError, match=told) as raised:
        make_options(UkbConfig, {"source": tmp_path, **options}, "dataset")
    assert "\n" not in str(raised.value)
