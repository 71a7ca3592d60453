"""A release becomes a cohort: signals, labels, splits, quality, and what is left out."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest

import cardionets_core as cn
from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.cohort.targets import task_targets
from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.registry import default_registry

FIRST_SUBJECT, FIRST_STUDY = 10000032, 40689238


def prepared(tree, out, *, labels=None, workers=1, **options):
    component = default_registry().find("dataset", "mimic")
    options = {"source": tree.root, "labels": labels or tree.write(), **options}
    report = prepare_dataset(PrepareRequest(component, out, options, workers=workers))
    return report, cn.open_cohort(out)


def signal_mv(counts):
    return np.stack([counts[name] / 200 for name in CANONICAL_LEADS]).astype(np.float32)


def test_stored_signals_of_real_ecgs_equal_the_original(tree, tmp_path, real_counts):
    for number, counts in enumerate(real_counts):
        tree.add(FIRST_SUBJECT + number, FIRST_STUDY + number, counts)
    report, cohort = prepared(tree, tmp_path / "c.h5")
    with cohort:
        assert report.records == len(cohort) == len(real_counts)
        for row, counts in enumerate(real_counts):
            ecg = cohort[row].ecg
            assert ecg.leads == CANONICAL_LEADS
            np.testing.assert_array_equal(ecg.signal_mv, signal_mv(counts))


DIAGNOSES = {
    "['I2510', 'E785']": {"cad"},
    "['I20', 'I428', 'I110']": {"cad", "cm"},
    "['I43']": {"cm"},
    "['I5022 ', 'I5X']": {"hf"},
    "['I27.20']": {"ph"},
    "['I421X']": {"cm"},
    # Beside the sets, whose borders are I20, I25, I42, I43, I50 and I27.
    "['I10', 'I19', 'I26', 'I41', 'I44', 'I28', 'I51', 'I49', 'E785']": set(),
    "['R079']": set(),
    "[]": None,
    "": None,
}


def test_the_four_diseases_come_out_right_and_unlinked_ecgs_are_nobodys_control(tree, tmp_path):
    for number, codes in enumerate(DIAGNOSES):
        tree.add(FIRST_SUBJECT + number, FIRST_STUDY + number, label={"all_diag_all": codes})
    tree.add(FIRST_SUBJECT + 99, FIRST_STUDY + 99)
    # This one is not in the labels at all.
    tree.labels.pop()
    expected = [*DIAGNOSES.values(), None]
    _, cohort = prepared(tree, tmp_path / "c.h5")
    with cohort:
        for name in ("cad", "cm", "hf", "ph"):
            targets = task_targets(default_registry().task(name).spec, cohort)
            wanted = [np.nan if sick is None else float(name in sick) for sick in expected]
            np.testing.assert_array_equal(targets.values[:, 0], wanted, err_msg=name)
        assert cohort.diagnoses_known.tolist() == [sick is not None for sick in expected]


def test_quality_flags_tell_gaps_dead_leads_and_absurd_amplitudes_and_drop_nothing(
    tree, tmp_path, mimic
):
    traps = ["clean", "gap", "zero", "huge", "short", "slow"]
    for number, trap in enumerate(traps):
        samples = {"short": 4000, "slow": 2500}.get(trap, 5000)
        counts = mimic.made_up_counts(number, samples)
        if trap == "gap":
            counts["V2"][1000:1500] = -32768
        elif trap == "zero":
            counts["V4"][:] = 0
        elif trap == "huge":
            counts["V5"][2000] = 32767
        rate_hz = 250 if trap == "slow" else 500
        tree.add(FIRST_SUBJECT + number, FIRST_STUDY + number, counts, rate_hz=rate_hz)
    report, cohort = prepared(tree, tmp_path / "c.h5")
    with cohort:
        assert report.quarantined == {}
        flags = {trap: set(cohort.quality_flags(row)) for row, trap in enumerate(traps)}
        assert flags == {
            "clean": set(), "gap": {"missing-run"}, "zero": {"flat-lead"},
            "huge": {"implausible-amplitude"}, "slow": {"resampled"},
            "short": {"padded", "wrong-length", "missing-run"},
        }  # fmt: skip
        assert "V2 1 s" in cohort.quality_details(1)
        assert np.isnan(cohort[1].ecg.signal_mv).sum() == 500
        assert "V4" in cohort.quality_details(2)
        assert "V5 164 mV" in cohort.quality_details(3)


def test_published_folds_are_the_splits_of_the_cohort(tree, tmp_path):
    folds = [0, 17, 18, 19, 5, 6]
    for number, fold in enumerate(folds):
        for visit in range(2):
            study = FIRST_STUDY + 10 * number + visit
            tree.add(FIRST_SUBJECT + number, study, label={"strat_fold": fold})
    # The last person stands in two folds.
    tree.labels[-1]["strat_fold"] = 19
    report, cohort = prepared(tree, tmp_path / "c.h5", splits="strat-fold")
    with cohort:
        wanted = ["train", "train", "val", "test", "train"]
        assert cohort.splits.tolist() == [split for split in wanted for _ in range(2)]
        assert set(cohort.roles[6:8]) == {"downstream"}
        (reason,) = report.quarantined
        assert (report.quarantined[reason], "more than one strat_fold" in reason) == (2, True)


def test_no_person_is_in_two_splits(tree, tmp_path, mimic):
    for number in range(60):
        counts = mimic.made_up_counts(number, samples=1000)
        tree.add(FIRST_SUBJECT + number // 4, FIRST_STUDY + number, counts)
    _, cohort = prepared(tree, tmp_path / "c.h5")
    with cohort:
        places = set(zip(cohort.subject_ids, cohort.roles, cohort.splits, strict=True))
        assert len(places) == 15
        assert len({split for _, _, split in places}) > 1


def test_bad_records_are_quarantined_with_a_reason_and_the_others_go_on(tree, tmp_path):
    for number in range(6):
        tree.add(FIRST_SUBJECT + number, FIRST_STUDY + number)
    headers = sorted(tree.root.rglob("*.hea"))
    headers[0].unlink()
    headers[1].write_text("nonsense\n")
    headers[2].with_suffix(".dat").write_bytes(b"")
    tree.records[3]["path"] = "../outside"
    tree.records.append(tree.records[5])
    report, cohort = prepared(tree, tmp_path / "c.h5")
    with cohort:
        assert len(cohort) == 2
        reasons = " | ".join(report.quarantined)
        told = ("header (.hea) is missing", "no record line", "is truncated")
        for reason in (*told, "leads out of the source", "lists this record twice"):
            assert reason in reasons
        assert len(report.quarantined) == 5


def test_two_runs_store_the_same_bytes_whatever_the_workers(tree, tmp_path):
    for number in range(5):
        tree.add(FIRST_SUBJECT + number // 2, FIRST_STUDY + number)
    labels = tree.write()
    one, first = prepared(tree, tmp_path / "one.h5", labels=labels)
    shutil.copy(tmp_path / "one.h5.key", tmp_path / "two.h5.key")
    two, second = prepared(tree, tmp_path / "two.h5", labels=labels, workers=2)
    with first, second:
        assert one.content_hash == two.content_hash
        assert first.record_ids.tolist() == second.record_ids.tolist()


def test_no_id_date_name_or_path_reaches_the_store_the_report_or_the_output(
    tree, tmp_path, caplog, capfd
):
    told = {"report_1": "Compared with ECG of 2180-07-01, Mrs Quxley", "cart_id": 77665544}
    for number in range(4):
        label = {"dod": "2183-03-03", "ed_stay_id": 33258284.0}
        tree.add(FIRST_SUBJECT + number, FIRST_STUDY + number, measured=told, label=label)
    headers = sorted(tree.root.rglob("*.hea"))
    headers[0].unlink()
    headers[1].write_text(headers[1].read_text().replace("V1", "Quxley V1 2180-07-01"))
    out = tmp_path / "c.h5"
    report, cohort = prepared(tree, out)
    with cohort:
        cohort_bytes = out.read_bytes()
        assert report.quarantined
        shown = repr(report) + repr(cohort.quarantine) + caplog.text + "".join(capfd.readouterr())
        shown += json.dumps([repr(cohort[row].attributes) for row in range(len(cohort))])
    planted = [str(tree.root), "Quxley", "77665544", "33258284", "22595853", "files/p1000"]
    planted += [str(FIRST_SUBJECT + n) for n in range(4)]
    planted += [str(FIRST_STUDY + n) for n in range(4)]
    for text in planted:
        assert text not in shown
        assert text.encode() not in cohort_bytes
    assert not re.search(rb"21[0-9]{2}-[0-9]{2}-[0-9]{2}|22/09/2182", cohort_bytes)


@pytest.mark.parametrize("option", ["--dry-run", "--labels"])
def test_the_command_reads_a_release(tree, tmp_path, option):
    from typer.testing import CliRunner

    from cardionets_cli.main import app
    from cardionets_cli.prepare import add_commands

    tree.add(FIRST_SUBJECT, FIRST_STUDY)
    labels = str(tree.write())
    out = tmp_path / "c.h5"
    arguments = ["mimic", "--source", str(tree.root), "--out", str(out), "--workers", "1"]
    arguments += [option] if option == "--dry-run" else [option, labels]
    add_commands(arguments)
    done = CliRunner().invoke(app, ["prepare", *arguments])
    assert done.exit_code == 0, done.output
    assert "1 records" in done.output
    assert out.exists() == (option == "--labels")
