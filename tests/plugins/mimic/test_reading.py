"""What is read of one ECG: its signal, and why it is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.ecg.leads import to_canonical
from cardionets_core.errors import CardionetsError, EcgError, SourceError

SUBJECT, STUDY = 10000032, 40689238


def only(dataset):
    (ref,) = dataset.subjects()
    return dataset.read(ref)


def in_mv(counts):
    return np.stack([counts[name] / 200 for name in CANONICAL_LEADS]).astype(np.float32)


def test_real_ecgs_in_mimics_layout_come_back_exactly_and_by_name(tree, opened, real_counts):
    for number, counts in enumerate(real_counts):
        tree.add(SUBJECT + number, STUDY + number, counts)
    dataset = opened()
    for ref, counts in zip(dataset.subjects(), real_counts, strict=True):
        ecg = dataset.read(ref).ecg
        assert ecg.leads[4:6] == ("aVF", "aVL")
        assert ecg.sampling_rate_hz == 500
        np.testing.assert_array_equal(ecg.lsb_mv, 1 / 200)
        np.testing.assert_array_equal(to_canonical(ecg).signal_mv, in_mv(counts))


def test_leads_go_by_name_in_any_order(tree, opened, mimic):
    counts = mimic.made_up_counts()
    for number, order in enumerate((mimic.LEADS, mimic.LEADS[::-1], CANONICAL_LEADS)):
        tree.add(SUBJECT, STUDY + number, counts, order=order)
    dataset = opened()
    for ref in dataset.subjects():
        canonical = to_canonical(dataset.read(ref).ecg)
        np.testing.assert_array_equal(canonical.signal_mv, in_mv(counts))


def test_the_mark_of_a_missing_sample_is_nan(tree, opened, mimic):
    counts = mimic.made_up_counts()
    counts["V3"][100:160] = -32768
    tree.add(SUBJECT, STUDY, counts)
    ecg = only(opened()).ecg
    missing = np.isnan(ecg.signal_mv)
    assert missing.sum() == 60
    assert missing[ecg.leads.index("V3"), 100:160].all()


def test_tables_give_sex_age_diagnoses_without_date_and_columns(tree, opened):
    tree.add(SUBJECT, STUDY, label={"all_diag_all": "['I2510', 'I50.9 ']", "gender": "M"})
    subject = only(opened())
    assert (subject.sex, subject.age_years, subject.diagnoses_known) == ("male", 52.0, True)
    assert [(d.icd10, d.days_from_visit) for d in subject.diagnoses] == [
        ("I2510", None), ("I509", None),
    ]  # fmt: skip
    assert subject.attributes == {
        "age_above_89": 0.0, "ecg_no_within_stay": 0.0, "ecg_taken_in_ed": 1.0,
        "ecg_taken_in_hosp": 0.0, "strat_fold": 7.0, "machine_statements": 2.0,
        "machine_doubts_quality": 0.0, "machine_rr_interval_ms": 800.0,
        "machine_p_onset_ms": 40.0, "machine_p_end_ms": 152.0, "machine_qrs_onset_ms": 210.0,
        "machine_qrs_end_ms": 304.0, "machine_t_end_ms": 592.0, "machine_p_axis_deg": 51.0,
        "machine_qrs_axis_deg": 5.0, "machine_t_axis_deg": 23.0,
    }  # fmt: skip


def test_sentinels_of_the_machine_are_no_measurements(tree, opened):
    sentinels = {
        "rr_interval": 65535, "p_onset": 29999, "p_axis": 32767, "t_axis": -32768, "p_end": "",
        "qrs_axis": "-32767", "report_0": "", "report_1": "  ",
        "report_7": "--- Warning: Data quality may affect interpretation ---",
        "ecg_time": "2180-07-23 09:00:00",
    }  # fmt: skip
    tree.add(SUBJECT, STUDY, measured=sentinels)
    told = only(opened()).attributes
    measured = {n.removeprefix("machine_") for n in told if n.startswith("machine_")}
    assert measured == {
        "statements", "doubts_quality", "qrs_onset_ms", "qrs_end_ms", "t_end_ms",
    }  # fmt: skip
    # "Normal ECG" and the warning, over the blanks before and between them.
    assert (told["machine_statements"], told["machine_doubts_quality"]) == (2.0, 1.0)


@pytest.mark.parametrize(
    ("label", "sex", "age_years", "above"),
    [
        ({"gender": "missing", "age": ""}, None, None, None),
        ({"gender": "F", "age": "93.0"}, "female", 93.0, 1.0),
        ({"gender": "M", "age": 89}, "male", 89.0, 0.0),
        ({"gender": "?", "age": -1}, None, None, None),
    ],
)
def test_sex_and_age_are_unknown_where_missing_and_artificial_ages_are_marked(
    tree, opened, label, sex, age_years, above
):
    tree.add(SUBJECT, STUDY, label=label)
    subject = only(opened())
    assert (subject.sex, subject.age_years) == (sex, age_years)
    assert subject.attributes.get("age_above_89") == above


@pytest.mark.parametrize(
    "column",
    ["ed_diag_ed", "ed_diag_hosp", "hosp_diag_hosp", "all_diag_hosp", "all_diag_all"],
)
def test_codes_come_from_the_column_that_is_asked_for(tree, opened, column):
    lists = {name: "['Z00']" for name in tree._label({}, "") if "_diag_" in name}
    tree.add(SUBJECT, STUDY, label=lists | {column: "['I420']"})
    assert [d.icd10 for d in only(opened(diagnoses=column)).diagnoses] == ["I420"]


def test_without_a_linked_stay_nothing_is_known_and_nothing_is_ruled_out(tree, opened):
    tree.add(SUBJECT, STUDY, label={"all_diag_all": "[]", "ecg_no_within_stay": -1})
    subject = only(opened())
    assert (subject.diagnoses, subject.diagnoses_known) == ((), False)
    assert subject.attributes["ecg_no_within_stay"] == -1
    assert not only(opened(labels=None)).diagnoses_known


def test_labels_are_found_by_the_last_part_of_their_file_name_too(tree, opened):
    tree.add(SUBJECT, STUDY, label={"all_diag_all": "['I420']"})
    dataset = opened()
    text = dataset.config.labels.read_text().replace("study_id", "other_id", 1)
    dataset.config.labels.write_text(text)
    assert [d.icd10 for d in only(dataset).diagnoses] == ["I420"]


def missing_header(header):
    header.unlink()


def missing_signals(header):
    header.with_suffix(".dat").unlink()


def empty_header(header):
    header.write_text("")


def no_text(header):
    header.write_bytes(bytes(range(256)) * 4)


def huge_header(header):
    header.write_text(header.read_text() + "# x\n" * 20_000)


def cut_header(header):
    header.write_text(header.read_text()[:200])


def cut_signals(header):
    signals = header.with_suffix(".dat")
    signals.write_bytes(signals.read_bytes()[:-1000])


def other_signals(header):
    signals = header.with_suffix(".dat")
    signals.write_bytes(signals.read_bytes()[:-2] + b"\x11\x11")


def another_file(header):
    header.write_text(header.read_text().replace(f"{STUDY}.dat", "other.dat"))
    header.with_suffix(".dat").rename(header.with_name("other.dat"))


def another_person(header):
    header.write_text(header.read_text().replace(f": {SUBJECT}", ": 19999999"))


def a_linked_header(header):
    away = header.parents[5] / "away.hea"
    header.rename(away)
    header.symlink_to(away)


def linked_signals(header):
    away = header.parents[5] / "away.dat"
    header.with_suffix(".dat").rename(away)
    header.with_suffix(".dat").symlink_to(away)


DAMAGE = {
    missing_header: "header .* is missing",
    missing_signals: "signal file .* is missing",
    empty_header: "no record line",
    no_text: "another signal file|no record line|cannot be understood",
    huge_header: "more than 65536 bytes",
    cut_header: "cut off|cannot be understood|no record line",
    cut_signals: "truncated",
    other_signals: "checksums",
    another_file: "another signal file",
    another_person: "another person",
    a_linked_header: "leads out of the source",
    linked_signals: "leads out of the source",
}


@pytest.mark.parametrize(("harm", "told"), DAMAGE.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_damaged_missing_and_foreign_files_are_refused_in_one_line(tree, opened, harm, told):
    tree.add(SUBJECT, STUDY)
    harm(next(tree.root.rglob("*.hea")))
    with pytest.raises((SourceError, EcgError), match=told) as refused:
        only(opened())
    message = str(refused.value)
    assert "\n" not in message
    assert not any(word in message for word in (str(SUBJECT), str(STUDY), str(tree.root), "files/"))


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("../../../etc/passwd", "leads out of the source"),
        ("/etc/passwd", "leads out of the source"),
        ("files\\..\\..\\x", "leads out of the source"),
        ("files/p1/\0", "leads out of the source"),
        ("", "no path in record_list.csv"),
        ("files", "missing"),
    ],
)
def test_paths_of_the_record_list_stay_below_the_source(tree, opened, path, told):
    tree.add(SUBJECT, STUDY)
    dataset = opened()
    (ref,) = dataset.subjects()
    listed = ref.location._replace(path=path)
    tree.records[0]["path"] = path
    if "\0" not in path:
        (ref,) = opened().subjects()
        listed = ref.location
    from dataclasses import replace

    with pytest.raises(SourceError, match=told):
        dataset.read(replace(ref, location=listed))


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"label": {"subject_id": 19999999}}, "another person than the record list"),
        ({"label": {"all_diag_all": "['I10'"}}, "no list of codes"),
        ({"listed": {"study_id": "s40689238"}}, "study_id .* no whole number"),
        ({"listed": {"subject_id": "p10000032"}}, "subject_id .* no whole number"),
    ],
)
def test_rows_that_contradict_or_cannot_be_read_spoil_their_record_alone(tree, opened, cells, told):
    tree.add(SUBJECT + 1, STUDY + 1)
    tree.add(SUBJECT, STUDY, **cells)
    dataset = opened()
    good, bad = dataset.subjects()
    assert dataset.read(good).ecg is not None
    with pytest.raises(SourceError, match=told):
        dataset.read(bad)


def test_a_record_that_the_labels_have_twice_is_refused_unless_both_rows_agree(tree, opened):
    tree.add(SUBJECT, STUDY, label={"all_diag_all": "['I420']"})
    tree.labels.append(tree.labels[0])
    assert [d.icd10 for d in only(opened()).diagnoses] == ["I420"]
    tree.labels.append(tree.labels[0] | {"all_diag_all": "[]"})
    with pytest.raises(SourceError, match="twice"):
        only(opened())


def test_what_a_worker_needs_is_small_and_the_dataset_pickles_without_its_database(tree, opened):
    codes = [f"'I{i:03}.{i % 10}'" for i in range(100, 400)]
    tree.add(SUBJECT, STUDY, label={"all_diag_all": f"[{', '.join(codes)}]"})
    dataset = opened()
    (ref,) = dataset.subjects()
    assert len(pickle.dumps(ref)) < 10_000
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - our own
    read = copy.read(pickle.loads(pickle.dumps(ref)))  # noqa: S301 - our own
    assert len(read.diagnoses) == 300
    assert len(pickle.dumps(dataset)) < 2_000


def mutated(content, rng):
    """A file with a few bytes changed, taken out, put in or moved."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        start, stop = sorted(rng.integers(0, len(content) + 1, 2).tolist())
        stop = min(stop, start + int(rng.integers(1, 12)))
        kind = rng.integers(5)
        new = bytes(rng.integers(0, 256, stop - start, dtype=np.uint8))
        if kind == 0:
            del content[start:stop]
        elif kind == 1:
            content[start:start] = new
        elif kind == 2:
            content[start:stop] = new
        elif kind == 3:
            content[start:stop] = rng.choice([b" ", b"0", b"9", b"-", b"/", b"\n", b"#", b"("])
        else:
            del content[start:]
    return bytes(content)


def test_a_thousand_mutations_of_a_record_are_read_whole_or_refused(tree, opened, mimic):
    counts = mimic.made_up_counts()
    tree.add(SUBJECT, STUDY, counts)
    dataset = opened()
    (ref,) = dataset.subjects()
    header = next(tree.root.rglob("*.hea"))
    files = [header, header.with_suffix(".dat")]
    originals = [path.read_bytes() for path in files]
    expected = in_mv(counts)
    rng = np.random.default_rng(0)
    read = 0
    for turn in range(1000):
        which = turn % 2
        files[which].write_bytes(mutated(originals[which], rng))
        try:
            ecg = dataset.read(ref).ecg
        except CardionetsError as refused:
            assert "\n" not in str(refused)  # noqa: PT017 - what is refused is told in one line
        else:
            read += 1
            assert ecg.signal_mv.shape[0] == len(ecg.leads)
            # What is wrong with the samples shows in the checksums.
            if which:
                np.testing.assert_array_equal(to_canonical(ecg).signal_mv, expected)
        files[which].write_bytes(originals[which])
    assert 0 < read < 1000
