from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cardionets_core.ecg.leads import CANONICAL_LEADS, lead_name, to_canonical
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import EcgError, LeadError


def record(leads: tuple[str, ...], samples: int = 8, **more: object) -> EcgRecord:
    signal_mv = np.random.default_rng(0).normal(size=(len(leads), samples)).astype(np.float32)
    return EcgRecord(signal_mv, leads, 500.0, **more)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("i", "I"),
        ("AVR", "aVR"),
        (" avf ", "aVF"),
        ("v3", "V3"),
        ("MDC_ECG_LEAD_I", "I"),
        ("MDC_ECG_LEAD_AVL", "aVL"),
        ("ECG Lead II", "II"),
        ("Lead  III", "III"),
        ("ECG V6", "V6"),
        ("V7", None),
        ("-aVR", None),
        ("", None),
        ("time", None),
    ],
)
def test_lead_names_are_understood_in_any_usual_spelling(spelling: str, name: str | None):
    assert lead_name(spelling) == name


def test_leads_are_ordered_by_name_whatever_their_position():
    mimic = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
    source = record(mimic)
    canonical = to_canonical(source)
    for row, name in enumerate(mimic):
        np.testing.assert_array_equal(
            canonical.signal_mv[CANONICAL_LEADS.index(name)], source.signal_mv[row]
        )
    assert canonical.derived == ()
    assert canonical.lead_mask.all()


def test_four_limb_leads_follow_from_i_and_ii_and_are_recorded_as_derived():
    source = record(("V6", "V5", "V4", "V3", "V2", "V1", "II", "I"), lsb_mv=np.full(8, 0.00488))
    canonical = to_canonical(source)
    lead_ii, lead_i = source.signal_mv[6:].astype(np.float64)
    expected = [
        lead_ii - lead_i,
        -(lead_i + lead_ii) / 2,
        lead_i - lead_ii / 2,
        lead_ii - lead_i / 2,
    ]
    np.testing.assert_allclose(canonical.signal_mv[2:6], expected, rtol=1e-6, atol=1e-7)
    assert canonical.derived == ("III", "aVR", "aVL", "aVF")
    assert canonical.lead_mask.all()
    np.testing.assert_allclose(canonical.lsb_mv[[2, 3, 4, 5]], [0.00488, *[0.00244] * 3])


def test_recorded_limb_leads_are_not_recomputed():
    source = record(("I", "II", "III"))
    canonical = to_canonical(source)
    np.testing.assert_array_equal(canonical.signal_mv[2], source.signal_mv[2])
    assert canonical.derived == ("aVR", "aVL", "aVF")


def test_leads_that_the_source_derived_stay_recorded_as_derived():
    canonical = to_canonical(replace(record(CANONICAL_LEADS), derived_leads=("AVR",)))
    assert canonical.derived == ("aVR",)


def test_missing_leads_are_masked_and_never_invented():
    canonical = to_canonical(record(("II", "V1", "V5")))
    assert np.flatnonzero(canonical.lead_mask).tolist() == [1, 6, 10]
    assert np.isnan(canonical.signal_mv[~canonical.lead_mask]).all()
    assert canonical.derived == ()


def test_a_lead_without_one_finite_sample_is_missing():
    source = record(CANONICAL_LEADS)
    source.signal_mv[7] = np.nan
    source.signal_mv[8] = np.inf
    canonical = to_canonical(source)
    assert np.flatnonzero(~canonical.lead_mask).tolist() == [7, 8]
    assert np.isnan(canonical.signal_mv[7:9]).all()


def test_a_gap_in_lead_i_is_a_gap_in_what_is_derived_from_it():
    source = record(("I", "II"))
    source.signal_mv[0, 3] = np.nan
    canonical = to_canonical(source)
    assert np.isnan(canonical.signal_mv[2:6, 3]).all()
    assert np.isfinite(canonical.signal_mv[2:6, :3]).all()


@pytest.mark.parametrize("leads", [("I", "II", "i"), ("aVR", "MDC_ECG_LEAD_AVR")])
def test_doubled_leads_are_refused(leads: tuple[str, ...]):
    with pytest.raises(LeadError, match="twice"):
        to_canonical(record(leads))


def test_a_record_without_a_known_lead_is_refused():
    with pytest.raises(LeadError, match="'X', 'Y'"):
        to_canonical(record(("X", "Y")))


def test_names_and_rows_must_be_equal_in_number():
    with pytest.raises(LeadError, match="2 lead names"):
        to_canonical(replace(record(("I", "II", "V1")), leads=("I", "II")))


def test_a_record_of_nothing_but_nan_is_refused():
    source = record(("I", "II"))
    source.signal_mv[:] = np.nan
    with pytest.raises(EcgError, match="no finite sample"):
        to_canonical(source)
