from __future__ import annotations

import base64
import re
import zlib
from datetime import datetime

import numpy as np
import pytest

from cardionets_core.ecg.leads import CANONICAL_LEADS, to_canonical
from cardionets_core.errors import EcgError, LeadError, SamplingRateError
from cardionets_formats.muse import read, read_bytes

DERIVED = ("III", "aVR", "aVL", "aVF")


@pytest.fixture
def counts(made_up):
    return made_up.counts_of(leads=made_up.MUSE_LEADS)


@pytest.fixture
def content(made_up, counts):
    return made_up.muse(counts)


def changed(content: bytes, old: bytes, new: bytes) -> bytes:
    """The file with the rhythm altered, and only it."""
    before, mark, rhythm = content.partition(b"<WaveformType>Rhythm")
    assert old in rhythm
    return before + mark + rhythm.replace(old, new, 1)


def refusal(content: bytes, kind: type[EcgError] = EcgError, **declared) -> str:
    with pytest.raises(kind) as caught:
        read_bytes(content, "record 7", **declared)
    message = str(caught.value)
    assert message.startswith("record 7: ")
    assert "\n" not in message
    return message


def test_the_rhythm_is_read_in_mv_and_not_the_median_before_it(made_up, counts, content, tmp_path):
    path = tmp_path / "r.xml"
    path.write_bytes(content)
    record = read(path)
    assert record.leads == (*made_up.MUSE_LEADS, *DERIVED)
    assert record.derived_leads == DERIVED
    assert record.sampling_rate_hz == 500.0
    assert record.acquired_at == datetime(2024, 3, 14, 10, 35, 17)
    for name in made_up.MUSE_LEADS:
        row = record.signal_mv[record.leads.index(name)]
        np.testing.assert_array_equal(row, (counts[name] * 0.005).astype(np.float32))


def test_limb_leads_are_derived_exactly_in_counts(counts, content):
    record = read_bytes(content, "r")
    steps = dict(zip(record.leads, record.lsb_mv, strict=True))
    assert (steps["III"], steps["aVR"], steps["aVL"], steps["aVF"]) == (0.005, *[0.0025] * 3)
    i, ii = counts["I"], counts["II"]
    twice = {"III": 2 * (ii - i), "aVR": -(i + ii), "aVL": 2 * i - ii, "aVF": 2 * ii - i}
    for name, wanted in twice.items():
        row = record.signal_mv[record.leads.index(name)].astype(np.float64)
        np.testing.assert_array_equal(np.rint(row / 0.0025), wanted)
        np.testing.assert_array_equal(row.astype(np.float32), (wanted * 0.0025).astype(np.float32))


def test_derived_leads_are_those_of_the_core(content):
    record = read_bytes(content, "r")
    stored = [record.leads.index(name) for name in record.leads if name not in DERIVED]
    from dataclasses import replace

    eight = replace(
        record,
        signal_mv=record.signal_mv[stored],
        leads=tuple(record.leads[row] for row in stored),
        lsb_mv=record.lsb_mv[stored],
        derived_leads=(),
    )
    ours, core = to_canonical(record), to_canonical(eight)
    np.testing.assert_allclose(ours.signal_mv, core.signal_mv, atol=1e-6)
    np.testing.assert_array_equal(ours.lsb_mv, core.lsb_mv)
    assert ours.derived == core.derived == DERIVED


def test_stored_limb_leads_are_not_derived(made_up):
    counts = made_up.counts_of()
    counts["aVL"] = counts["aVL"] + 7
    record = read_bytes(made_up.muse(counts), "r")
    assert record.leads == CANONICAL_LEADS
    assert record.derived_leads == ()
    np.testing.assert_allclose(record.signal_mv[4], counts["aVL"] * 0.005, atol=1e-6)


def test_nothing_is_derived_where_i_and_ii_have_different_steps(content):
    record = read_bytes(changed(content, b"PerBit>5<", b"PerBit>2.5<"), "r")
    assert record.derived_leads == ()
    assert record.lsb_mv[0] == 0.0025
    assert to_canonical(record).derived == DERIVED


def test_the_lowest_number_is_no_sample_in_any_lead_that_needs_it(made_up, counts):
    counts["I"] = counts["I"].copy()
    counts["I"][10:20] = -32768
    record = read_bytes(made_up.muse(counts), "r")
    missing = np.isnan(record.signal_mv).sum(axis=1)
    needs = {"I", "III", "aVR", "aVL", "aVF"}
    assert {name for name, n in zip(record.leads, missing, strict=True) if n == 10} == needs
    assert missing.sum() == 50


@pytest.mark.parametrize(
    ("base", "exponent", "rate_hz"),
    [(500, 0, 500.0), (5, 2, 500.0), (5000, -1, 500.0), (1, 3, 1000.0), (250, 0, 250.0)],
)
def test_the_rate_is_base_times_ten_to_the_exponent(made_up, counts, base, exponent, rate_hz):
    record = read_bytes(made_up.muse(counts, base=base, exponent=exponent), "r")
    assert record.sampling_rate_hz == rate_hz


@pytest.mark.parametrize(
    ("step", "unit", "step_mv"),
    [("4.88", "MICROVOLTS", 0.00488), ("0.005", "MILLIVOLTS", 0.005), (2500, "NANOVOLTS", 0.0025)],
)
def test_the_step_is_applied_in_its_unit(made_up, counts, step, unit, step_mv):
    record = read_bytes(made_up.muse(counts, step=step, unit=unit), "r")
    np.testing.assert_allclose(record.lsb_mv[:8], step_mv)
    np.testing.assert_allclose(record.signal_mv[1], counts["II"] * step_mv, rtol=1e-6)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8", "UTF-16", "GB2312"])
def test_any_encoding_gives_the_same(made_up, counts, encoding):
    record = read_bytes(made_up.muse(counts, encoding=encoding), "r")
    np.testing.assert_allclose(record.signal_mv[0], counts["I"] * 0.005, atol=1e-6)


def test_of_several_rhythms_the_longest_with_most_leads_is_taken(made_up, counts):
    longer = made_up.counts_of(3.0, leads=made_up.MUSE_LEADS, seed=5)
    more = [
        made_up.muse_waveform(longer),
        made_up.muse_waveform(made_up.counts_of(1.0, leads=made_up.MUSE_LEADS)),
        made_up.muse_waveform(made_up.counts_of(9.0, leads=("II",))),
    ]
    record = read_bytes(made_up.muse(counts, more=more), "r")
    assert record.signal_mv.shape == (12, 1500)
    np.testing.assert_allclose(record.signal_mv[0], longer["I"] * 0.005, atol=1e-6)


def test_leads_are_taken_by_name_whatever_their_order_and_case(made_up, counts):
    shuffled = {name.lower(): counts[name] for name in reversed(made_up.MUSE_LEADS)}
    record = read_bytes(made_up.muse({**shuffled, "V3R": counts["I"]}), "r")
    assert record.leads == (*made_up.MUSE_LEADS[::-1], *DERIVED)
    np.testing.assert_allclose(record.signal_mv[0], counts["V6"] * 0.005, atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b">500</SampleBase>", b"></SampleBase>", "states no sampling rate"),
        (b">500</SampleBase>", b">0</SampleBase>", "0 Hz"),
        (b">500</SampleBase>", b">x</SampleBase>", "no number"),
        (b">0</SampleExponent>", b">999999999</SampleExponent>", "SampleExponent of 999999999"),
        (b">0</SampleExponent>", b">-999999999</SampleExponent>", "SampleExponent"),
        (b">0</SampleExponent>", b">6</SampleExponent>", "5e+08 Hz"),
        (b"CONTINUOUS_SAMPLES", b"OTHER", "not continuous"),
        (b"<NumberofLeads>8<", b"<NumberofLeads>12<", "states 12, found are 8"),
        (b"PerBit>5<", b"PerBit><", "its resolution"),
        (b"PerBit>5<", b"PerBit>-5<", "step of -0.005 mV"),
        (b"MICROVOLTS", b"VOLTS", "step of 5000 mV"),
        (b"MICROVOLTS", b"Quixworth", "none of mV"),
        (b"MICROVOLTS", b"", "no unit"),
        (b"ByteCountTotal>2000<", b"ByteCountTotal>1998<", "states 1998, found are 2000"),
        (b"SampleCountTotal>1000<", b"SampleCountTotal>999<", "states 999, found are 1000"),
        (b"<LeadSampleSize>2<", b"<LeadSampleSize>4<", "2 bytes per sample"),
        (b"<LeadDataCRC32>", b"<LeadDataCRC32>1", "disagrees with its LeadDataCRC32"),
        (b"<WaveFormData>", b"<WaveFormData>!", "no base64"),
        (b"<WaveFormData>", b"<WaveFormData>A", "states 2000, found are 2001"),
        (b"<WaveFormData>", b"<WaveFormData>AAAA", "states 2000, found are 2003"),
        (b"<LeadID>II<", b"<LeadID>I<", "lead I is there twice"),
        (b"<LeadTimeOffset>0<", b"<LeadTimeOffset>40<", "begin at different times"),
        (b"FirstSample>0<", b"FirstSample>40<", "begin at different times"),
        (b"FirstSampleBaseline>0<", b"FirstSampleBaseline>3<", "FirstSampleBaseline"),
    ],
)
def test_what_is_missing_or_damaged_is_refused_in_one_line(content, old, new, told):
    assert told in refusal(changed(content, old, new))


def test_a_change_of_any_sample_is_noticed_by_the_checksum(content):
    at = content.rindex(b"<WaveFormData>") + 20
    for offset in range(0, 400, 13):
        byte = content[at + offset : at + offset + 1]
        if byte.isalnum():
            other = b"A" if byte != b"A" else b"B"
            altered = content[: at + offset] + other + content[at + offset + 1 :]
            assert "disagrees with its LeadDataCRC32" in refusal(altered)


def test_leads_without_a_checksum_or_with_zero_are_read(content):
    wanted = read_bytes(content, "r").signal_mv
    for checksum in (b"", b"<LeadDataCRC32>0</LeadDataCRC32>", b"<LeadDataCRC32></LeadDataCRC32>"):
        other = re.sub(rb"<LeadDataCRC32>\d+</LeadDataCRC32>", checksum, content)
        np.testing.assert_array_equal(read_bytes(other, "r").signal_mv, wanted)


def test_a_shorter_lead_is_refused_even_if_it_says_so(made_up, counts):
    content = made_up.muse({**counts, "V6": counts["V6"][:-1]})
    assert "same number for all" in refusal(content)


def test_an_odd_number_of_bytes_is_refused(content):
    raw = b"\1\0\2"
    content = re.sub(rb"<LeadByteCountTotal>\d+", b"<LeadByteCountTotal>", content)
    one = f"<LeadDataCRC32>{zlib.crc32(raw)}</LeadDataCRC32><WaveFormData>".encode()
    pattern = rb"<LeadDataCRC32>\d+</LeadDataCRC32><WaveFormData>[^<]*"
    before, mark, rhythm = content.partition(b"<WaveformType>Rhythm")
    rhythm = re.sub(pattern, one + base64.b64encode(raw), rhythm, count=1)
    assert "2 bytes per sample" in refusal(before + mark + rhythm)


def test_a_file_with_the_median_only_is_refused(content):
    assert "no rhythm strip" in refusal(content.replace(b">Rhythm<", b">Median<"), LeadError)


@pytest.mark.parametrize(
    ("date", "wanted"),
    [
        ("03-14-2024", datetime(2024, 3, 14, 10, 35, 17)),
        ("03/14/2024", datetime(2024, 3, 14, 10, 35, 17)),
        ("2024-03-14", datetime(2024, 3, 14, 10, 35, 17)),
        ("14-03-2024", None),
        ("", None),
        ("yesterday", None),
    ],
)
def test_the_date_is_month_first_or_left_open(content, date, wanted):
    other = content.replace(b">03-14-2024<", f">{date}<".encode())
    assert read_bytes(other, "r").acquired_at == wanted


def test_a_date_without_time_is_left_open(content):
    assert read_bytes(content.replace(b">10:35:17<", b"><"), "r").acquired_at is None


def test_what_is_declared_has_to_agree(made_up, content):
    for leads in (made_up.MUSE_LEADS, CANONICAL_LEADS, [name.lower() for name in CANONICAL_LEADS]):
        read_bytes(content, "r", units="\u00b5V", sampling_rate_hz=500, leads=leads)
    assert "declared mV" in refusal(content, units="mV")
    assert "declared are 1000 Hz" in refusal(content, SamplingRateError, sampling_rate_hz=1000)
    assert "declared leads" in refusal(content, LeadError, leads=CANONICAL_LEADS[:6])


def test_what_the_file_leaves_open_may_be_declared(content):
    before, mark, rhythm = content.partition(b"<WaveformType>Rhythm")
    open_unit = before + mark + rhythm.replace(b"MICROVOLTS", b"")
    record = read_bytes(open_unit, "r", units="uV")
    np.testing.assert_array_equal(record.signal_mv, read_bytes(content, "r").signal_mv)
    open_rate = changed(content, b">500</SampleBase>", b"></SampleBase>")
    assert read_bytes(open_rate, "r", sampling_rate_hz=250).sampling_rate_hz == 250.0
