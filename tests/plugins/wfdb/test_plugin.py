from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pytest

from cardionets_wfdb.plugin import cardionets_datasets, cardionets_ecg_formats

FORMATS = {spec.name: spec for spec in cardionets_ecg_formats()}


def load(target: str):
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)


def test_every_declared_target_exists():
    for target in [
        *(spec.target for spec in FORMATS.values()),
        *(target for spec in cardionets_datasets() for target in (spec.target, spec.config)),
    ]:
        assert callable(load(target))


def test_declarations_load_without_numpy_pandas_or_wfdb():
    code = (
        "import sys, cardionets_wfdb.plugin as p, cardionets_wfdb.config;"
        "list(p.cardionets_datasets()), list(p.cardionets_ecg_formats());"
        "print([n for n in ('numpy', 'pandas', 'wfdb', 'torch', 'h5py') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_record_is_recognised_by_its_header_and_by_its_mat_file(write_record, counts):
    header = write_record(counts, comments=("Age: 84",))
    assert FORMATS["wfdb"].sniff(header.read_bytes())
    assert FORMATS["wfdb"].sniff(b"#a comment first\r\n" + header.read_bytes())
    mat_head = np.array([30, 12, 5000, 0, 4], dtype="<i4").tobytes() + b"val\0"
    assert FORMATS["wfdb"].sniff(mat_head + bytes(100))


def test_real_headers_and_signal_files_are_recognised(sample_records):
    for header in sample_records:
        assert FORMATS["wfdb"].sniff(header.read_bytes()[:4096])
        mat = header.with_suffix(".mat")
        if mat.exists():
            assert FORMATS["wfdb"].sniff(mat.read_bytes()[:4096])


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"I,II,III\n1,2,3\n",
        b"I II III\n1 2 3\n",
        b"1 2 3\n4 5 6\n",
        b"0.1\t0.2\n0.3\t0.4\n",
        b'<?xml version="1.0"?>\n<CardiologyXML>\n',
        b"\x93NUMPY\x01\x00",
        bytes(128) + b"DICM",
    ],
)
def test_other_files_are_not_taken_for_wfdb(head):
    assert not FORMATS["wfdb"].sniff(head)


def test_arrays_are_recognised_by_content_and_tables_by_ending(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    assert FORMATS["npy"].sniff((tmp_path / "a.npy").read_bytes())
    assert not FORMATS["npy"].sniff(b"I,II\n1,2\n")
    assert not FORMATS["csv"].sniff(b"I,II\n1,2\n")
    assert ".csv" in FORMATS["csv"].suffixes
