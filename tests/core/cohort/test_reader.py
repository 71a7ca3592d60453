from __future__ import annotations

import pickle
import shutil
from multiprocessing import get_context

import h5py
import numpy as np
import pytest
from made_up_source import LSB_MV, MADE_UP, MadeUp, made_up_cine, made_up_counts, made_up_subject

from cardionets_core.cohort import layout
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.writer import prepare
from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.ecg.resampling import canonicalise
from cardionets_core.errors import CohortError, UsageError
from cardionets_core.interfaces import Diagnosis, Subject, SubjectRef


class One:
    """A dataset of one subject."""

    def __init__(self, subject, origin=""):
        self.subject, self.origin = subject, origin

    def subjects(self):
        return [SubjectRef("anna", "ecg-1", origin=self.origin)]

    def read(self, ref):
        return self.subject


def stored(tmp_path, **subject):
    """What a cohort gives back for one subject."""
    out = tmp_path / "one.h5"
    given = Subject("anna", "ecg-1", **{"ecg": None, **subject})
    prepare(One(given), out, seed=0, provenance=MADE_UP, existing="overwrite")
    with open_cohort(out) as cohort:
        return cohort[0]


def test_a_500_hz_source_with_a_known_step_comes_back_bit_for_bit(cohort):
    for row in range(len(cohort)):
        record = cohort[row].ecg
        np.testing.assert_array_equal(cohort.ecg_int16([row])[0], made_up_counts(row))
        np.testing.assert_array_equal(record.signal_mv, made_up_subject(row, row).ecg.signal_mv)
        assert record.leads == CANONICAL_LEADS
        assert record.sampling_rate_hz == 500.0
        np.testing.assert_array_equal(record.lsb_mv, np.full(12, LSB_MV))


def test_everything_of_a_subject_comes_back(cohort):
    for row in range(len(cohort)):
        given, subject = made_up_subject(row, row), cohort[row]
        for name in ("phenotypes", "sex", "age_years", "attributes"):
            assert getattr(subject, name) == getattr(given, name), name
        assert subject.diagnoses == tuple(
            Diagnosis(d.icd10.replace(".", ""), d.days_from_visit) for d in given.diagnoses
        )
        if given.cine is None:
            assert subject.cine is None
        else:
            np.testing.assert_array_equal(subject.cine, given.cine)


def test_without_a_step_the_error_is_below_half_of_max_abs_over_32767(tmp_path):
    signal_mv = np.random.default_rng(0).normal(0, 1, (12, 5000)).astype(np.float32)
    back = stored(tmp_path, ecg=EcgRecord(signal_mv, CANONICAL_LEADS, 500.0)).ecg.signal_mv
    limit_mv = 0.5 * np.abs(signal_mv).max(axis=1, keepdims=True) / 32767
    assert (np.abs(back - signal_mv) <= limit_mv * 1.01).all()


def test_a_step_too_fine_for_16_bits_or_not_the_signals_own_is_not_used(tmp_path):
    signal_mv = (made_up_counts(1) * LSB_MV).astype(np.float32)
    for lsb_mv in (1e-6, 0.0043):
        record = EcgRecord(signal_mv, CANONICAL_LEADS, 500.0, lsb_mv=np.full(12, lsb_mv))
        back = stored(tmp_path, ecg=record).ecg
        np.testing.assert_allclose(back.signal_mv, signal_mv, atol=1e-4)
        assert not (back.lsb_mv == lsb_mv).any()


def test_missing_samples_and_leads_are_nan_and_derived_leads_are_named(tmp_path):
    signal_mv = (made_up_counts(1) * LSB_MV).astype(np.float32)[[1, 0, 6]]
    signal_mv[2, 100:200] = np.nan
    record = EcgRecord(signal_mv, ("II", "I", "V1"), 500.0, lsb_mv=np.full(3, LSB_MV))
    back = stored(tmp_path, ecg=record).ecg
    np.testing.assert_array_equal(back.signal_mv[0], signal_mv[1])
    np.testing.assert_array_equal(np.isnan(back.signal_mv[6]), np.isnan(signal_mv[2]))
    assert np.isnan(back.signal_mv[7:]).all()
    assert back.derived_leads == ("III", "aVR", "aVL", "aVF")
    again = canonicalise(back)
    np.testing.assert_array_equal(again.lead_mask, [True] * 7 + [False] * 5)
    assert again.derived == back.derived_leads


def test_a_flat_lead_and_an_ecg_only_or_cine_only_subject_can_be_stored(tmp_path):
    signal_mv = np.zeros((12, 5000), np.float32)
    flat = stored(tmp_path, ecg=EcgRecord(signal_mv, CANONICAL_LEADS, 500.0))
    np.testing.assert_array_equal(flat.ecg.signal_mv, signal_mv)
    cine_only = stored(tmp_path, cine=made_up_cine(0))
    assert cine_only.ecg is None
    np.testing.assert_array_equal(cine_only.cine, made_up_cine(0))


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ({}, "found neither an ECG nor a cine"),
        ({"cine": np.zeros((25, 64, 64), np.uint8)}, r"shape \(25, 64, 64\)"),
        ({"cine": np.zeros((50, 96, 96), np.float32)}, "type float32"),
        ({"cine": made_up_cine(0), "phenotypes": {31: 1.0}}, "a phenotype of field 31"),
        ({"cine": made_up_cine(0), "diagnoses": (Diagnosis("?", 1),)}, "no ICD-10 code"),
        ({"cine": made_up_cine(0), "attributes": {"a/b": 1.0}}, "cannot name a column"),
        ({"cine": made_up_cine(0), "attributes": {"mrn": "anna"}}, "holds the source's own id"),
    ],
)
def test_what_cannot_be_stored_is_said(tmp_path, subject, reason):
    with pytest.raises(CohortError, match=reason):
        stored(tmp_path, **subject)


def test_bulk_rows_come_in_the_order_asked_and_equal_single_ones(cohort):
    rows = np.array([7, 0, -1, 7])
    signals = cohort.ecg_mv(rows)
    assert signals.shape == (4, 12, 5000)
    assert signals.dtype == np.float32
    for place, row in enumerate(rows):
        np.testing.assert_array_equal(signals[place], cohort[row].ecg.signal_mv)
    np.testing.assert_array_equal(cohort.cines([9, 3])[1], cohort[3].cine)
    assert cohort.fingerprints(rows).shape == (4,)
    assert cohort.ecg_mv([]).shape == (0, 12, 5000)


def test_rows_that_are_not_there_are_refused(cohort):
    with pytest.raises(IndexError, match=r"12 rows"):
        cohort[12]
    with pytest.raises(IndexError):
        cohort.ecg_mv([0, -13])
    with pytest.raises(UsageError, match=r"1 of the rows have no cine, row 1 first"):
        cohort.cines([0, 1])
    assert len(list(cohort)) == 12


def test_select_joins_its_conditions(cohort):
    for role in ("pretrain", "downstream"):
        for split in ("train", "val", "test"):
            rows = cohort.select(role=role, split=split, with_cine=True, with_ecg=True)
            assert all(cohort.roles[r] == role and cohort.splits[r] == split for r in rows)
            assert cohort.has_cine[rows].all()
    assert len(cohort.select()) == 12
    with pytest.raises(UsageError, match=r"no role 'training' in a cohort; it has: pretrain"):
        cohort.select(role="training")


def test_unusable_ecgs_are_flagged_kept_and_left_out_by_default(tmp_path):
    record = EcgRecord(np.zeros((12, 5000), np.float32), CANONICAL_LEADS, 500.0)
    out = tmp_path / "c.h5"
    prepare(One(Subject("anna", "ecg-1", record)), out, seed=0, provenance=MADE_UP)
    with open_cohort(out) as cohort:
        assert "flat-lead" in cohort.quality_flags(0)
        assert "flat-lead V6" in cohort.quality_details(0)
        assert len(cohort.select()) == 0
        assert len(cohort.select(quality="any")) == 1
        assert cohort.fingerprints()[0] == layout.NO_FINGERPRINT


def test_columns_are_named_and_aligned(cohort):
    assert cohort.phenotypes.shape == (12, 82)
    assert cohort.phenotype_names[3] == "LV ejection fraction"
    np.testing.assert_array_equal(
        cohort.phenotypes[:, 3], 50.0 + np.where(np.arange(12) % 4, np.arange(12), 0)
    )
    assert cohort.phenotype_frame()[24103].iloc[5] == 55.0
    assert cohort.attribute("site").tolist() == ["B", "A"] * 6
    np.testing.assert_array_equal(np.isnan(cohort.attribute("height_cm")), [True, False] * 6)
    with pytest.raises(UsageError, match=r"no attribute 'weight'.*height_cm, site"):
        cohort.attribute("weight")
    assert cohort.provenance["config"] == {"option": 1}
    assert cohort.simulated


def content_of_row(cohort, row):
    return float(cohort.ecg_mv([row]).sum())


def test_an_open_cohort_can_be_sent_to_another_process(cohort):
    expected = content_of_row(cohort, 4)
    again = pickle.loads(pickle.dumps(cohort))  # noqa: S301 - our own
    assert content_of_row(again, 4) == expected
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(content_of_row, (cohort, 4)) == expected


def test_missing_foreign_truncated_and_other_files_are_told_apart(tmp_path, cohort_path):
    with pytest.raises(CohortError, match=r"no cohort at .*cardionets prepare"):
        open_cohort(tmp_path / "none.h5")
    text = tmp_path / "text.h5"
    text.write_text("no HDF5")
    with pytest.raises(CohortError, match=r"is no whole HDF5 file"):
        open_cohort(text)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(cohort_path.read_bytes()[:100_000])
    with pytest.raises(CohortError, match=r"is no whole HDF5 file .*truncated"):
        open_cohort(cut)
    foreign = tmp_path / "foreign.h5"
    with h5py.File(foreign, "w") as file:
        file["x"] = 1
    with pytest.raises(CohortError, match=r"no cardionets cohort"):
        open_cohort(foreign)


@pytest.mark.parametrize(("version", "remedy"), [(0, "prepare it anew"), (99, "update cardionets")])
def test_another_layout_version_is_refused_with_found_needed_and_remedy(
    tmp_path, cohort_path, version, remedy
):
    other = tmp_path / "other.h5"
    shutil.copy(cohort_path, other)
    with h5py.File(other, "r+") as file:
        file.attrs["layout_version"] = version
    with pytest.raises(CohortError, match=f"version {version}, but .* version 1 to 3; {remedy}"):
        open_cohort(other)


def test_a_lacking_dataset_is_named(tmp_path, cohort_path):
    other = tmp_path / "other.h5"
    shutil.copy(cohort_path, other)
    with h5py.File(other, "r+") as file:
        del file["cine/present"]
    with pytest.raises(CohortError, match=r"lacks cine/present"):
        open_cohort(other)


def test_made_up_dataset_keeps_the_contract():
    refs = list(MadeUp().subjects())
    assert len({ref.record_key for ref in refs}) == len(refs)


def test_a_disk_that_cannot_lock_is_read_all_the_same(cohort_path, monkeypatch):
    real_open = h5py.File

    def cannot_lock(path, mode, **options):
        if options.get("locking") is not False:
            raise OSError("unable to lock file, errno = 37, error message = 'No locks available'")
        return real_open(path, mode, **options)

    monkeypatch.setattr(h5py, "File", cannot_lock)
    with open_cohort(cohort_path) as cohort:
        assert len(cohort) == 12
