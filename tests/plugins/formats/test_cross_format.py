"""One tracing in three formats: HL7's example patient as aECG, DICOM and SCP-ECG."""

from __future__ import annotations

import importlib
import importlib.util

import numpy as np
import pytest

from cardionets_core.ecg.leads import CANONICAL_LEADS, to_canonical

FILES = {
    "aecg": "ecg_vendor/hl7_aecg/fda_aecg-python_subject1_0.xml",
    "dicom": "ecg_dicom/ecgtoolkit_Example.dcm",
    "scp": "ecg_vendor/scp_ecg/ecgtoolkit_Example.scp",
}


@pytest.fixture
def read(vendor_folder):
    def _read(name):
        if importlib.util.find_spec(f"cardionets_formats.{name}") is None:
            pytest.skip(f"no reader {name} yet")
        path = vendor_folder.parent / FILES[name]
        if not path.is_file():
            pytest.skip(f"{path.name} is not at hand")
        return importlib.import_module(f"cardionets_formats.{name}").read(path)

    return _read


@pytest.mark.parametrize("other", ["dicom", "scp"])
def test_the_same_tracing_is_the_same_in_every_format(read, other):
    ours, theirs = read("aecg"), read(other)
    assert theirs.sampling_rate_hz == ours.sampling_rate_hz == 500.0
    ours, theirs = to_canonical(ours), to_canonical(theirs)
    np.testing.assert_allclose(theirs.lsb_mv, ours.lsb_mv)
    assert ours.signal_mv.shape == theirs.signal_mv.shape == (12, 5000)
    for index, name in enumerate(CANONICAL_LEADS):
        counts = [np.rint(one.signal_mv[index] / 0.0025) for one in (ours, theirs)]
        np.testing.assert_array_equal(*counts, err_msg=name)


def test_the_three_formats_agree_on_when_it_was_taken(read):
    assert read("dicom").acquired_at == read("aecg").acquired_at
