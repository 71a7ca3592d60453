from __future__ import annotations

import pickle

import numpy as np
import pytest
from pydantic import ValidationError

from cardionets_core.errors import ConfigError, EcgError, SourceError
from cardionets_core.interfaces import Dataset, missing_members
from cardionets_wfdb.config import WfdbFolderConfig
from cardionets_wfdb.dataset import WfdbFolder

COMMENTS = ("Age: 84", "Sex: Female", "Dx: 426783006,59931005", "Rx: Unknown")


def test_records_at_any_depth_are_found_in_a_stable_order(write_record, counts, tmp_path):
    for name in ("b/r2", "a/deep/r9", "r1", "b/r10"):
        write_record(counts, name=name)
    dataset = WfdbFolder(WfdbFolderConfig(source=tmp_path))
    refs = list(dataset.subjects())
    assert [ref.record_key for ref in refs] == ["a/deep/r9", "b/r10", "b/r2", "r1"]
    assert [ref.subject_key for ref in refs] == ["r9", "r10", "r2", "r1"]
    assert refs == list(dataset.subjects())
    assert missing_members(dataset, Dataset) == []


def test_age_sex_and_snomed_codes_come_from_the_header(write_record, counts, tmp_path):
    write_record(counts, comments=COMMENTS)
    dataset = WfdbFolder(WfdbFolderConfig(source=tmp_path))
    (ref,) = dataset.subjects()
    subject = dataset.read(ref)
    assert (subject.age_years, subject.sex) == (84.0, "female")
    assert subject.attributes == {"snomed_ct": "426783006,59931005"}
    assert (subject.diagnoses, subject.diagnoses_known) == ((), False)
    assert subject.phenotypes == {}
    np.testing.assert_array_equal(subject.ecg.signal_mv, (counts / 1000.0).astype(np.float32))


@pytest.mark.parametrize("ending", [".hea", ".dat"])
def test_a_link_out_of_the_folder_is_not_followed(write_record, counts, tmp_path, ending):
    header = write_record(counts, name="inside/r1")
    moved = tmp_path / f"r1{ending}"
    header.with_suffix(ending).rename(moved)
    header.with_suffix(ending).symlink_to(moved)
    dataset = WfdbFolder(WfdbFolderConfig(source=tmp_path / "inside"))
    (ref,) = dataset.subjects()
    with pytest.raises(SourceError, match="link that leads out of the source"):
        dataset.read(ref)


@pytest.mark.parametrize(
    ("comments", "age_years", "sex"),
    [
        (("Age: NaN", "Sex: Unknown", "Dx: "), None, None),
        (("age: 61", "sex: M"), 61.0, "male"),
        (("<age>: 55.5", "<sex>: F"), 55.5, "female"),
        (("Age: 300", "Sex: mv"), None, None),
        (("a line without a colon",), None, None),
        ((), None, None),
    ],
)
def test_what_the_header_does_not_say_stays_unknown(
    write_record, counts, tmp_path, comments, age_years, sex
):
    write_record(counts, comments=comments)
    dataset = WfdbFolder(WfdbFolderConfig(source=tmp_path))
    (ref,) = dataset.subjects()
    subject = dataset.read(ref)
    assert (subject.age_years, subject.sex) == (age_years, sex)
    assert subject.attributes == {}


def test_a_pattern_in_the_path_tells_whose_record_it_is(write_record, counts, tmp_path):
    for name in ("p100/s1/1", "p100/s2/2", "p200/s3/3"):
        write_record(counts, name=name)
    dataset = WfdbFolder(WfdbFolderConfig(source=tmp_path, subject_pattern=r"^p(\d+)/"))
    assert [ref.subject_key for ref in dataset.subjects()] == ["100", "100", "200"]
    write_record(counts, name="stray")
    with pytest.raises(ConfigError, match="1 of 4 records have no person by subject_pattern"):
        dataset.subjects()


def test_a_table_tells_whose_record_it_is(write_record, counts, tmp_path):
    for name in ("a/1", "a/2", "b/3"):
        write_record(counts, name=name)
    table = tmp_path / "subjects.csv"
    table.write_text("record,subject\n1,anna\na/2,anna\n3,bert\n", encoding="utf-8-sig")
    dataset = WfdbFolder(WfdbFolderConfig(source=tmp_path, subjects=table))
    assert [ref.subject_key for ref in dataset.subjects()] == ["anna", "anna", "bert"]
    table.write_text("record,subject\n1,anna\n")
    with pytest.raises(ConfigError, match="2 of 3 records have no person in the subjects table"):
        dataset.subjects()


@pytest.mark.parametrize(
    "text",
    ["record,person\n1,anna\n", "record,subject\n1,\n", "record,subject\n1,anna\n1,bert\n"],
)
def test_a_broken_table_of_persons_is_refused(write_record, counts, tmp_path, text):
    write_record(counts, name="1")
    table = tmp_path / "subjects.csv"
    table.write_text(text)
    with pytest.raises(ConfigError, match="row"):
        WfdbFolder(WfdbFolderConfig(source=tmp_path, subjects=table)).subjects()


def test_one_unreadable_record_is_an_error_of_that_record_alone(write_record, counts, tmp_path):
    write_record(counts, name="good")
    write_record(counts, name="bad").with_suffix(".dat").unlink()
    dataset = WfdbFolder(WfdbFolderConfig(source=tmp_path))
    bad, good = dataset.subjects()
    with pytest.raises(EcgError):
        dataset.read(bad)
    assert dataset.read(good).record_id == "good"


def test_folders_without_records_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such folder"):
        WfdbFolder(WfdbFolderConfig(source=tmp_path / "absent")).subjects()
    with pytest.raises(ConfigError, match=r"no header \(\.hea\)"):
        WfdbFolder(WfdbFolderConfig(source=tmp_path)).subjects()


def test_a_dataset_pickles_for_worker_processes(write_record, counts, tmp_path):
    write_record(counts)
    dataset = pickle.loads(pickle.dumps(WfdbFolder(WfdbFolderConfig(source=tmp_path))))  # noqa: S301
    (ref,) = dataset.subjects()
    assert pickle.loads(pickle.dumps(ref)) == ref  # noqa: S301
    assert dataset.read(ref).ecg is not None


@pytest.mark.parametrize(
    "options",
    [
        {"subject_pattern": "("},
        {"subject_pattern": "no group"},
        {"subject_pattern": "(a)(b)"},
        {"pattern": "../*.hea"},
        {"pattern": "/etc/*"},
    ],
)
def test_options_that_cannot_work_are_refused(tmp_path, options):
    with pytest.raises(ValidationError):
        WfdbFolderConfig(source=tmp_path, **options)


def test_every_real_record_becomes_a_subject(sample_records):
    dataset = WfdbFolder(WfdbFolderConfig(source=sample_records[0].parent))
    subjects = [dataset.read(ref) for ref in dataset.subjects()]
    assert len(subjects) == len(sample_records)
    assert all(subject.ecg.signal_mv.shape[0] == 12 for subject in subjects)
    assert sum(subject.sex is not None for subject in subjects) > 0
    assert all("snomed_ct" in subject.attributes for subject in subjects)
