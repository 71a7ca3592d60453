"""The decorator: one test per promise, strict about expected failures; and the made-up data."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from cardionets_core.errors import UsageError
from cardionets_core.testing import (
    Check,
    ConformanceError,
    checks_of,
    conformance,
    made_up_cine,
    made_up_ecg,
    made_up_subject,
)

KINDS = (
    "dataset", "encoder", "aligner", "autoencoder", "generator", "head", "ecg-format", "task",
    "variant",
)  # fmt: skip


def parameters(kind, expected_failures=None):
    @conformance(kind, expected_failures)
    def test_conforms(check):
        """Stands for a third party's test."""

    (mark,) = test_conforms.pytestmark
    return mark.args[1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_promise_becomes_a_test_of_its_own(kind):
    names = [check.name for check in parameters(kind)]
    assert names == [check.name for check in checks_of(kind)]
    assert len(names) >= 7
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", KINDS)
def test_every_check_says_in_its_docstring_what_is_promised(kind):
    assert all((check.run.__doc__ or "").endswith(".") for check in checks_of(kind))


def test_an_expected_failure_is_attached_to_its_check_only():
    excused = {
        check.name: check.expected_failure
        for check in parameters("dataset", {"ecg_is_in_mv": "counts, for now"})
    }
    assert excused.pop("ecg_is_in_mv") == "counts, for now"
    assert set(excused.values()) == {None}


def test_a_failure_that_is_expected_counts_as_such():
    def breaks(_):
        raise ConformanceError("broken")

    with pytest.raises(pytest.xfail.Exception, match="known"):
        Check("promise", breaks, "known")(object())


def test_a_promise_that_holds_although_expected_to_fail_fails():
    with pytest.raises(pytest.fail.Exception, match="take it off the list"):
        Check("promise", lambda _: None, "known")(object())


def test_an_unexpected_failure_is_passed_on():
    check = next(iter(checks_of("dataset")))
    with pytest.raises(ConformanceError, match="lacks read, subjects"):
        check(object())
    assert replace(check, expected_failure=None) == check


def test_a_misspelt_check_or_kind_is_refused_with_the_nearest_name():
    with pytest.raises(UsageError, match="Did you mean 'ecg_is_in_mv'"):
        conformance("dataset", {"ecg_is_in_mV": "typo"})
    with pytest.raises(UsageError, match="Did you mean 'encoder'"):
        conformance("encoders")


def test_the_kit_is_imported_without_pytest_and_torch():
    code = (
        "import sys, cardionets_core.testing as kit; kit.checks_of('dataset'); "
        "print([m for m in ('pytest', 'torch') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_made_up_limb_leads_obey_einthoven_and_goldberger():
    i, ii, iii, avr, avl, avf = made_up_ecg().signal_mv[:6]
    tolerance_mv = 0.011  # each lead is rounded to 5 uV on its own
    assert np.abs(i + iii - ii).max() < tolerance_mv
    assert np.abs(avr + (i + ii) / 2).max() < tolerance_mv
    assert np.abs(avl - (i - iii) / 2).max() < tolerance_mv
    assert np.abs(avf - (ii + iii) / 2).max() < tolerance_mv


def test_made_up_data_follow_from_their_seed():
    assert np.array_equal(made_up_ecg(seed=1).signal_mv, made_up_ecg(seed=1).signal_mv)
    assert not np.array_equal(made_up_ecg(seed=1).signal_mv, made_up_ecg(seed=2).signal_mv)
    assert np.array_equal(made_up_cine(seed=1), made_up_cine(seed=1))
    assert made_up_subject(1).subject_id != made_up_subject(2).subject_id


def test_made_up_leads_can_be_chosen_at_another_rate():
    record = made_up_ecg(seconds=4, sampling_rate_hz=250, leads=("V2", "I"))
    assert record.signal_mv.shape == (2, 1000)
    assert record.leads == ("V2", "I")
