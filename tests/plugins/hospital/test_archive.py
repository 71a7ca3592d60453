"""Which files are found, whatever they are called, and that nothing else is."""

from __future__ import annotations

import os
import pickle
import tracemalloc

import numpy as np
import pytest

from cardionets_core.ecg.leads import to_canonical
from cardionets_core.errors import ConfigError, EcgError


def files_of(dataset):
    return [ref.record_key for ref in dataset.subjects()]


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 - what was dumped here


def test_one_tracing_in_every_format_is_read_to_the_same_counts(made_up, source, opened):
    counts = made_up.counts_of()
    for kind in made_up.FORMATS:
        made_up.write_ecg(source / kind, "r1", kind, counts)
    dataset = opened(**made_up.TABLE_OPTIONS)
    read = {}
    for ref in dataset.subjects():
        subject = dataset.read(ref)
        read[subject.attributes["source_format"]] = to_canonical(subject.ecg)
        assert subject.ecg.sampling_rate_hz == subject.attributes["source_rate_hz"] == 500
    assert set(read) == set(made_up.FORMATS)
    wanted = np.array(list(counts.values()))
    for kind, record in read.items():
        found = np.rint(record.signal_mv / made_up.STEP_MV)
        np.testing.assert_array_equal(found, wanted, err_msg=kind)


def test_they_are_the_same_in_the_store_too(made_up, source, prepared):
    counts = made_up.counts_of()
    for kind in made_up.FORMATS:
        made_up.write_ecg(source / kind, "r1", kind, counts)
    with prepared(**made_up.TABLE_OPTIONS) as (cohort, report):
        assert (report.records, report.quarantined) == (len(made_up.FORMATS), {})
        signals = cohort.ecg_mv(np.arange(len(cohort)))
        # Identical signals are known as one, though each file counts as a person.
        assert len(set(cohort.fingerprints().tolist())) == 1
        assert {(subject.role, subject.split) for subject in cohort} == {
            (cohort[0].role, cohort[0].split)
        }
    wanted = np.array(list(counts.values()))
    for signal in signals:
        np.testing.assert_array_equal(np.rint(signal / made_up.STEP_MV), wanted)


def test_a_wfdb_record_in_several_files_counts_once_by_its_header(made_up, source, opened):
    rows = np.array(list(made_up.counts_of(seconds=1).values()))
    made_up.write_wfdb(source, "a", rows)
    header = made_up.write_wfdb(source, "b", rows)
    # The header of b names another file than its own name tells.
    header.write_text(header.read_text().replace("b.dat", "signals.dat"))
    (source / "b.dat").rename(source / "signals.dat")
    dataset = opened()
    assert files_of(dataset) == ["a.hea", "b.hea"]
    assert dataset.selection()[-1].excluded == {"a signal file, counted with its header": 2}
    for ref in dataset.subjects():
        assert dataset.read(ref).ecg.signal_mv.shape == (12, 500)


def test_a_signal_file_that_lost_its_header_is_reported_and_not_passed_over(
    made_up, source, opened
):
    made_up.write_wfdb(source, "a", np.array(list(made_up.counts_of(seconds=1).values())))
    (source / "a.hea").unlink()
    dataset = opened()
    (ref,) = dataset.subjects()
    with pytest.raises(EcgError, match="no readable WFDB header"):
        dataset.read(ref)


def test_pictures_reports_and_cines_are_no_ecgs_and_are_counted(made_up, source, opened):
    made_up.write_ecg(source, "r1", "aecg", made_up.counts_of(seconds=1))
    made_up.write_cine_folder(source / "cmr", made_up.cine_maker().phantom())
    (source / "cmr" / "1-000").rename(source / "cmr" / "1-000.dcm")
    (source / "report.pdf").write_bytes(b"%PDF-1.4")
    (source / "empty").touch()
    dataset = opened()
    assert files_of(dataset) == ["r1.bin"]
    first, last = dataset.selection()
    assert last.excluded == {
        "a DICOM file without an ECG": 10,
        "no ECG file of a known format": 2,
    }
    assert first.records == last.records + sum(last.excluded.values()) == 13


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_links_out_of_the_source_are_not_followed(made_up, source, opened, tmp_path):
    made_up.write_ecg(source, "r1", "aecg", made_up.counts_of(seconds=1))
    outside = made_up.write_ecg(tmp_path / "other", "r2", "aecg", made_up.counts_of(seconds=1))
    (source / "link.xml").symlink_to(outside)
    (source / "folder").symlink_to(outside.parent)
    dataset = opened()
    assert files_of(dataset) == ["r1.bin"]
    assert dataset.selection()[-1].excluded == {"a link that leads out of the source": 2}
    (ref,) = dataset.subjects()
    # What is swapped for a link after it was listed is refused too.
    (source / "r1.bin").unlink()
    (source / "r1.bin").symlink_to(outside)
    with pytest.raises(EcgError, match="a link that leads out of the source"):
        dataset.read(ref)


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
@pytest.mark.parametrize("linked", [".dat", ".hea"])
def test_a_wfdb_record_half_of_which_is_a_link_out_of_the_source_is_refused(
    made_up, source, opened, tmp_path, linked
):
    header = made_up.write_ecg(source, "r1", "wfdb", made_up.counts_of(seconds=1))
    # A signal file is only known by its content if it is one of MATLAB's.
    signals = header.with_suffix(".dat")
    if linked == ".hea":
        signals.write_bytes((30).to_bytes(4, "little") + bytes(16) + b"val\0" + bytes(24))
    inside = header.with_suffix(linked)
    inside.rename(tmp_path / inside.name)
    inside.symlink_to(tmp_path / inside.name)
    (ref,) = opened().subjects()
    with pytest.raises(EcgError, match="a link that leads out of the source"):
        opened().read(ref)


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_wfdb_record_behind_links_within_the_source_is_read(made_up, source, opened):
    header = made_up.write_ecg(source, "r1", "wfdb", made_up.counts_of(seconds=1))
    for path in (header, header.with_suffix(".dat")):
        # As version control of large files keeps them.
        path.rename(source / f"object-{path.suffix[1:]}")
        path.symlink_to(source / f"object-{path.suffix[1:]}")
    refs = [ref for ref in opened().subjects() if ref.record_key == "r1.hea"]
    assert opened().read(refs[0]).ecg.signal_mv.shape == (12, 500)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_place_of_signals_is_refused_and_not_waited_for(made_up, source, opened):
    header = made_up.write_ecg(source, "r1", "wfdb", made_up.counts_of(seconds=1))
    header.with_suffix(".dat").unlink()
    os.mkfifo(header.with_suffix(".dat"))
    (ref,) = opened().subjects()
    with pytest.raises(EcgError, match="needed the file itself"):
        opened().read(ref)


def test_a_file_larger_than_any_ecg_is_refused_before_it_is_read(made_up, source, opened):
    path = made_up.write_csv_ecg(source / "r1.csv")
    with path.open("ab") as file:
        file.truncate(1 << 30)
    dataset = opened(**made_up.TABLE_OPTIONS)
    (ref,) = dataset.subjects()
    tracemalloc.start()
    with pytest.raises(EcgError, match="1073741824 bytes; needed one resting ECG"):
        dataset.read(ref)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.skipif(os.name != "posix", reason="names are text elsewhere")
def test_file_names_in_gb18030_are_found_and_matched(made_up, source, opened, tmp_path):
    content = made_up.write_ecg(tmp_path, "r", "aecg", made_up.counts_of(seconds=1)).read_bytes()
    folder = source / os.fsdecode("\u5fc3\u7535\u56fe".encode("gb18030"))
    folder.mkdir()
    (folder / os.fsdecode("\u5f20\u4e09.xml".encode("gb18030"))).write_bytes(content)
    labels = made_up.write_labels(
        tmp_path / "labels.csv",
        "file,patient_id,label",
        "\u5fc3\u7535\u56fe\\\u5f20\u4e09.xml,1,\u623f\u98a4",
        encoding="gb18030",
    )
    dataset = opened(labels=labels)
    (ref,) = pickled(list(dataset.subjects()))
    assert ref.record_key == "\u5fc3\u7535\u56fe/\u5f20\u4e09.xml"
    assert dataset.read(ref).attributes["label"] == "\u623f\u98a4"


def test_units_and_rate_of_tables_hold_for_tables_alone(made_up, source, opened):
    made_up.write_csv_ecg(source / "r1.csv")
    made_up.write_ecg(source, "r2", "aecg", made_up.counts_of(seconds=1))
    dataset = opened(table_units="uV", table_rate_hz=250)
    of_table, of_xml = (dataset.read(ref).ecg for ref in dataset.subjects())
    assert (of_table.sampling_rate_hz, of_xml.sampling_rate_hz) == (250, 500)
    assert np.abs(of_table.signal_mv).max() < 0.01 < np.abs(of_xml.signal_mv).max()


def test_a_table_without_declared_unit_says_what_to_declare(made_up, source, opened):
    made_up.write_csv_ecg(source / "r1.csv")
    dataset = opened()
    (ref,) = dataset.subjects()
    with pytest.raises(EcgError, match="does not say its unit"):
        dataset.read(ref)


def test_a_folder_without_ecgs_and_no_folder_are_refused(source, opened):
    (source / "notes.txt").write_text("nothing")
    with pytest.raises(ConfigError, match="no ECG file of a known format"):
        list(opened().subjects())
    with pytest.raises(ConfigError, match="no such folder"):
        list(opened(source=source / "elsewhere").subjects())


def test_the_order_is_the_same_every_time_and_in_every_copy(made_up, source, opened):
    for name in ("b/2", "a/3", "b/1", "c"):
        made_up.write_csv_ecg(source / f"{name}.csv")
    dataset = opened()
    assert files_of(dataset) == files_of(dataset) == files_of(opened())
    assert files_of(dataset) == ["a/3.csv", "b/1.csv", "b/2.csv", "c.csv"]
    assert files_of(pickled(dataset)) == files_of(dataset)


def test_listing_takes_no_more_memory_for_more_files(made_up, source, opened, tmp_path):
    def peak_bytes(first, last):
        for number in range(first, last):
            (source / f"{number % 40}").mkdir(exist_ok=True)
            (source / f"{number % 40}" / f"{number}.csv").touch()
        lines = (f"{number}.csv,P{number},{number % 2}" for number in range(last))
        labels = made_up.write_labels(tmp_path / "labels.csv", "file,patient_id,label", *lines)
        tracemalloc.start()
        assert sum(1 for _ in opened(labels=labels).subjects()) == last
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    few = peak_bytes(0, 150)
    assert peak_bytes(150, 1500) < few + (1 << 19)


def test_without_labels_every_file_is_a_person_and_the_user_is_warned(
    made_up, source, opened, caplog
):
    for name in ("r1", "r2"):
        made_up.write_csv_ecg(source / f"{name}.csv")
    refs = list(opened().subjects())
    assert len({ref.subject_key for ref in refs}) == 2
    assert "every file counts as a person of its own" in caplog.text
