from __future__ import annotations

import pickle

import numpy as np
import pytest

from cardionets_core.errors import EcgError, LeadError, SamplingRateError
from cardionets_wfdb.table_reader import read_csv, read_npy

DECLARED = {"units": "mV", "sampling_rate_hz": 500}


@pytest.fixture
def csv_file(tmp_path):
    def write(text: str, encoding: str = "utf-8"):
        path = tmp_path / "ecg.csv"
        path.write_text(text, encoding=encoding)
        return path

    return write


@pytest.fixture
def npy_file(tmp_path):
    def write(values):
        path = tmp_path / "ecg.npy"
        np.save(path, values)
        return path

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_columns_are_taken_by_the_names_in_the_first_row(csv_file, delimiter, encoding):
    text = "time,AVR,Lead I,note_V1\n0,1.5,-2,9\n0.002,3.5,4e-1,9\n0.004,,nan,9\n"
    record = read_csv(csv_file(text.replace(",", delimiter), encoding), **DECLARED)
    assert record.leads == ("aVR", "I")
    assert record.sampling_rate_hz == 500.0
    expected = np.array([[1.5, 3.5, np.nan], [-2, 0.4, np.nan]], dtype=np.float32)
    np.testing.assert_array_equal(record.signal_mv, expected)


def test_declared_units_are_converted_to_millivolts(csv_file):
    record = read_csv(csv_file("I,II\n100,200\n300,400\n"), units="uV", sampling_rate_hz=250)
    np.testing.assert_allclose(record.signal_mv, [[0.1, 0.3], [0.2, 0.4]], rtol=1e-6)


@pytest.mark.parametrize("reader", ["csv", "npy"])
def test_units_and_rate_must_be_declared(csv_file, npy_file, reader):
    path = csv_file("I\n1\n2\n") if reader == "csv" else npy_file(np.zeros((1, 5)))
    read = read_csv if reader == "csv" else read_npy
    leads = {"leads": ["I"]}
    with pytest.raises(EcgError, match="declare units"):
        read(path, sampling_rate_hz=500, **leads)
    with pytest.raises(EcgError, match="an unknown unit"):
        read(path, units="counts", sampling_rate_hz=500, **leads)
    for rate_hz in (None, 0, -1, float("nan")):
        with pytest.raises(SamplingRateError, match="declare a positive"):
            read(path, units="mV", sampling_rate_hz=rate_hz, **leads)


def test_text_in_a_cell_is_told_with_row_and_column(csv_file):
    with pytest.raises(EcgError, match="row 3, column 2 of the table holds text"):
        read_csv(csv_file("I,II\n1,2\n3,lead off\n"), **DECLARED)


def test_rows_of_different_length_are_told(csv_file):
    with pytest.raises(EcgError, match="row 3 of the table has 1 cells; needed 2"):
        read_csv(csv_file("I,II\n1,2\n3\n"), **DECLARED)


@pytest.mark.parametrize("text", ["", "\n\n", "I,II\n"])
def test_an_empty_table_is_refused(csv_file, text):
    with pytest.raises(EcgError):
        read_csv(csv_file(text), **DECLARED)


def test_a_table_without_names_needs_declared_leads(csv_file):
    path = csv_file("1,2\n3,4\n5,6\n")
    with pytest.raises(LeadError, match="declare leads"):
        read_csv(path, **DECLARED)
    record = read_csv(path, leads=["V1", "V2"], **DECLARED)
    np.testing.assert_array_equal(record.signal_mv, [[1, 3, 5], [2, 4, 6]])


def test_a_table_that_names_no_lead_is_refused(csv_file):
    with pytest.raises(LeadError, match="2 columns, none of them"):
        read_csv(csv_file("a,b\n1,2\n"), **DECLARED)


def test_doubled_columns_are_refused(csv_file):
    with pytest.raises(LeadError, match="at most once"):
        read_csv(csv_file("I,i\n1,2\n"), **DECLARED)


def test_declared_leads_must_agree_with_the_first_row(csv_file):
    path = csv_file("I,II\n1,2\n3,4\n")
    assert read_csv(path, leads=["II", "I"], **DECLARED).leads == ("I", "II")
    with pytest.raises(LeadError, match="the table has I, II"):
        read_csv(path, leads=["I", "V1"], **DECLARED)


def test_a_table_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "ecg.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(EcgError, match="not UTF-8"):
        read_csv(path, **DECLARED)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_arrays_are_read_in_either_orientation(npy_file, transposed, dtype):
    values = np.arange(15).reshape(3, 5).astype(dtype)
    record = read_npy(
        npy_file(values.T if transposed else values), leads=["V3", "I", "avr"], **DECLARED
    )
    assert record.leads == ("V3", "I", "aVR")
    np.testing.assert_array_equal(record.signal_mv, values.astype(np.float32))
    assert record.signal_mv.dtype == np.float32


@pytest.mark.parametrize(
    ("values", "leads", "message"),
    [
        (np.zeros((12, 5)), None, "declare leads"),
        (np.zeros((3, 3)), ["I", "II", "III"], "which axis is time"),
        (np.zeros((4, 5)), ["I", "II", "III"], r"shape \(4, 5\) for 3 leads"),
        (np.zeros((1, 3, 5)), ["I", "II", "III"], "shape"),
        (np.zeros((3, 0)), ["I", "II", "III"], "shape"),
        (np.zeros((2, 5)), ["I", "I"], "at most once"),
        (np.zeros((2, 5)), ["I", "X"], "at most once"),
    ],
)
def test_arrays_whose_leads_cannot_be_told_are_refused(npy_file, values, leads, message):
    with pytest.raises(LeadError, match=message):
        read_npy(npy_file(values), leads=leads, **DECLARED)


class Payload:
    """Unpickling this would set a mark."""

    def __reduce__(self):
        return (setattr, (Payload, "ran", True))


def test_pickled_arrays_are_never_loaded(tmp_path):
    objects, raw = tmp_path / "objects.npy", tmp_path / "raw.npy"
    np.save(objects, np.array([Payload()], dtype=object), allow_pickle=True)
    raw.write_bytes(pickle.dumps(Payload()))
    for path in (objects, raw):
        with pytest.raises(EcgError, match="not pickled"):
            read_npy(path, leads=["I"], **DECLARED)
    assert not hasattr(Payload, "ran")


@pytest.mark.parametrize("values", [np.array([["1", "x"]]), np.ones((1, 5), dtype=complex)])
def test_arrays_that_hold_no_plain_numbers_are_refused(npy_file, values):
    with pytest.raises(EcgError, match="no plain numbers"):
        read_npy(npy_file(values), leads=["I"], **DECLARED)


def test_a_truncated_array_is_refused(npy_file):
    path = npy_file(np.zeros((2, 500)))
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(EcgError, match="cannot be read"):
        read_npy(path, leads=["I", "II"], **DECLARED)


@pytest.mark.parametrize("read", [read_csv, read_npy])
def test_a_missing_file_is_one_clear_error(tmp_path, read):
    with pytest.raises(EcgError, match="no readable file"):
        read(tmp_path / "absent", leads=["I"], **DECLARED)
