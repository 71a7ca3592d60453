"""Whose files they are and what is said about them: the table of labels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cardionets_core.cohort.targets import find_task
from cardionets_core.errors import ConfigError, SourceError
from cardionets_core.interfaces import Diagnosis
from cardionets_core.registry import default_registry


@pytest.fixture
def archive(made_up, source):
    """Six small ECGs in two folders."""
    for number in range(6):
        made_up.write_csv_ecg(source / "ab"[number % 2] / f"r{number}.csv", seed=number)
    return source


@pytest.fixture
def labelled(made_up, archive, opened, tmp_path):
    """The archive with a table of these lines."""

    def label(*lines, encoding="utf-8", **options):
        path = made_up.write_labels(tmp_path / "labels.csv", *lines, encoding=encoding)
        return opened(labels=path, **made_up.TABLE_OPTIONS, **options)

    return label


def listed(dataset):
    return {ref.record_key: ref for ref in dataset.subjects()}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_encoding_and_delimiter_of_an_export_is_read(labelled, encoding, delimiter):
    lines = ("File,PATIENT_ID,Label,Sex", "a\\r0.csv,\u5f20\u4e09,\u623f\u98a4,\u5973")
    dataset = labelled(*(line.replace(",", delimiter) for line in lines), encoding=encoding)
    (ref,) = dataset.subjects()
    assert (ref.record_key, ref.subject_key) == ("a/r0.csv", "\u5f20\u4e09")
    subject = dataset.read(ref)
    assert (subject.attributes["label"], subject.sex) == ("\u623f\u98a4", "female")


@pytest.mark.parametrize(
    "name", ["a/r0.csv", "a\\r0.csv", "./a/r0.csv", "r0.csv", " a//r0.csv ", "a/./r0.csv"]
)
def test_a_file_is_named_by_its_path_or_by_a_name_that_is_unique(labelled, name):
    assert list(listed(labelled("file,patient_id", f"{name},1"))) == ["a/r0.csv"]


def test_a_wfdb_record_is_named_by_any_of_its_files_or_without_an_ending(made_up, source, labelled):
    for name in ("w1", "w2", "w3"):
        rows = np.array(list(made_up.counts_of(seconds=1).values()))
        made_up.write_wfdb(source, name, rows)
    found = listed(labelled("file,patient_id", "w1,1", "w2.dat,2", "w3.hea,3"))
    assert {key: ref.subject_key for key, ref in found.items()} == {
        "w1.hea": "1",
        "w2.hea": "2",
        "w3.hea": "3",
    }


def test_a_name_of_several_files_is_refused_with_its_line(made_up, archive, labelled):
    made_up.write_csv_ecg(archive / "b" / "r0.csv")
    with pytest.raises(SourceError, match=r"labels.csv: line 3: several files of that name"):
        labelled("file,patient_id", "r1.csv,1", "r0.csv,2").subjects().__next__()


@pytest.mark.parametrize(
    "name", ["../secret.csv", "/etc/passwd", "a\\..\\..\\x.csv", "C:\\x.csv", "\\\\server\\x.csv"]
)
@pytest.mark.parametrize("column", ["file", "cmr_path"])
def test_paths_out_of_the_source_are_refused_with_their_line(labelled, name, column):
    row = f"{name},1," if column == "file" else f"a/r0.csv,1,{name}"
    with pytest.raises(SourceError, match=r"line 2: .*leads out of the source") as caught:
        list(labelled("file,patient_id,cmr_path", row).subjects())
    assert name not in str(caught.value)


def test_rows_without_file_and_files_without_row_are_counted(labelled):
    lines = ("a/r0.csv,1", "b/r1.csv,1", "gone.csv,2", ",3")
    dataset = labelled("file,patient_id", *lines)
    start, found, last = dataset.selection()
    assert (start.records, found.records, last.records, last.subjects) == (8, 6, 2, 1)
    assert found.excluded == {"a row of the labels that names no ECG below the source": 2}
    assert last.excluded == {"no row in the labels": 4}
    assert len(listed(dataset)) == last.records


def test_files_without_a_row_can_be_included_each_as_a_person(labelled):
    dataset = labelled("file,patient_id,icd10", "a/r0.csv,1,I50", unlisted="include")
    refs = listed(dataset)
    assert len(refs) == len({ref.subject_key for ref in refs.values()}) == 6
    assert dataset.selection()[-1].records == 6
    assert not dataset.read(refs["b/r1.csv"]).diagnoses_known


def test_a_listed_file_of_no_known_format_is_quarantined_and_not_passed_over(
    archive, labelled, made_up, tmp_path, prepared
):
    (archive / "r9.doc").write_text("no ECG")
    labelled("file,patient_id", "r9.doc,9", "a/r0.csv,1")
    with prepared(labels=tmp_path / "labels.csv", **made_up.TABLE_OPTIONS) as (cohort, report):
        assert len(cohort) == 1
        assert [*report.quarantined] == [
            "EcgError: not an ECG file of a known format; needed one: see the list of formats"
        ]


def test_one_unreadable_file_stops_nothing(archive, labelled, made_up, tmp_path, prepared):
    (archive / "a" / "r0.csv").write_text("I,II\n1,PID84735210\n")
    labelled("file,patient_id", "a/r0.csv,1", "b/r1.csv,2")
    with prepared(labels=tmp_path / "labels.csv", **made_up.TABLE_OPTIONS) as (cohort, report):
        assert len(cohort) == 1
        assert sum(report.quarantined.values()) == 1
        assert "PID84735210" not in str(report)


def test_all_that_a_row_says_reaches_the_subject(labelled):
    dataset = labelled(
        "file,patient_id,label,acquired_at,sex,age_years,icd10,24100,24181",
        "a/r0.csv,1,2,2024-03-14 10:35,f,61.5,I25.103;i42.000x001\uff1bI50,150.5,-12",
        "b/r1.csv,1,1.5,2024-03-04,M,,-,,",
        "a/r2.csv,2,,,,NA,,nan,",
    )
    first, second, third = (dataset.read(ref) for ref in dataset.subjects())
    assert [s.record_id for s in (first, second, third)] == ["a/r0.csv", "a/r2.csv", "b/r1.csv"]
    assert (first.sex, first.age_years) == ("female", 61.5)
    assert first.diagnoses == tuple(Diagnosis(code, None) for code in ("I25103", "I42000", "I50"))
    assert first.phenotypes == {24100: 150.5, 24181: -12.0}
    assert first.attributes["label"] == 2.0
    assert first.attributes["days_since_first"] == 10.0
    assert (third.diagnoses, third.diagnoses_known, third.sex) == ((), True, "male")
    assert third.attributes["days_since_first"] == 0.0
    assert (second.diagnoses_known, second.phenotypes, second.sex) == (False, {}, None)
    assert set(second.attributes) == {"source_format", "source_rate_hz"}


def test_no_date_reaches_the_subject(labelled):
    dataset = labelled("file,patient_id,acquired_at", "a/r0.csv,1,2024-03-14 10:35")
    (subject,) = (dataset.read(ref) for ref in dataset.subjects())
    assert "2024" not in repr(subject.attributes)


@pytest.mark.parametrize(
    ("cells", "meaning"),
    [
        (("1", "0", "1"), ("binary", ("label",))),
        (("af", "sinus", "af"), ("binary", ("label",))),
        (("1.25", "2.5", "0.75"), ("regression", ("label",))),
        (("dcm", "hcm", "rcm"), ("multiclass", ("dcm", "hcm", "rcm"))),
        (("1", "2", "other"), ("multiclass", ("1", "2", "other"))),
    ],
)
def test_label_is_a_task_of_the_cohort(labelled, made_up, tmp_path, prepared, cells, meaning):
    lines = [f"r{number}.csv,p{number},{cell}" for number, cell in enumerate(cells)]
    labelled("file,patient_id,label", *lines)
    options = {"labels": tmp_path / "labels.csv", **made_up.TABLE_OPTIONS}
    with prepared(**options) as (cohort, _):
        targets = find_task("label", registry=default_registry(), cohort=cohort)
    assert (targets.task.target, targets.task.outputs) == meaning
    assert targets.known.all()


def test_a_label_like_the_patients_number_is_no_id(labelled, made_up, tmp_path, prepared):
    labelled("file,patient_id,label", "r0.csv,0,0", "r1.csv,1,1", "r2.csv,2,1")
    options = {"labels": tmp_path / "labels.csv", **made_up.TABLE_OPTIONS}
    with prepared(**options) as (cohort, report):
        assert (len(cohort), report.quarantined) == (3, {})


def test_all_records_of_a_person_get_one_role_and_split(labelled, made_up, tmp_path, prepared):
    lines = [f"r{number}.csv,p{number % 3}," for number in range(6)]
    lines[3] = "r3.csv,p0,test"
    labelled("file,patient_id,split", *lines)
    options = {"labels": tmp_path / "labels.csv", **made_up.TABLE_OPTIONS}
    with prepared(**options) as (cohort, report):
        assert (report.records, report.subjects, report.quarantined) == (6, 3, {})
        places = {(s.subject_id, s.role, s.split) for s in cohort}
        assert len(places) == 3
        assert Counter(split for _, _, split in places)["test"] >= 1


@pytest.mark.parametrize(
    ("ids", "count"),
    [(("00123", "123"), 1), (("P12", "p12"), 1), (("\uff11\uff12", "12"), 1),
     (("0", "00"), 1), (("12", "120"), 0), (("p1", "p1"), 0)],
)  # fmt: skip
def test_ids_that_may_be_one_persons_are_told_of(labelled, caplog, ids, count):
    dataset = labelled("file,patient_id", *(f"r{n}.csv,{id_}" for n, id_ in enumerate(ids)))
    assert len({ref.subject_key for ref in dataset.subjects()}) == len(set(ids))
    assert caplog.text.count("differ from another one only in leading zeros") == count
    assert not any(f" {id_}:" in caplog.text for id_ in ids)


def test_one_person_in_two_splits_is_refused_with_both_lines(labelled):
    lines = ("a/r0.csv,p1,train", "b/r1.csv,p2,val", "a/r2.csv,p1,", "b/r3.csv,p1,Test")
    with pytest.raises(SourceError, match="lines 2 and 5 put one person into different splits"):
        list(labelled("file,patient_id,split", *lines).subjects())


@pytest.mark.parametrize(
    ("which", "wanted"),
    [("all", ["a/r0.csv", "a/r2.csv", "a/r4.csv", "b/r1.csv"]),
     ("first", ["a/r2.csv", "b/r1.csv"]), ("last", ["a/r0.csv", "b/r1.csv"])],
)  # fmt: skip
def test_the_first_or_the_last_ecg_of_each_person_can_be_taken(labelled, which, wanted):
    dataset = labelled(
        "file,patient_id,acquired_at",
        "a/r0.csv,p1,20240314",
        "a/r2.csv,p1,2023/12/31 23:59",
        "a/r4.csv,p1,2024-01-01T00:00:00Z",
        "b/r1.csv,p2,",
        ecgs_per_person=which,
    )
    assert list(listed(dataset)) == wanted
    last = dataset.selection()[-1]
    assert (last.records, last.subjects) == (len(wanted), 2)


def test_without_dates_of_a_persons_ecgs_the_first_cannot_be_told(labelled):
    lines = ("a/r0.csv,p1,20240314", "a/r2.csv,p1,", "b/r1.csv,p2,")
    dataset = labelled("file,patient_id,acquired_at", *lines, ecgs_per_person="first")
    with pytest.raises(SourceError, match="line 3: no acquired_at of a person with several"):
        list(dataset.subjects())


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("sex", "1", "column sex: needed female or male"),
        ("age_years", "610", "column age_years: needed an age"),
        ("age_years", "old", "column age_years: needed a number"),
        ("icd10", "heart failure", "column icd10: needed up to 300 ICD-10 codes"),
        ("icd10", ";", "column icd10: needed"),
        ("icd10", ";".join(f"I{n // 10:02}.{n % 10}" for n in range(301)), "column icd10"),
        ("split", "fold3", "column split: needed train, val or test"),
        ("acquired_at", "03/04/2024", "column acquired_at: needed a date with the year first"),
        ("acquired_at", "2024-02-30", "column acquired_at: needed a date"),
        ("24100", "large", "column 24100: needed a number"),
        ("24100", "inf", "column 24100: needed a number"),
        ("24100", "-1e39", "column 24100: needed a number"),
        ("acquired_at", "1024-01-01", "column acquired_at: needed a date"),
        ("acquired_at", "9999-12-31", "column acquired_at: needed a date"),
        ("label", "x" * 65, "column label: needed a label of up to 64 characters"),
    ],
)
def test_cells_that_cannot_be_understood_are_told_by_line_and_never_quoted(
    labelled, column, cell, told
):
    lines = [f"a/r0.csv,1,{cell}", "b/r1.csv,2,", f"a/r2.csv,3,{cell}"]
    with pytest.raises(SourceError, match=f"lines 2, 4: {told}") as caught:
        list(labelled(f"file,patient_id,{column}", *lines).subjects())
    assert len(cell) < 4 or cell not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_many_bad_lines_are_counted_and_some_named(labelled):
    lines = [f"x{number}.csv,{number},?" for number in range(20)]
    with pytest.raises(SourceError, match="lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 10 more: "):
        list(labelled("file,patient_id,sex", *lines).subjects())


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("file,label", "a/r0.csv,1"), "no column 'patient_id'"),
        (("path,patient_id", "a/r0.csv,1"), "no column 'file'"),
        (("file,patient_id", "a/r0.csv,"), "line 2: no patient_id"),
        (("file,patient_id", "a/r0.csv,1", "r0.csv,1"), "line 3: names the same record as line 2"),
        (("file,patient_id", "a/r0.csv,1,2,3"), "line 2: 4 cells under 2 headings"),
        (("file,patient_id", 'a/r0.csv,"1', 'b/r1.csv,2"'), "line 3: patient_id goes over several"),
        (("file,patient_id",), "none of its 0 rows names an ECG below the source"),
        (("file,patient_id", "x.csv,1", "y.csv,2"), "none of its 2 rows names an ECG below the"),
    ],
)
def test_tables_that_cannot_be_used_are_one_clear_line(labelled, lines, told):
    with pytest.raises(SourceError, match=told):
        list(labelled(*lines).subjects())


def test_a_column_of_names_is_not_taken_for_labels(labelled):
    lines = [f"x{number}.csv,{number},name {number}" for number in range(51)]
    with pytest.raises(SourceError, match="more than 50 different texts in the column label"):
        list(labelled("file,patient_id,label", *lines).subjects())


def test_the_table_itself_is_no_ecg_of_the_archive(made_up, archive, opened):
    labels = made_up.write_labels(archive / "labels.csv", "file,patient_id", "a/r0.csv,1")
    dataset = opened(labels=labels, unlisted="include")
    assert "labels.csv" not in listed(dataset)
    assert dataset.selection()[1].excluded == {"the table of labels": 1}


@pytest.mark.parametrize(
    "options", [{"unlisted": "include"}, {"ecgs_per_person": "first"}, {"series": "4ch"}]
)
def test_options_that_need_labels_are_refused_without(opened, options):
    with pytest.raises(ValueError, match="needed labels too"):
        opened(**options)


def test_leads_of_tables_may_be_given_with_commas(opened):
    assert opened(table_leads="I, II,V1").config.table_leads == ("I", "II", "V1")


def test_a_missing_table_is_one_clear_line(archive, opened, tmp_path):
    with pytest.raises((SourceError, ConfigError), match=r"labels\.csv: cannot be read"):
        list(opened(labels=tmp_path / "labels.csv").subjects())
