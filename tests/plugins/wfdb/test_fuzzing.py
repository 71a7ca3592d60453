"""Whatever is in a WFDB record, a CSV or an NPY file: a consistent record or one clear line."""

from __future__ import annotations

import io
import logging
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardionets_core.ecg.leads import CANONICAL_LEADS
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import EcgError
from cardionets_wfdb import table_reader, wfdb_reader

MUTATIONS = 1000
# Of this process: other work on the machine does not count.
SLOWEST_CPU_S = 2.0
PLANTED = b"QUIXWORTH"
DECLARED = {"units": "mV", "sampling_rate_hz": 500.0, "leads": CANONICAL_LEADS}
HOSTILE = (
    b"-1", b"0", b"1e309", b"nan", b"inf", b"99999999999999999999", b"\xff\xfe", b"\0", b"#", b"\n",
    b"/", b"../", b"(", b"16x2", b"16+999999999", b"212", b"1/2", b"\xd9\xa3", b";", b'"', PLANTED,
)  # fmt: skip
HYPOTHESIS = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def mutated(content: bytes, rng: np.random.Generator, text_bytes: int) -> bytes:
    """Cut off, overwritten, or with hostile words in the part that is text."""
    made = bytearray(content)
    kind = rng.integers(4)
    if kind == 0:
        del made[int(rng.integers(len(made))) :]
    elif kind == 1:
        for _ in range(int(rng.integers(1, 12))):
            made[int(rng.integers(min(len(made), text_bytes)))] = int(rng.integers(256))
    elif kind == 2:
        at = int(rng.integers(min(len(made), text_bytes)))
        made[at : at + int(rng.integers(0, 8))] = HOSTILE[rng.integers(len(HOSTILE))]
    else:
        words = bytes(made[:text_bytes]).split(b" ")
        words[rng.integers(len(words))] = HOSTILE[rng.integers(len(HOSTILE))]
        made[:text_bytes] = b" ".join(words)
    return bytes(made)


def read_or_refused(read, path: Path, **declared) -> EcgRecord | str:
    """A record that makes sense, or the line that says why there is none, in good time."""
    start = time.process_time()
    try:
        record = read(path, **declared)
    except EcgError as error:
        record = str(error)
        assert "\n" not in record
        assert PLANTED.decode() not in record
        assert path.name not in record
    else:
        assert record.signal_mv.shape == (len(record.leads), record.signal_mv.shape[1])
        assert set(record.leads) <= set(CANONICAL_LEADS)
        assert len(set(record.leads)) == len(record.leads)
        assert record.sampling_rate_hz > 0
    assert time.process_time() - start < SLOWEST_CPU_S
    return record


def check_variety(results: list[EcgRecord | str], least: int = 5) -> None:
    """Mutations that are all refused, or all read, test nothing."""
    assert len({result for result in results if isinstance(result, str)}) >= least
    assert any(isinstance(result, EcgRecord) for result in results)


def wfdb_results(header: Path, folder: Path, count: int, seed: int):
    """What becomes of a record whose header, and at times whose samples, are mutated."""
    signals = next(p for p in header.parent.glob(f"{header.stem}.*") if p != header)
    target = folder / header.name
    rng = np.random.default_rng(seed)
    samples = signals.read_bytes()
    shutil.copy(signals, folder)
    for number in range(count):
        content = header.read_bytes()
        target.write_bytes(mutated(content, rng, len(content)) if number % 4 else content)
        if number % 4 == 0:
            (folder / signals.name).write_bytes(mutated(samples, rng, 64))
        yield read_or_refused(wfdb_reader.read, target)
        if number % 4 == 0:
            (folder / signals.name).write_bytes(samples)


def test_mutated_real_records_are_read_or_refused(sample_records, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    share = -(-MUTATIONS // len(sample_records))
    results = []
    for seed, header in enumerate(sample_records):
        results += wfdb_results(header, tmp_path, share, seed)
    assert len(results) >= MUTATIONS
    check_variety(results)
    assert "QUIXWORTH" not in caplog.text
    assert str(tmp_path) not in caplog.text


@pytest.mark.parametrize("gain", ["1000.0(0)", "1000"])
def test_mutated_made_up_records_are_read_or_refused(write_record, counts, tmp_path, gain):
    header = write_record(counts[:, :40], name="a/rec1", gain=gain, comments=["Age: 61"])
    (tmp_path / "b").mkdir()
    check_variety(list(wfdb_results(header, tmp_path / "b", MUTATIONS // 2, 5)))


def test_altered_samples_of_a_record_are_noticed(write_record, counts):
    header = write_record(counts)
    data = header.with_suffix(".dat")
    whole = data.read_bytes()
    rng = np.random.default_rng(8)
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[int(rng.integers(len(damaged)))] ^= 1 << int(rng.integers(8))
        data.write_bytes(damaged)
        with pytest.raises(EcgError, match="checksums of 1 of 12"):
            wfdb_reader.read(header)


def csv_content(counts: np.ndarray) -> bytes:
    file = io.BytesIO()
    header = ",".join(CANONICAL_LEADS)
    np.savetxt(file, counts.T / 1000, "%.3f", ",", header=header, comments="")
    return file.getvalue()


def npy_content(counts: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, (counts / 1000).astype(np.float32))
    return file.getvalue()


TABLES = {
    "csv": (csv_content, table_reader.read_csv, {"units": "mV", "sampling_rate_hz": 500.0}),
    "npy": (npy_content, table_reader.read_npy, DECLARED),
}


@pytest.mark.parametrize("kind", TABLES)
def test_mutated_tables_are_read_or_refused(counts, tmp_path, kind):
    make, read, declared = TABLES[kind]
    content = make(counts[:, :60])
    text_bytes = len(content) if kind == "csv" else 128
    rng = np.random.default_rng(11)
    path = tmp_path / f"{PLANTED.decode()}.{kind}"
    results = []
    for _ in range(MUTATIONS):
        path.write_bytes(mutated(content, rng, text_bytes))
        results.append(read_or_refused(read, path, **declared))
    # numpy has few words for the many things that may be wrong with a header.
    check_variety(results, least=2 if kind == "npy" else 5)


@pytest.mark.parametrize("kind", TABLES)
@HYPOTHESIS
@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(kind, content):
    _, read, declared = TABLES[kind]
    start = b"\x93NUMPY" if kind == "npy" else b""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"any-file.{kind}"
        path.write_bytes(start + content)
        read_or_refused(read, path, **declared)


@HYPOTHESIS
@given(content=st.text(alphabet="rec1. 0123456789()/+-xmVuI:#\n", max_size=200))
def test_any_header_is_read_or_refused(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any-file.hea"
        path.write_text(content)
        (Path(folder) / "any-file.dat").write_bytes(bytes(400))
        read_or_refused(wfdb_reader.read, path)


@HYPOTHESIS
@given(
    st.lists(st.integers(-32_767, 32_767), min_size=2, max_size=40),
    st.lists(st.sampled_from(CANONICAL_LEADS), min_size=1, max_size=12, unique=True),
)
def test_any_counts_come_back_from_a_record_and_from_tables(draws, leads):
    rows = np.array([np.roll(draws, place) for place in range(len(leads))])
    with tempfile.TemporaryDirectory() as folder:
        header = Path(folder) / "r.hea"
        lines = [f"r {len(leads)} 500 {len(draws)}"]
        lines += [f"r.dat 16 200.0(0)/mV 16 0 {row[0]} {row.sum() % 65536} 0 {lead}"
                  for lead, row in zip(leads, rows, strict=True)]  # fmt: skip
        header.write_text("\n".join(lines) + "\n")
        rows.T.astype("<i2").tofile(Path(folder) / "r.dat")
        table = Path(folder) / "r.csv"
        np.savetxt(table, rows.T * 5, "%d", ",", header=",".join(leads), comments="")
        records = [
            wfdb_reader.read(header),
            table_reader.read_csv(table, units="uV", sampling_rate_hz=500),
        ]
    for record in records:
        assert record.leads == tuple(leads)
        np.testing.assert_array_equal(np.rint(record.signal_mv.astype(np.float64) / 0.005), rows)
