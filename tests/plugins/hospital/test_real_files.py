"""Every real file at hand, as one mixed archive through the public API."""

from __future__ import annotations

import shutil
from collections import Counter

import numpy as np
import pytest

import cardionets_core as cn
from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.ecg.leads import to_canonical
from cardionets_core.ecg.resampling import canonicalise
from cardionets_core.reading import read_ecg
from cardionets_core.registry import default_registry

# HL7's example patient, in three formats.
EXAMPLE = (
    "ecg_vendor/hl7_aecg/fda_aecg-python_subject1_0.xml",
    "ecg_dicom/ecgtoolkit_Example.dcm",
    "ecg_vendor/scp_ecg/ecgtoolkit_Example.scp",
)
FORMATS = {
    "wfdb": 30, "dicom-ecg": 2, "aecg": 2, "muse-xml": 2, "philips-xml": 2, "scp-ecg": 1,
    "cardiosoft-xml": 1,
}  # fmt: skip


@pytest.fixture
def mixed(sample_data, source):
    """All real files in the folders that they came in, beside what else an archive holds."""
    shutil.copytree(sample_data, source, dirs_exist_ok=True)
    return source


@pytest.fixture(scope="module")
def out(sample_data, tmp_path_factory):
    """The cohort of all of them."""
    source, out = (tmp_path_factory.mktemp(name) for name in ("archive", "out"))
    shutil.copytree(sample_data, source, dirs_exist_ok=True)
    request = PrepareRequest(
        component=default_registry().find("dataset", "hospital"),
        out=out / "cohort.h5",
        options={"source": source},
        workers=1,
    )
    report = prepare_dataset(request)
    assert (report.records, report.quarantined) == (40, {})
    return report.path


@pytest.fixture
def cohort(out):
    with cn.open_cohort(out) as cohort:
        yield cohort


def test_every_real_file_becomes_a_record_and_none_is_quarantined(cohort):
    assert Counter(subject.attributes["source_format"] for subject in cohort) == FORMATS
    assert all(subject.ecg.signal_mv.shape == (12, 5000) for subject in cohort)


def test_what_is_stored_is_what_was_recorded(cohort, out, sample_data, by_file):
    """To one step of the source; at 500 Hz exactly, elsewhere as resampled."""
    files = [
        str(path.relative_to(sample_data))
        for path in sorted(sample_data.rglob("*"))
        if path.is_file()
    ]
    found = by_file(cohort, out, files)
    assert len(found) == 40
    exact = 0
    for file, subject in found.items():
        record = read_ecg(sample_data / file)
        whole = canonicalise(record)
        step_mv = np.nan_to_num(whole.lsb_mv)
        room_mv = np.where(step_mv > 0, step_mv / 2, 1e-3)[:, None]
        stored = subject.ecg.signal_mv
        assert np.array_equal(np.isnan(stored), np.isnan(whole.signal_mv)), file
        assert (np.abs(np.nan_to_num(stored - whole.signal_mv)) <= room_mv).all(), file
        if record.sampling_rate_hz == 500 and record.signal_mv.shape[1] >= 5000:
            np.testing.assert_allclose(
                stored, to_canonical(record).signal_mv[:, :5000], atol=1e-4, err_msg=file
            )
            exact += 1
    assert exact >= 35


def test_one_tracing_in_three_formats_is_one_in_the_store_to_the_count(cohort, out, by_file):
    found = by_file(cohort, out, list(EXAMPLE))
    first, *others = (found[file] for file in EXAMPLE)
    counts = np.rint(first.ecg.signal_mv / 0.0025)
    assert np.abs(counts - first.ecg.signal_mv / 0.0025).max() < 0.01
    for other in others:
        np.testing.assert_array_equal(np.rint(other.ecg.signal_mv / 0.0025), counts)
        # One tracing under several persons: none may be trained on and tested with.
        assert (other.role, other.split) == (first.role, first.split)


def test_labels_of_a_chinese_export_reach_the_real_files(
    made_up, mixed, prepared, by_file, tmp_path
):
    lines = (
        "FILE,Patient_ID,label,\u79d1\u5ba4,sex,icd10",
        "ecg_wfdb\\JS20000.hea,\u60a3\u8005\u4e00,\u623f\u98a4,\u5fc3\u5185\u79d1,\u7537,I48.900x003",
        "JS20001.mat,\u60a3\u8005\u4e00,\u623f\u98a4,\u5fc3\u5185\u79d1,\u7537,I48.9",
        "guangxi_teaching_sinus_rhythm.xml,\u60a3\u8005\u4e8c,\u7aa6\u6027\u5fc3\u5f8b,,\u5973,-",
    )
    labels = made_up.write_labels(tmp_path / "labels.csv", *lines, encoding="gb18030")
    with prepared(labels=labels) as (cohort, report):
        assert (report.records, report.subjects) == (3, 2)
        files = [
            "ecg_wfdb/JS20000.hea",
            "ecg_vendor/ge_muse_xml/guangxi_teaching_sinus_rhythm.xml",
        ]
        one, two = by_file(cohort, report.path, files).values()
        assert one.attributes["label"] == "\u623f\u98a4"
        assert (one.sex, [each.icd10 for each in one.diagnoses]) == ("male", ["I48900"])
        assert (two.sex, two.diagnoses) == ("female", ())


@pytest.mark.slow
def test_two_runs_are_equal_whatever_the_workers(mixed, tmp_path, source):
    key, reports = None, []
    for name, workers in (("one", 1), ("two", 2)):
        out = tmp_path / name / "cohort.h5"
        out.parent.mkdir()
        if key is not None:
            shutil.copy(key, out.parent)
        request = PrepareRequest(
            component=default_registry().find("dataset", "hospital"),
            out=out,
            options={"source": source},
            workers=workers,
        )
        reports.append(prepare_dataset(request))
        key = out.with_name("cohort.h5.key")
    assert reports[0].content_hash == reports[1].content_hash
