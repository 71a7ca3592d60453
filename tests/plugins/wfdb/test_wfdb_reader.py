from __future__ import annotations

import logging
from datetime import datetime

import numpy as np
import pytest
import wfdb

from cardionets_core.ecg.leads import CANONICAL_LEADS
from cardionets_core.ecg.quality import assess, heart_rate_and_r_peaks
from cardionets_core.ecg.resampling import canonicalise
from cardionets_core.errors import EcgError, LeadError, SamplingRateError
from cardionets_wfdb.wfdb_reader import read

MIMIC_LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")


def test_counts_become_millivolts_exactly_with_the_step_of_the_header(write_record, counts):
    record = read(write_record(counts, leads=MIMIC_LEADS, gain="200.0(0)"))
    np.testing.assert_array_equal(record.signal_mv, (counts / 200.0).astype(np.float32))
    assert record.leads == MIMIC_LEADS
    assert record.sampling_rate_hz == 500.0
    np.testing.assert_allclose(record.lsb_mv, 0.005)
    back = np.round(record.signal_mv / record.lsb_mv[:, None])
    np.testing.assert_array_equal(back, counts)


@pytest.mark.parametrize(
    ("units", "gain", "factor"),
    [("mv", "1000.0(0)", 1e-3), ("uV", "0.2(0)", 5e-3), ("V", "200000.0(0)", 5e-3)],
)
def test_units_are_converted_however_they_are_spelt(write_record, counts, units, gain, factor):
    record = read(write_record(counts, units=units, gain=gain))
    np.testing.assert_allclose(record.signal_mv, counts * factor, rtol=1e-6)
    np.testing.assert_allclose(record.lsb_mv, factor)


def test_the_baseline_of_the_header_is_subtracted(write_record, counts):
    record = read(write_record(counts, gain="1000.0(-50)"))
    np.testing.assert_allclose(record.signal_mv, (counts + 50.0) / 1000, rtol=1e-6)


def test_the_lowest_count_of_format_16_is_a_missing_sample(write_record, counts):
    counts[5, 10:20] = -32768
    record = read(write_record(counts))
    assert np.isnan(record.signal_mv[5, 10:20]).all()
    assert np.isnan(record.signal_mv).sum() == 10


@pytest.mark.parametrize("fmt", ["16", "24", "32", "80", "212", "516"])
def test_every_signal_format_that_can_be_written_here_is_read(tmp_path, counts, fmt):
    small = np.clip(counts[:2], -100, 100).T.astype(np.int64)
    wfdb.wrsamp(
        "rec1",
        fs=500,
        units=["mV", "mV"],
        sig_name=["I", "V1"],
        d_signal=small,
        fmt=[fmt, fmt],
        adc_gain=[200.0, 100.0],
        baseline=[0, 0],
        write_dir=str(tmp_path),
    )
    record = read(tmp_path / "rec1.hea")
    np.testing.assert_allclose(record.signal_mv, small.T / [[200.0], [100.0]], rtol=1e-6)


@pytest.mark.parametrize("ending", [".dat", ".mat"])
def test_the_signal_file_may_be_named_instead_of_the_header(write_record, counts, ending):
    header = write_record(counts, ending=ending)
    record = read(header.with_suffix(ending))
    np.testing.assert_array_equal(record.signal_mv, read(header).signal_mv)


def test_signals_that_are_no_leads_are_left_out(write_record, counts):
    record = read(write_record(counts[:3], leads=("V2", "RESP", "aVF")))
    assert record.leads == ("V2", "aVF")
    np.testing.assert_array_equal(record.signal_mv[1], (counts[2] / 1000.0).astype(np.float32))


def test_the_time_of_the_recording_is_kept(write_record, counts):
    header = write_record(counts, record_line="rec1 12 500 500 12:04:00 22/09/2182")
    assert read(header).acquired_at == datetime(2182, 9, 22, 12, 4)


def test_what_is_declared_must_agree_with_the_header(write_record, counts):
    header = write_record(counts)
    record = read(
        header, units="mv", sampling_rate_hz=500, leads=[lead.upper() for lead in CANONICAL_LEADS]
    )
    assert record.leads == CANONICAL_LEADS
    with pytest.raises(SamplingRateError, match="states 500 Hz, declared are 250 Hz"):
        read(header, sampling_rate_hz=250)
    with pytest.raises(EcgError, match="states mV, declared is uV"):
        read(header, units="uV")
    with pytest.raises(LeadError, match="declared leads"):
        read(header, leads=MIMIC_LEADS)
    with pytest.raises(LeadError, match="declared leads"):
        read(header, leads=["I", "II"])


def test_leads_can_be_declared_where_the_header_names_none(write_record, counts):
    header = write_record(counts[:2], leads=("ch1", "ch2"))
    with pytest.raises(LeadError, match="declare leads"):
        read(header)
    assert read(header, leads=["II", "V5"]).leads == ("II", "V5")


def test_doubled_leads_are_refused(write_record, counts):
    with pytest.raises(LeadError, match="aVR is in the WFDB header twice"):
        read(write_record(counts[:2], leads=("aVR", "AVR")))


def test_a_missing_header_is_one_clear_error(tmp_path):
    with pytest.raises(EcgError, match=r"no readable WFDB header \(\.hea\)"):
        read(tmp_path / "absent.dat")


def test_a_missing_signal_file_is_one_clear_error(write_record, counts):
    header = write_record(counts)
    header.with_suffix(".dat").unlink()
    with pytest.raises(EcgError, match=r"\.dat file named in the WFDB header is missing"):
        read(header)


@pytest.mark.parametrize("kept", [0, 1, 7000, 11999])
def test_a_truncated_signal_file_is_refused_with_both_sizes(write_record, counts, kept):
    header = write_record(counts)
    data = header.with_suffix(".dat")
    data.write_bytes(data.read_bytes()[:kept])
    with pytest.raises(EcgError, match=f"truncated: {kept} bytes, needed 12000"):
        read(header)


def test_an_altered_signal_file_is_refused(write_record, counts):
    header = write_record(counts)
    data = bytearray(header.with_suffix(".dat").read_bytes())
    data[100] ^= 1
    header.with_suffix(".dat").write_bytes(data)
    with pytest.raises(EcgError, match="checksums of 1 of 12"):
        read(header)


def test_a_checksum_of_zero_is_one_that_was_not_computed(write_record, counts):
    assert read(write_record(counts, checksums=[0] * 12)).signal_mv.shape == (12, 500)


@pytest.mark.parametrize(
    ("record_line", "error", "message"),
    [
        ("rec1 12 0 500", SamplingRateError, "states 0 Hz"),
        ("rec1 12", SamplingRateError, "states no sampling rate"),
        ("rec1 12 nan 500", SamplingRateError, "is no plain number"),
        ("rec1 12 5e2 500", SamplingRateError, "is no plain number"),
        ("rec1 twelve 500 500", EcgError, "cannot be understood"),
        ("rec1", EcgError, "no record line"),
        ("rec1 11 500 500", EcgError, "announces 11 signals and describes 12"),
        ("rec1 15 500 500", EcgError, "announces 15 signals and describes 12"),
        ("rec1/3 12 500 500", EcgError, "several segments"),
        ("rec1 12 500 5000000000", EcgError, "truncated"),
    ],
)
def test_a_broken_record_line_is_one_clear_error(write_record, counts, record_line, error, message):
    with pytest.raises(error, match=message):
        read(write_record(counts, record_line=record_line))


def test_a_rate_may_name_that_of_a_counter_too(write_record, counts):
    record_line = "rec1 12 500/1000(-3) 500"
    assert read(write_record(counts, record_line=record_line)).sampling_rate_hz == 500


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_gain_of_next_to_nothing_is_no_warning(write_record, counts):
    record = read(write_record(counts, gain="1e-300(0)"))
    assert not np.isfinite(record.signal_mv).all()


@pytest.mark.parametrize(
    "line",
    [
        "other.dat abc 1000/mV 16 0 0 0 0 I",
        "other.dat 16 fast/mV 16 0 0 0 0 I",
        "other.dat 16x4 1000/mV 16 0 0 0 0 I",
        "../other.dat 16 1000/mV 16 0 0 0 0 I",
        "/etc/hostname 16 1000/mV 16 0 0 0 0 I",
        "s3://bucket/other.dat 16 1000/mV 16 0 0 0 0 I",
        "",
    ],
)
def test_a_broken_or_straying_signal_line_is_refused(tmp_path, line):
    header = tmp_path / "rec1.hea"
    header.write_text(f"rec1 1 500 500\n{line}\n")
    with pytest.raises(EcgError) as caught:
        read(header)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 100, b"# only a comment\n", b"\n\n"])
def test_a_header_of_something_else_is_refused(tmp_path, content):
    header = tmp_path / "rec1.hea"
    header.write_bytes(content)
    with pytest.raises(EcgError):
        read(header)


def test_a_signal_file_of_absurd_size_is_refused_before_it_is_read(write_record, counts):
    header = write_record(counts)
    with header.with_suffix(".dat").open("ab") as file:
        file.truncate(1 << 30)
    with pytest.raises(EcgError, match="a signal file of 1073741824 bytes"):
        read(header)


@pytest.mark.parametrize("ending", [".dat", ".QUIXWORTH"])
def test_no_word_of_a_broken_header_is_in_a_message_or_a_log(write_record, counts, ending, caplog):
    caplog.set_level(logging.DEBUG)
    names = ["QUIXWORTH"] * 12
    told = []
    for options in ({"leads": names}, {"units": "QUIXWORTH"}, {"gain": "QUIXWORTH"}):
        header = write_record(counts, ending=ending, **options)
        for more in ({}, {"leads": ["I"]}):
            with pytest.raises(EcgError) as caught:
                read(header, **more)
            told.append(str(caught.value))
    header.with_suffix(ending).unlink()
    with pytest.raises(EcgError) as caught:
        read(header)
    assert "QUIXWORTH" not in " ".join((*told, str(caught.value), caplog.text))


def test_messages_name_neither_file_nor_record(write_record, counts):
    header = write_record(counts, name="patient-4711")
    header.with_suffix(".dat").unlink()
    with pytest.raises(EcgError) as caught:
        read(header)
    assert "4711" not in str(caught.value)


def test_real_records_are_read_whole_and_pass_their_checksums(sample_records):
    for header in sample_records:
        record = read(header)
        canonical = canonicalise(record)
        assert canonical.signal_mv.shape == (12, 5000)
        assert canonical.lead_mask.all()
        steps = record.signal_mv / record.lsb_mv[:, None]
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-2)


def test_a_real_rhythm_is_found_in_most_real_records(sample_records):
    rates = [heart_rate_and_r_peaks(read(header)) for header in sample_records]
    found = [rate.beats_per_minute for rate in rates if rate is not None]
    assert len(found) >= 0.8 * len(sample_records)
    assert all(30 < rate < 220 for rate in found)


def test_known_oddities_of_real_records_are_flagged(sample_records):
    by_name = {header.stem: header for header in sample_records}
    if not {"JS20004", "JS20011"} & by_name.keys():
        pytest.skip("neither JS20004 nor JS20011 is among the records")
    if "JS20004" in by_name:
        assert assess(read(by_name["JS20004"])).leads("flat-lead") == ("V2", "V4", "V6")
    if "JS20011" in by_name:
        verdict = assess(read(by_name["JS20011"]))
        assert set(verdict.leads("flat-run")) >= {"I", "II", "III", "aVR", "aVL", "aVF"}
        assert verdict.leads("implausible-amplitude")


def test_limb_leads_of_real_records_agree(sample_records):
    for header in sample_records:
        verdict = assess(read(header))
        assert not verdict.leads("einthoven")
        assert not verdict.leads("goldberger")
