from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from cardionets_core.ecg.leads import CANONICAL_LEADS
from cardionets_core.ecg.quality import assess, heart_rate_and_r_peaks
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.ecg.resampling import canonicalise
from cardionets_core.errors import LeadError


def changed(record: EcgRecord, lead: str, where: slice, value: float) -> EcgRecord:
    signal_mv = record.signal_mv.copy()
    signal_mv[CANONICAL_LEADS.index(lead), where] = value
    return replace(record, signal_mv=signal_mv)


def test_a_clean_record_has_no_flag(twelve_leads: EcgRecord):
    verdict = assess(twelve_leads)
    assert verdict.flags == ()
    assert verdict.usable


@pytest.mark.parametrize(
    ("where", "value", "name", "measured"),
    [
        (slice(100, 200), np.nan, "missing-run", 0.2),
        (slice(0, 2000), np.nan, "missing-share", 40.0),
        (slice(None), 0.0, "flat-lead", 0.0),
        (slice(None), 0.75, "flat-lead", 0.0),
        (slice(300, 500), 0.1, "flat-run", 0.4),
        (slice(300, 320), 4.0, "clipped", 0.04),
        (slice(300, 320), -4.0, "clipped", 0.04),
        (slice(300, 301), -11.0, "implausible-amplitude", 11.0),
    ],
)
def test_what_is_wrong_with_a_lead_is_flagged_with_lead_and_amount(
    twelve_leads: EcgRecord, where: slice, value: float, name: str, measured: float
):
    flags = assess(changed(twelve_leads, "V3", where, value)).flags
    assert {flag.lead for flag in flags} == {"V3"}
    assert [flag.value for flag in flags if flag.name == name] == [
        pytest.approx(measured, rel=0.02)
    ]


def test_a_noisy_lead_is_flagged(twelve_leads: EcgRecord):
    noisy = twelve_leads.signal_mv.copy()
    noisy[8] += np.random.default_rng(0).normal(0, 0.2, 5000).astype(np.float32)
    assert assess(replace(twelve_leads, signal_mv=noisy)).leads("noise") == ("V3",)


@pytest.mark.parametrize(
    ("lead", "name"),
    [("III", "einthoven"), ("aVR", "goldberger"), ("aVL", "goldberger"), ("aVF", "goldberger")],
)
def test_limb_leads_that_disagree_are_flagged(twelve_leads: EcgRecord, lead: str, name: str):
    shifted = twelve_leads.signal_mv.copy()
    shifted[CANONICAL_LEADS.index(lead)] += np.float32(0.06)
    assert assess(replace(twelve_leads, signal_mv=shifted)).leads(name) == (lead,)


def test_exchanged_avl_and_avf_are_noticed(twelve_leads: EcgRecord):
    exchanged = (*CANONICAL_LEADS[:4], "aVF", "aVL", *CANONICAL_LEADS[6:])
    assert assess(replace(twelve_leads, leads=exchanged)).leads("goldberger") == ("aVL", "aVF")


@pytest.mark.parametrize(("samples", "length_s"), [(4000, 8.0), (4990, None), (4980, 9.96)])
def test_another_length_than_10_s_is_flagged(twelve_leads: EcgRecord, samples, length_s):
    short = replace(twelve_leads, signal_mv=twelve_leads.signal_mv[:, :samples])
    for ecg in (short, canonicalise(short)):
        lengths = [flag.value for flag in assess(ecg).flags if flag.name == "wrong-length"]
        assert lengths == ([] if length_s is None else [pytest.approx(length_s)])


def test_three_leads_are_too_few_to_be_usable(twelve_leads: EcgRecord):
    three = replace(
        twelve_leads, signal_mv=twelve_leads.signal_mv[:3], leads=("V1", "V2", "V3"), lsb_mv=None
    )
    verdict = assess(three)
    assert len(verdict.leads("missing-lead")) == 9
    assert not verdict.usable


def test_eight_recorded_leads_are_usable_because_the_others_follow(twelve_leads: EcgRecord):
    keep = [0, 1, 6, 7, 8, 9, 10, 11]
    eight = replace(
        twelve_leads,
        signal_mv=twelve_leads.signal_mv[keep],
        leads=tuple(CANONICAL_LEADS[row] for row in keep),
        lsb_mv=None,
    )
    assert assess(eight).usable
    assert assess(eight).flags == ()


def test_a_flag_reads_as_name_lead_amount_and_unit(twelve_leads: EcgRecord):
    (flag,) = assess(changed(twelve_leads, "V3", slice(300, 301), -11.0)).flags
    assert str(flag) == "implausible-amplitude V3 11 mV"


def test_unknown_leads_are_an_error_and_not_a_flag(twelve_leads: EcgRecord):
    with pytest.raises(LeadError):
        assess(replace(twelve_leads, leads=("X",) * 12))


def test_heart_rate_and_r_peaks_are_found_in_lead_ii(twelve_leads: EcgRecord):
    found = heart_rate_and_r_peaks(twelve_leads)
    assert found is not None
    assert found.lead == "II"
    assert found.beats_per_minute == pytest.approx(72, abs=0.5)
    beats = np.arange(12) / 1.2 + 0.5 / 1.2
    np.testing.assert_allclose(found.r_peaks / 500, beats[: len(found.r_peaks)], atol=0.02)
    assert len(found.r_peaks) >= 11


def test_another_lead_serves_where_lead_ii_is_dead(twelve_leads: EcgRecord):
    found = heart_rate_and_r_peaks(changed(twelve_leads, "II", slice(None), 0.0))
    assert found is not None
    assert found.lead == "V5"
    assert found.beats_per_minute == pytest.approx(72, abs=0.5)


def test_signals_without_a_rhythm_have_no_heart_rate(twelve_leads: EcgRecord):
    rng = np.random.default_rng(0)
    shape = twelve_leads.signal_mv.shape
    ramp = np.broadcast_to(np.linspace(0, 1, shape[1]), shape)
    spike = np.zeros(shape)
    spike[:, 2500] = 3.0
    for signal in (np.zeros(shape), np.full(shape, 20.0), ramp, spike):
        dead = replace(twelve_leads, signal_mv=signal.astype(np.float32))
        assert heart_rate_and_r_peaks(dead) is None
    noise = replace(twelve_leads, signal_mv=rng.normal(size=shape).astype(np.float32))
    short = replace(twelve_leads, signal_mv=twelve_leads.signal_mv[:, :40])
    for odd in (noise, short):
        heart_rate_and_r_peaks(odd)  # a rate or None, never an exception


def test_assessing_loads_no_neurokit():
    code = (
        "import sys, cardionets_core.ecg.quality;"
        "print([name for name in ('neurokit2', 'pandas', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
