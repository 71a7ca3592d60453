from __future__ import annotations

import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from made_up_source import MADE_UP, REAL, MadeUp

from cardionets_core.cohort import files, merge
from cardionets_core.cohort.ids import key_path, read_key, record_id
from cardionets_core.cohort.provenance import Provenance
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.roles import RoleConfig
from cardionets_core.cohort.writer import prepare
from cardionets_core.errors import CohortError, UsageError


def prepared(dataset, out, **options):
    return prepare(
        dataset, out, **{"seed": 3, "provenance": MADE_UP, "block_records": 4, **options}
    )


def run_in_subprocess(script: str, **limits) -> subprocess.CompletedProcess[str]:
    folder = Path(__file__).parent
    path = os.pathsep.join([str(folder), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        **limits,
    )


def test_report_counts_records_subjects_and_reasons(tmp_path):
    report = prepared(MadeUp(broken=(3,)), tmp_path / "c.h5")
    assert (report.records, report.subjects, report.resumed) == (11, 6, 0)
    assert sum(report.quarantined.values()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.h5", "c.h5.key"]


def test_content_is_the_same_for_any_number_of_workers(tmp_path, cohort_path):
    report = prepared(MadeUp(), tmp_path / "c.h5", workers=2)
    with open_cohort(cohort_path) as alone, open_cohort(report.path) as together:
        assert together.content_hash == alone.content_hash
        np.testing.assert_array_equal(together.ecg_int16(range(12)), alone.ecg_int16(range(12)))


def test_file_is_the_same_but_for_ids_and_run_when_prepared_again(tmp_path):
    one, two = prepared(MadeUp(), tmp_path / "1.h5"), prepared(MadeUp(), tmp_path / "2.h5")
    assert one.content_hash == two.content_hash
    with h5py.File(one.path) as a, h5py.File(two.path) as b:
        names = []
        a.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        for name in names:
            if not name.endswith("_id"):
                np.testing.assert_array_equal(a[name][...], b[name][...], err_msg=name)


def test_content_hash_changes_with_one_sample_and_with_a_split(tmp_path, cohort_path):
    with open_cohort(cohort_path) as cohort:
        before = cohort.content_hash
    other_signal = prepared(MadeUp(same_signal_as={4: 40}), tmp_path / "1.h5")
    other_split = prepared(MadeUp(), tmp_path / "2.h5", seed=4)
    assert len({before, other_signal.content_hash, other_split.content_hash}) == 3


def test_killed_prepare_resumes_to_the_same_content_without_reading_again(tmp_path, cohort_path):
    out, log = tmp_path / "c.h5", tmp_path / "log"
    killed = run_in_subprocess(f"""
        from pathlib import Path
        from made_up_source import MADE_UP, MadeUp
        from cardionets_core.cohort.writer import prepare
        dataset = MadeUp(stop_at=9, log=Path({str(log)!r}))
        prepare(dataset, Path({str(out)!r}), seed=3, provenance=MADE_UP, block_records=4)
    """)
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    log.write_text("")
    report = prepared(MadeUp(log=log), out)
    assert report.resumed == 8
    assert [int(line) for line in log.read_text().split()] == [8, 9, 10, 11]
    with open_cohort(cohort_path) as uninterrupted:
        assert report.content_hash == uninterrupted.content_hash
    assert not (tmp_path / "c.h5.partial").exists()


def test_workers_of_a_killed_prepare_end_with_it(tmp_path):
    killed = run_in_subprocess(f"""
        import os, signal
        from cardionets_core.cohort.writer import prepare
        from made_up_source import MADE_UP, MadeUp

        def kill(done, total):
            from multiprocessing import active_children
            print(*(child.pid for child in active_children()), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

        if __name__ == "__main__":
            prepare(MadeUp(), {str(tmp_path / "c.h5")!r}, seed=3, provenance=MADE_UP,
                    block_records=2, workers=2, progress=kill)
    """)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    workers = [int(pid) for pid in killed.stdout.split()]
    assert workers
    end = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < end:
        time.sleep(0.1)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_killed_while_putting_together_resumes_and_leaves_the_old_file_meanwhile(
    tmp_path, cohort_path
):
    out = tmp_path / "c.h5"
    prepared(MadeUp(records=2), out)
    old = out.read_bytes()
    killed = run_in_subprocess(f"""
        import os, signal
        from pathlib import Path
        from made_up_source import MADE_UP, MadeUp
        from cardionets_core.cohort import layout, writer
        append = layout.append
        def kill_in_the_middle(file, columns):
            if file.filename.endswith("merged.h5"):
                os.kill(os.getpid(), signal.SIGKILL)
            append(file, columns)
        layout.append = kill_in_the_middle
        writer.prepare(MadeUp(), Path({str(out)!r}), seed=3, provenance=MADE_UP, block_records=4,
                       existing="overwrite")
    """)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "c.h5.partial" / "merged.h5").exists()
    assert out.read_bytes() == old
    report = prepared(MadeUp(), out, existing="overwrite")
    assert report.resumed == 12
    with open_cohort(cohort_path) as uninterrupted:
        assert report.content_hash == uninterrupted.content_hash


def test_a_torn_or_foreign_block_is_read_again(tmp_path, cohort_path):
    out = tmp_path / "c.h5"
    with pytest.raises(KeyboardInterrupt):
        prepared(MadeUp(), out, progress=interrupt_after(8))
    blocks = sorted((tmp_path / "c.h5.partial").glob("0*.h5"))
    assert len(blocks) == 2
    whole = blocks[0].read_bytes()
    blocks[0].write_bytes(whole[: len(whole) // 2])
    shutil.copy(blocks[1], tmp_path / "c.h5.partial" / "000002.h5")
    report = prepared(MadeUp(), out)
    assert report.resumed == 4
    with open_cohort(cohort_path) as uninterrupted:
        assert report.content_hash == uninterrupted.content_hash


def test_a_table_corrected_before_an_interrupted_run_goes_on_holds_for_everybody(tmp_path):
    out = tmp_path / "c.h5"
    with pytest.raises(KeyboardInterrupt):
        prepared(Told("female"), out, progress=interrupt_after(8))
    report = prepared(Told("male"), out)
    assert report.resumed == 0
    with open_cohort(out) as cohort:
        assert set(cohort.sexes) == {"male"}


def test_a_location_without_a_text_of_its_own_does_not_keep_from_resuming(tmp_path):
    out = tmp_path / "c.h5"
    first, second = object(), object()
    with pytest.raises(KeyboardInterrupt):
        prepared(Told(first), out, progress=interrupt_after(8))
    assert prepared(Told(second), out).resumed == 8


class Told(MadeUp):
    """A source whose table says something of every record."""

    def __init__(self, sex):
        super().__init__()
        self.sex = sex

    def subjects(self):
        return (replace(ref, location=(ref.location, self.sex)) for ref in super().subjects())

    def read(self, ref):
        number, sex = ref.location
        subject = super().read(replace(ref, location=number))
        return replace(subject, sex=sex) if isinstance(sex, str) else subject


def interrupt_after(records: int):
    def progress(done, total):
        assert total == 12
        if done >= records:
            raise KeyboardInterrupt

    return progress


def test_leftover_folder_of_a_finished_cohort_is_removed_and_not_taken_up(tmp_path):
    out = tmp_path / "c.h5"
    keep = tmp_path / "kept"

    def copy_then_remove(path, **options):
        shutil.copytree(path, keep)
        real_rmtree(path, **options)

    real_rmtree = shutil.rmtree
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cardionets_core.cohort.writer.shutil.rmtree", copy_then_remove)
        prepared(MadeUp(), out)
    keep.rename(tmp_path / "c.h5.partial")
    report = prepared(MadeUp(), out, existing="overwrite")
    assert report.resumed == 0


@pytest.mark.parametrize("existing", ["refuse", "overwrite"])
def test_what_is_no_cohort_is_never_replaced(tmp_path, existing):
    out = tmp_path / "labels.csv"
    out.write_text("file,patient_id\n")
    with pytest.raises(CohortError, match="exists and is no cohort"):
        prepared(MadeUp(), out, existing=existing)
    assert out.read_text() == "file,patient_id\n"
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["mine"] = 1
    with pytest.raises(CohortError, match="exists and is no cohort"):
        prepared(MadeUp(), tmp_path / "other.h5", existing=existing)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CohortError, match="exists and is no cohort"):
        prepared(MadeUp(), tmp_path / "pipe", existing=existing)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.csv", "other.h5", "pipe"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_not_ours_in_the_place_of_the_blocks_stays(tmp_path, kind):
    mine = tmp_path / "c.h5.partial"
    if kind == "folder":
        mine.mkdir()
        mine /= "notes.txt"
    mine.write_text("mine")
    with pytest.raises(CohortError, match=r"c\.h5\.partial is in the way"):
        prepared(MadeUp(), tmp_path / "c.h5")
    assert mine.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.h5.partial"]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_phenotypes_that_are_no_measurements_are_missing(tmp_path):
    class Absurd(MadeUp):
        def read(self, ref):
            absurd = {24100: 1e300, 24101: -np.inf, 24102: np.nan, 24103: 51.5}
            return replace(super().read(ref), phenotypes=absurd)

    with open_cohort(prepared(Absurd(records=2), tmp_path / "c.h5").path) as cohort:
        assert np.isnan(cohort.phenotypes[:, :3]).all()
        assert cohort.phenotypes[:, 3].tolist() == [51.5, 51.5]


def test_a_name_that_no_file_can_have_is_one_clear_line(tmp_path):
    with pytest.raises(CohortError, match=r"cannot write .*name too long"):
        prepared(MadeUp(), tmp_path / ("a" * 300))


def test_a_damaged_cohort_can_be_replaced(tmp_path):
    out = tmp_path / "c.h5"
    prepared(MadeUp(records=2), out)
    out.write_bytes(out.read_bytes()[:3000])
    assert prepared(MadeUp(), out, existing="overwrite").records == 12


def test_existing_cohort_is_refused_and_untouched(tmp_path):
    out = tmp_path / "c.h5"
    prepared(MadeUp(records=2), out)
    old = out.read_bytes()
    with pytest.raises(CohortError, match=r"exists; choose another name"):
        prepared(MadeUp(), out)
    assert out.read_bytes() == old
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.h5", "c.h5.key"]


def test_resuming_with_other_options_is_refused_naming_them(tmp_path):
    out = tmp_path / "c.h5"
    with pytest.raises(KeyboardInterrupt):
        prepared(MadeUp(), out, progress=interrupt_after(4))
    with pytest.raises(CohortError, match=r"other options .*seed 3, now 4.*delete"):
        prepared(MadeUp(), out, seed=4)
    assert prepared(MadeUp(), out, seed=4, resume=False).resumed == 0


def test_of_a_path_no_more_is_stored_than_that_it_was_given(tmp_path):
    told = {"source": "/data/Quixworth", "tables": ["Zenobia.csv"], "list": None, "option": 1}
    given = Provenance("made-up", config=told, paths=("source", "tables", "list"))
    prepared(MadeUp(records=4), tmp_path / "c.h5", provenance=given)
    with open_cohort(tmp_path / "c.h5") as cohort:
        assert cohort.provenance["config"] == {
            "source": "<path>",
            "tables": ["<path>"],
            "list": None,
            "option": 1,
        }
    assert b"Quixworth" not in (tmp_path / "c.h5").read_bytes()


def test_an_interrupted_run_is_not_taken_up_with_another_source(tmp_path):
    out = tmp_path / "c.h5"
    one, other = (
        Provenance("made-up", config={"a": 1, "source": s}, paths=("source",)) for s in "12"
    )
    with pytest.raises(KeyboardInterrupt):
        prepared(MadeUp(), out, progress=interrupt_after(4), provenance=one)
    with pytest.raises(CohortError, match=r"options \(config.source '1', now '2'\); use"):
        prepared(MadeUp(), out, provenance=other)
    assert prepared(MadeUp(), out, provenance=one).resumed == 4


def test_resuming_needs_the_key_of_the_first_prepare(tmp_path):
    out = tmp_path / "c.h5"
    with pytest.raises(KeyboardInterrupt):
        prepared(MadeUp(), out, progress=interrupt_after(4))
    key = key_path(out).read_text()
    key_path(out).unlink()
    with pytest.raises(CohortError, match=r"no id key at .*put it back"):
        prepared(MadeUp(), out)
    key_path(out).write_text("f" * 64)
    with pytest.raises(CohortError, match=r"is not the key that .* was begun with"):
        prepared(MadeUp(), out)
    key_path(out).write_text("short")
    with pytest.raises(CohortError, match=r"is not an id key: found 5 characters"):
        prepared(MadeUp(), out)
    key_path(out).write_text(key)
    key_path(out).chmod(0o600)
    assert prepared(MadeUp(), out).resumed == 4


def test_key_is_readable_by_its_owner_only_and_in_no_file(tmp_path, caplog):
    out = tmp_path / "c.h5"
    prepared(MadeUp(records=2), out)
    path = key_path(out)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = read_key(path)
    assert len(key) == 32
    assert key not in out.read_bytes()
    assert key.hex().encode() not in out.read_bytes()
    path.chmod(0o644)
    read_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "was open to other users" in caplog.text


def test_ids_are_hmacs_and_the_source_ids_are_nowhere_in_the_file(tmp_path):
    out = tmp_path / "c.h5"
    prepared(MadeUp(broken=(1,), crashing=(2,)), out)
    key = read_key(key_path(out))
    with open_cohort(out) as cohort:
        assert cohort.record_ids[0] == record_id(key, "record-0")
        assert cohort.subject_ids[0] != cohort.record_ids[0]
        assert len(cohort.record_ids[0]) == 16
    stored = out.read_bytes()
    for secret in (b"person-", b"record-", b"hospital", b"1234567", b"2020-01-02", b"secret"):
        assert secret not in stored


def test_unreadable_records_are_quarantined_with_a_reason_and_stop_nothing(tmp_path):
    out = tmp_path / "c.h5"
    prepared(MadeUp(broken=(1,), crashing=(2,)), out)
    with open_cohort(out) as cohort:
        assert len(cohort) == 10
        reasons = {entry.record_id: entry.reason for entry in cohort.quarantine}
    key = read_key(key_path(out))
    assert reasons[record_id(key, "record-1")] == (
        "EcgError: <path>: no leads; ask for <number> of <date>"
    )
    assert reasons[record_id(key, "record-2")].startswith("KeyError in read (made_up_source.py")


def test_nothing_usable_is_an_error_that_leaves_nothing_to_take_up(tmp_path):
    with pytest.raises(CohortError, match=r"not one of 2 records can be used; .* no leads"):
        prepared(MadeUp(records=2, broken=(0, 1)), tmp_path / "c.h5")
    with pytest.raises(CohortError, match=r"lists no record"):
        prepared(MadeUp(records=0), tmp_path / "c.h5")
    assert prepared(MadeUp(records=2), tmp_path / "c.h5", seed=9).records == 2


def test_a_record_listed_twice_is_kept_once(tmp_path):
    class Twice(MadeUp):
        def subjects(self):
            return [*super().subjects(), next(iter(super().subjects()))]

    report = prepared(Twice(records=4), tmp_path / "c.h5")
    assert report.records == 4
    assert list(report.quarantined) == ["the source lists this record twice; the first is kept"]


@pytest.mark.parametrize("limit_kb", [300, 900])
def test_full_disk_is_one_clear_error_and_the_old_file_stays(tmp_path, limit_kb, cohort_path):
    # A block takes some 700 kB, the whole cohort more: the limit strikes in a block or at the end.
    out = tmp_path / "c.h5"
    prepared(MadeUp(records=2), out)
    old = out.read_bytes()
    script = f"""
        from pathlib import Path
        from made_up_source import MADE_UP, MadeUp
        from cardionets_core.cohort.writer import prepare
        from cardionets_core.errors import CohortError
        try:
            prepare(MadeUp(), Path({str(out)!r}), seed=3, provenance=MADE_UP, block_records=2,
                    existing="overwrite")
        except CohortError as error:
            print("CohortError:", error)
    """

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_kb * 1000, limit_kb * 1000))

    done = run_in_subprocess(script, preexec_fn=limit)
    assert done.stdout.startswith("CohortError: cannot write"), done.stderr
    assert "the disk (or a quota) is full" in done.stdout
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
    assert out.read_bytes() == old
    report = prepared(MadeUp(), out, existing="overwrite")
    with open_cohort(cohort_path) as uninterrupted:
        assert report.content_hash == uninterrupted.content_hash


def test_too_little_space_is_seen_before_putting_together(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CohortError, match=r"0.0 GB are free, 0.0 GB are needed"):
        prepared(MadeUp(records=2), tmp_path / "c.h5")
    monkeypatch.undo()
    assert prepared(MadeUp(records=2), tmp_path / "c.h5").resumed == 2


def test_extending_adds_new_records_and_moves_nobody(tmp_path):
    out = tmp_path / "c.h5"
    prepared(MadeUp(records=6, broken=(5,)), out)
    with open_cohort(out) as before:
        old = [(s.record_id, s.role, s.split, s.subject_id) for s in before]
        old_ecg = before.ecg_int16(range(5))
        assert len(before.quarantine) == 1
    report = prepared(MadeUp(records=12), out, existing="extend")
    assert report.records == 12
    with open_cohort(out) as after:
        assert [(s.record_id, s.role, s.split, s.subject_id) for s in after][:5] == old
        np.testing.assert_array_equal(after.ecg_int16(range(5)), old_ecg)
        assert after.quarantine == ()
        assert len(after.provenance["history"]) == 1
        # The quarantined record of a known person went where the person is.
        retried = int(
            np.flatnonzero(after.record_ids == record_id(read_key(key_path(out)), "record-5"))[0]
        )
        assert after.splits[retried] == after.splits[4]
        assert sorted(s.attributes.get("height_cm", 0) for s in after)[-1] == 181.0
        fresh = prepared(MadeUp(records=12), tmp_path / "fresh.h5")
        with open_cohort(fresh.path) as anew:
            sides = dict(zip(anew.origins, anew.splits, strict=True))
            assert {o: sides[o] for o in after.origins} == dict(
                zip(after.origins, after.splits, strict=True)
            )


def test_extending_with_other_shares_or_a_wrong_key_is_refused(tmp_path):
    out = tmp_path / "c.h5"
    prepared(MadeUp(records=2), out)
    with pytest.raises(UsageError, match=r"nobody changes sides"):
        prepared(MadeUp(), out, existing="extend", roles=RoleConfig(folds=3))
    with pytest.raises(UsageError, match=r"dataset made-up, now other"):
        prepared(MadeUp(), out, existing="extend", provenance=replace(MADE_UP, dataset="other"))
    with pytest.raises(UsageError, match=r"simulated True, now False"):
        prepared(MadeUp(), out, existing="extend", provenance=REAL)
    with pytest.raises(CohortError, match=r"no cohort at"):
        prepared(MadeUp(), tmp_path / "other.h5", existing="extend")
    key_path(out).write_text("0" * 64)
    with pytest.raises(CohortError, match=r"is not the key that .* was prepared with"):
        prepared(MadeUp(), out, existing="extend")


def test_two_processes_do_not_prepare_the_same_cohort(tmp_path):
    folder = tmp_path / "c.h5.partial"
    folder.mkdir()
    with (
        files.only_one(folder, tmp_path / "c.h5"),
        pytest.raises(CohortError, match=r"another process is preparing"),
    ):
        prepared(MadeUp(), tmp_path / "c.h5")


def test_no_more_blocks_are_under_way_than_two_per_worker(tmp_path):
    class Counting(ThreadPoolExecutor):
        waiting = 0
        most = 0

        def submit(self, function, /, *arguments):
            Counting.waiting += 1
            Counting.most = max(Counting.most, Counting.waiting)
            future = super().submit(function, *arguments)
            future.add_done_callback(lambda _: setattr(Counting, "waiting", Counting.waiting - 1))
            return future

    with Counting(2) as executor:
        prepared(
            MadeUp(records=40, pause_s=0.002),
            tmp_path / "c.h5",
            block_records=2,
            executor=executor,
            workers=2,
        )
    assert Counting.most <= 4


def test_a_dead_worker_is_one_clear_error_and_what_is_done_is_kept(tmp_path):
    out = tmp_path / "c.h5"
    with pytest.raises(CohortError, match=r"a worker process died.*resume"):
        prepared(MadeUp(stop_at=11), out, workers=2, block_records=3)
    assert prepared(MadeUp(), out).records == 12


def test_a_dataset_that_cannot_be_sent_to_workers_is_named(tmp_path):
    dataset = MadeUp()
    dataset.open_file = (x for x in ())
    with pytest.raises(Exception, match=r"MadeUp cannot be sent to worker processes"):
        prepared(dataset, tmp_path / "c.h5", workers=2)


def test_merging_writes_no_cine_where_there_is_none(cohort_path):
    with h5py.File(cohort_path) as file:
        stored = file["cine/frames"].id.get_num_chunks()
        assert stored == int(file["cine/present"][:].sum()) == 4
    assert merge.DUPLICATE_FLAG == "duplicate-signal"
