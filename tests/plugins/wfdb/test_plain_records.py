"""Headers read without the wfdb package are read as the package reads them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import wfdb

from cardionets_wfdb import wfdb_reader
from cardionets_wfdb.plain_records import PlainHeader, in_units, plain_header, read_counts


def same_fields(ours, theirs):
    for field in dataclasses.fields(PlainHeader):
        mine, other = getattr(ours, field.name), getattr(theirs, field.name)
        assert mine == (tuple(other) if isinstance(mine, tuple) else other), field.name


def test_real_records_are_plain_and_read_as_the_package_reads_them(sample_records):
    for path in sample_records:
        ours = plain_header(path.read_bytes())
        theirs = wfdb.rdrecord(str(path.with_suffix("")), physical=False)
        same_fields(ours, theirs)
        counts = read_counts(ours, path.parent)
        np.testing.assert_array_equal(counts, theirs.d_signal)
        np.testing.assert_array_equal(in_units(ours, counts), theirs.dac())
        assert (counts.sum(axis=0) % 65536).tolist() == theirs.calc_checksum()


@pytest.mark.parametrize("record_line", [None, "rec1 12 500.0 500 12:04:00 22/09/2182"])
@pytest.mark.parametrize("gain", ["200.0(0)", "1000", "163.84(-7)"])
def test_gaps_gains_and_baselines_are_those_of_the_package(write_record, counts, record_line, gain):
    counts[4, 10:20] = -32768
    path = write_record(counts, gain=gain, record_line=record_line, comments=["# <subject_id>: 1"])
    ours = plain_header(path.read_bytes())
    theirs = wfdb.rdrecord(str(path.with_suffix("")), physical=False)
    same_fields(ours, theirs)
    np.testing.assert_array_equal(in_units(ours, read_counts(ours, path.parent)), theirs.dac())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (" 16 1000", " 212 1000"), (" 16 1000", " 16x2 1000"), (" 16 1000", " 16:3 1000"),
        ("1000.0(0)", "0(0)"), ("1000.0(0)", "1e3(0)"), ("1000.0(0)", "-1000.0(0)"),
        ("rec1.dat 16", "other.dat 16"), ("rec1.dat 16", "../rec1.dat 16"),
        ("rec1.dat 16", "rec1.dat 16+24"), ("rec1.dat 16", "rec1.dat 16x2"),
        (" 0 V6", ""), ("rec1 12", "rec1 11"),
        ("rec1 12", "rec1/2 12"), ("500 500", "500 0"), ("500 500", "500"),
        ("500 500", "500 500 25:00:00 22/09/2182"), ("500 500", "500 500 12:00:00 31/02/2182"),
        ("rec1 12", "réc1 12"), ("V6", "V6\x00"), ("/mV", ""),
    ],
)  # fmt: skip
def test_whatever_is_unusual_is_left_to_the_package(write_record, counts, old, new):
    path = write_record(counts)
    text = path.read_text()
    assert old in text
    assert plain_header(text.encode()) is not None
    assert plain_header(text.replace(old, new, 1).encode()) is None


def test_a_thousand_mutated_headers_are_read_as_the_package_reads_them(
    write_record, counts, monkeypatch
):
    path = write_record(counts[:, :40], gain="200.0(0)", comments=["Age: 61"])
    original = path.read_bytes()
    rng = np.random.default_rng(0)
    marks = [b" ", b"\n", b"\r", b"\t", b"#", b"0", b"7", b"-", b"/", b"(", b"+", b"x", b".", b"e"]
    plain = 0
    for _ in range(1000):
        content = bytearray(original)
        for _ in range(rng.integers(1, 3)):
            at = int(rng.integers(len(content)))
            content[at : at + int(rng.integers(3))] = marks[rng.integers(len(marks))]
        ours = plain_header(bytes(content))
        if ours is None:
            continue
        plain += 1
        path.write_bytes(bytes(content))
        same_fields(ours, wfdb.rdheader(str(path.with_suffix(""))))
    assert 100 < plain < 1000


def test_a_plain_record_is_refused_for_what_the_package_s_way_refuses_it_for(
    write_record, counts, monkeypatch
):
    path = write_record(counts)
    signals = path.with_suffix(".dat")
    whole = signals.read_bytes()

    def told():
        try:
            return wfdb_reader.read(path).signal_mv.tobytes()
        except Exception as error:  # noqa: BLE001 - both ways are to raise the same
            return f"{type(error).__name__}: {error}"

    for content in (whole, whole[:-1], whole[:-2] + b"\x11\x11", b"", whole + b"\0\0"):
        signals.write_bytes(content)
        here = told()
        with monkeypatch.context() as without:
            without.setattr(wfdb_reader, "plain_header", lambda _: None)
            assert told() == here
