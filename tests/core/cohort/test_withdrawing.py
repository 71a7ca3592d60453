"""Whoever withdraws leaves the cohort, its bytes and every later state; nobody else is touched."""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from made_up_source import MADE_UP, MadeUp
from made_up_synthetic import SEEN, arrays_of, augmented

from cardionets_core.cohort import layout
from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.ids import key_path, make_key, read_key, record_id, subject_id
from cardionets_core.cohort.partial import folder_of
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.withdrawing import find_withdrawn, read_list, rewrite_without
from cardionets_core.cohort.writer import prepare
from cardionets_core.errors import CohortError, SourceError

PER_RECORD = {column.name for column in layout.COLUMNS} | {"quality/details"}


@dataclass
class Leaving(MadeUp):
    """The made-up people, some of whom withdrew; ``still_listed`` breaks the contract."""

    withdrawn: tuple[str, ...] = ()
    still_listed: bool = False

    def subjects(self):
        gone = () if self.still_listed else self.withdrawn
        return (ref for ref in super().subjects() if ref.subject_key not in gone)

    def withdrawn_subjects(self):
        return self.withdrawn


def prepared(dataset, out, **options):
    wanted = {"seed": 3, "provenance": MADE_UP, "block_records": 4, **options}
    return prepare(dataset, out, **wanted)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "c.h5"
    return prepared(MadeUp(broken=(9,), same_signal_as={6: 2}), out).path


@pytest.fixture
def path(made, tmp_path):
    """Six people with two records each; record 9, of person 4, is quarantined."""
    for source in (made, key_path(made)):
        shutil.copy(source, tmp_path)
    return tmp_path / made.name


def withdraw(path, *people, key_file=None):
    return rewrite_without(find_withdrawn(path, people, key_file))


def traces_of(path, person):
    """Raw bytes that must not outlive a person: ids, chunks of ECGs and cines."""
    key = read_key(key_path(path))
    traces = [subject_id(key, f"person-{person}").encode()]
    traces += [record_id(key, f"record-{i}").encode() for i in (2 * person, 2 * person + 1)]
    with h5py.File(path) as file:
        for row in np.flatnonzero(file["subject/subject_id"][:] == traces[0]).tolist():
            for name in ("ecg/signal", "cine/frames"):
                if file[f"{name.split('/')[0]}/present"][row]:
                    offset = (row, *[0] * (file[name].ndim - 1))
                    traces.append(file[name].id.read_direct_chunk(offset)[1])
            traces.append(file["subject/digest"][row].tobytes())
    return traces


def test_not_a_byte_of_them_is_left(path):
    traces = traces_of(path, 4) + traces_of(path, 0)
    assert len(traces) == 2 * 3 + 3 * 2 + 1
    assert all(trace in path.read_bytes() for trace in traces)
    withdraw(path, "person-4", "person-0")
    held = path.read_bytes()
    assert not [trace for trace in traces if trace in held]
    assert sorted(p.name for p in path.parent.iterdir()) == ["c.h5", "c.h5.key"]


def test_everybody_else_stays_as_they_were(path):
    before = arrays_of(path)
    rewritten = withdraw(path, "person-4", "person-0")
    after = arrays_of(path)
    key = read_key(key_path(path))
    gone = [subject_id(key, f"person-{p}").encode() for p in (0, 4)]
    kept = np.flatnonzero(~np.isin(before["subject/subject_id"], gone))
    assert rewritten.records == len(kept) == 8
    assert rewritten.subjects == 4
    for name in PER_RECORD | {f"attributes/{n}" for n in ("site", "height_cm")}:
        np.testing.assert_array_equal(after[name], before[name][kept], err_msg=name)
    of_kept = np.isin(before["diagnoses/row"], kept)
    np.testing.assert_array_equal(kept[after["diagnoses/row"]], before["diagnoses/row"][of_kept])
    for name in ("diagnoses/icd10", "diagnoses/days_from_visit"):
        np.testing.assert_array_equal(after[name], before[name][of_kept])
    assert len(before["quarantine/record_id"]) == 1
    assert len(after["quarantine/record_id"]) == 0


def test_the_rest_is_the_cohort_that_would_have_been_made_without_them(path, tmp_path):
    content_hash = withdraw(path, "person-4", "person-0").content_hash
    dataset = Leaving(same_signal_as={6: 2}, withdrawn=("person-0", "person-4"))
    assert content_hash == prepared(dataset, tmp_path / "other.h5").content_hash
    with open_cohort(path) as cohort:
        assert cohort.content_hash == content_hash


def test_a_shared_signal_is_no_duplicate_once_the_other_left(path):
    with open_cohort(path) as cohort:
        assert "duplicate-signal" in cohort.quality_flags(2)
    withdraw(path, "person-3")
    with open_cohort(path) as cohort:
        assert cohort.quality_flags(2) == ()


def test_a_column_that_only_they_had_is_gone(tmp_path):
    class Rare(MadeUp):
        def read(self, ref):
            subject = super().read(ref)
            if ref.subject_key == "person-1":
                subject.attributes["rare_disease"] = "yes"
            return subject

    path = prepared(Rare(), tmp_path / "c.h5").path
    withdraw(path, "person-1")
    assert b"rare_disease" not in path.read_bytes()


def test_provenance_tells_how_many_and_not_who(path):
    with open_cohort(path) as cohort:
        before = cohort.provenance
    withdraw(path, "person-4", "person-0", "somebody else")
    with open_cohort(path) as cohort:
        told = cohort.provenance
    assert told["withdrawn_subjects"] == 2
    assert told["extends"] == before["run_id"] != told["run_id"]
    assert told["history"] == [{n: v for n, v in before.items() if n != "history"}]
    assert all(told[n] == before[n] for n in ("dataset", "config", "seed", "roles", "key_check"))
    key = read_key(key_path(path))
    text = json.dumps(told)
    assert not [p for p in range(6) if subject_id(key, f"person-{p}") in text]
    assert "person" not in text


def test_a_second_time_nobody_is_found_and_runs_still_are(path):
    first = find_withdrawn(path, ["person-0"])
    rewrite_without(first)
    second = find_withdrawn(path, ["person-0"])
    assert (first.subjects, first.records, first.quarantined) == (1, 2, 0)
    assert (second.subjects, second.records, second.quarantined) == (0, 0, 0)
    assert second.seen.meets(first.seen)


def test_who_is_only_in_the_quarantine_is_found_and_taken_out(tmp_path):
    path = prepared(MadeUp(broken=(8, 9)), tmp_path / "c.h5").path
    found = find_withdrawn(path, ["person-4"])
    assert (found.subjects, found.records, found.quarantined) == (1, 0, 2)
    rewrite_without(found)
    with open_cohort(path) as cohort:
        assert cohort.quarantine == ()


def test_nothing_of_them_comes_back_when_the_cohort_is_extended(path):
    withdraw(path, "person-0")
    dataset = Leaving(records=14, withdrawn=("person-0",))
    report = prepared(dataset, path, existing="extend")
    assert (report.records, report.withdrawn) == (12, 0)
    with open_cohort(path) as cohort:
        assert cohort.provenance["history"][-1]["withdrawn_subjects"] == 1


def test_a_full_disk_ends_in_one_line_and_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("merge.write", "sync", "move_whole"):
        with monkeypatch.context() as patch:
            patch.setattr(f"cardionets_core.cohort.withdrawing.{name}", full)
            with pytest.raises(CohortError, match=r"the disk .* is full"):
                withdraw(path, "person-0")
        assert path.read_bytes() == before
        assert not folder_of(path).exists()


def test_without_room_for_the_new_file_nothing_is_begun(path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(CohortError, match="are needed"):
        withdraw(path, "person-0")
    assert not folder_of(path).exists()


def test_what_a_kill_left_is_swept_away(path):
    folder_of(path).mkdir()
    (folder_of(path) / "merged.h5").write_bytes(b"half a file")
    withdraw(path, "person-0")
    assert not folder_of(path).exists()


def test_an_unfinished_prepare_is_to_be_finished_first(path):
    class Stopped(MadeUp):
        def read(self, ref):
            if ref.location == 18:
                raise KeyboardInterrupt
            return super().read(ref)

    with pytest.raises(KeyboardInterrupt):
        prepared(Stopped(records=20), path, existing="extend")
    with pytest.raises(CohortError, match="unfinished prepare"):
        withdraw(path, "person-0")
    assert len(list(folder_of(path).glob("0*.h5"))) == 1


def test_a_link_is_kept_and_what_it_points_to_rewritten(path, tmp_path):
    link = tmp_path / "links" / "linked.h5"
    link.parent.mkdir()
    link.symlink_to(path)
    trace = traces_of(path, 0)[0]
    assert withdraw(link, "person-0", key_file=key_path(path)).records == 9
    assert link.is_symlink()
    assert trace not in path.read_bytes()


def test_rights_are_kept_and_other_names_of_the_old_file_told(path, tmp_path):
    path.chmod(0o640)
    os.link(path, tmp_path / "also.h5")
    assert withdraw(path, "person-0").other_names == 1
    assert path.stat().st_mode & 0o777 == 0o640


def test_reports_of_a_cohort_named_from_its_own_folder_go_with_it(path, monkeypatch):
    path.with_name("c.h5.report.json").write_text("record 12ab was left out")
    monkeypatch.chdir(path.parent)
    assert withdraw(Path(path.name), "person-0").reports == 1
    assert sorted(p.name for p in path.parent.iterdir()) == ["c.h5", "c.h5.key"]


def test_reports_of_the_old_cohort_go_with_it(path):
    reports = [path.with_name(f"{path.name}.report.{end}") for end in ("html", "json")]
    for report in [*reports, path.with_name("other.h5.report.json")]:
        report.write_text("record 12ab was left out")
    assert withdraw(path, "person-0").reports == 2
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "c.h5", "c.h5.key", "other.h5.report.json",
    ]  # fmt: skip


def test_a_cohort_is_not_left_with_nobody(path):
    with pytest.raises(CohortError, match="nobody would be left"):
        withdraw(path, *(f"person-{p}" for p in range(6)))
    with open_cohort(path) as cohort:
        assert len(cohort) == 11


def test_synthetic_records_of_a_generator_that_saw_them_are_refused(path, tmp_path):
    with open_cohort(path) as cohort:
        key = read_key(key_path(path))
        rows = np.flatnonzero(cohort.subject_ids == subject_id(key, "person-1"))
        seen = Fingerprints.of(cohort, rows)
    out = augmented(path, tmp_path / "a.h5", seen=seen).path
    before = out.read_bytes()
    with pytest.raises(CohortError, match=r"has seen 1 of these people.*augment again"):
        withdraw(out, "person-1", key_file=key_path(path))
    assert out.read_bytes() == before


def test_synthetic_records_of_a_generator_that_did_not_see_them_stay(path, tmp_path):
    out = augmented(path, tmp_path / "a.h5").path
    before = arrays_of(out, slice(-5, None))
    withdraw(out, "person-1", key_file=key_path(path))
    with open_cohort(out) as cohort:
        assert len(cohort) == 9 + 5
        assert cohort.synthetic.sum() == 5
        assert Fingerprints.from_arrays(cohort.behind_synthetic).meets(SEEN)
    after = arrays_of(out, slice(-5, None))
    for name in PER_RECORD:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)


@pytest.mark.parametrize(
    "data",
    [
        b"person-0\nperson-4\n",
        b"\xef\xbb\xbfperson-0\r\nperson-4\r\n",
        b"eid\nperson-0\n\n-1\n  person-4 \n-12\nperson-0\n",
        b'"participant.eid"\n"person-0"\n"person-4"',
        "编号\nperson-0\nperson-4\n".encode("gb18030"),
    ],
)
def test_a_list_is_read_with_its_quirks(tmp_path, data):
    path = tmp_path / "w.csv"
    path.write_bytes(data)
    assert read_list(path) == ["person-0", "person-4"]


def test_ids_that_a_data_frame_wrote_as_fractions_are_whole(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text("eid\n1234567.0\n-1.0\n\n2345678.00\n1.5.0\n")
    assert read_list(path) == ["1234567", "2345678", "1.5.0"]


def test_ids_without_digits_are_ids(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text("anna\nbert\n7\n")
    assert read_list(path) == ["anna", "bert", "7"]


@pytest.mark.parametrize("data", [b"", b"\n\n \n", b"eid\n", b"-1\n\n-2\n"])
def test_a_list_of_nobody_is_an_error(tmp_path, data):
    path = tmp_path / "w.csv"
    path.write_bytes(data)
    with pytest.raises(SourceError, match="lists nobody"):
        read_list(path)


def test_a_missing_list_is_told(tmp_path):
    with pytest.raises(SourceError, match="no list at"):
        read_list(tmp_path / "w.csv")
    with pytest.raises(SourceError, match="no list at"):
        read_list(tmp_path)


def test_without_the_right_key_nobody_is_looked_for(path, tmp_path):
    key = key_path(path).rename(tmp_path / "elsewhere.key")
    with pytest.raises(CohortError, match="no id key at"):
        find_withdrawn(path, ["person-0"])
    assert find_withdrawn(path, ["person-0"], key).records == 2
    make_key(tmp_path / "other.key")
    with pytest.raises(CohortError, match="is not the key that"):
        find_withdrawn(path, ["person-0"], tmp_path / "other.key")


def test_what_is_no_cohort_is_refused(tmp_path):
    (tmp_path / "c.h5").write_bytes(b"no cohort")
    with pytest.raises(CohortError, match="no whole HDF5 file"):
        find_withdrawn(tmp_path / "c.h5", ["person-0"])


def test_extending_takes_out_who_withdrew_since(path):
    traces = traces_of(path, 4) + traces_of(path, 0)
    people = ("person-0", "person-4")
    report = prepared(Leaving(records=14, withdrawn=people), path, existing="extend")
    assert (report.records, report.withdrawn, report.subjects) == (10, 3, 5)
    assert sum(report.quarantined.values()) == 0
    held = path.read_bytes()
    assert not [trace for trace in traces if trace in held]
    with open_cohort(path) as cohort:
        assert cohort.provenance["withdrawn_subjects"] == 2


def test_who_withdrew_and_is_listed_all_the_same_is_not_read(tmp_path):
    log = tmp_path / "log"
    dataset = Leaving(withdrawn=("person-1",), still_listed=True, log=log)
    assert prepared(dataset, tmp_path / "c.h5").records == 10
    assert not {"2", "3"} & set(log.read_text().split())


def test_an_interrupted_run_goes_on_without_who_withdrew_meanwhile(tmp_path):
    class Stopped(MadeUp):
        def read(self, ref):
            if ref.location == 11:
                raise KeyboardInterrupt
            return super().read(ref)

    out = tmp_path / "c.h5"
    with pytest.raises(KeyboardInterrupt):
        prepared(Stopped(broken=(7,)), out)
    blocks = sorted(folder_of(out).glob("0*.h5"))
    key = read_key(key_path(out))
    person = subject_id(key, "person-3").encode()
    assert [person in block.read_bytes() for block in blocks] == [False, True]
    report = prepared(Leaving(broken=(7,), withdrawn=("person-3",)), out)
    assert (report.records, report.resumed) == (10, 4)
    assert person not in out.read_bytes()
    assert not folder_of(out).exists()
    assert find_withdrawn(out, ["person-3"]).subjects == 0
