from __future__ import annotations

import os
import struct
import sys
import traceback
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardionets_core.errors import EcgError, LeadError, SamplingRateError
from cardionets_formats.scp import read, read_bytes
from cardionets_formats.scp_huffman import DEFAULT_CODES, Code, codes_of, decode

sys.path.insert(0, str(Path(__file__).parent))

import made_up_scp as made_up
from mutating import check_reads_or_refuses, mutations, peak_bytes

MUTATIONS = 1000


def counts_of(leads=12, samples=300, seed=3):
    """A signal with steps that take every length of code, to both ends of 16 bits."""
    rng = np.random.default_rng(seed)
    steps = rng.choice([0, 1, -1, 3, -7, 8, -9, 100, -127, -128, 128, 900], (leads, samples))
    return (np.cumsum(steps, axis=1) % 4001 - 2000).astype(np.int16)


def read_sections(sections, **declared):
    return read_bytes(made_up.record(sections), "file", **declared)


@pytest.mark.parametrize("huffman", [True, False])
@pytest.mark.parametrize("difference", [0, 1, 2])
def test_counts_become_millivolts_exactly_however_they_are_coded(huffman, difference):
    counts = counts_of()
    record = read_sections(made_up.sections_of(counts, difference=difference, huffman=huffman))
    np.testing.assert_array_equal(record.signal_mv, (counts * 0.0025).astype(np.float32))
    assert record.leads == made_up.LEADS
    assert record.sampling_rate_hz == 500.0
    assert record.acquired_at == datetime(2022, 3, 4, 5, 6, 7)
    np.testing.assert_allclose(record.lsb_mv, 0.0025)


def test_a_file_is_read_like_its_bytes(tmp_path):
    counts = counts_of()
    path = made_up.write(tmp_path, counts)
    np.testing.assert_array_equal(
        read(path).signal_mv, read_bytes(path.read_bytes(), "file").signal_mv
    )


def test_step_and_rate_are_those_of_the_rhythm():
    sections = made_up.sections_of(counts_of(), huffman=False, difference=0)
    streams = [made_up.plain([400] * 300)] * 12
    sections[6] = made_up.rhythm_section(streams, nanovolts=5000, interval_us=1000)
    record = read_sections(sections)
    np.testing.assert_allclose(record.signal_mv, 2.0)
    np.testing.assert_allclose(record.lsb_mv, 0.005)
    assert record.sampling_rate_hz == 1000.0


def test_eight_leads_in_any_order_give_twelve_with_the_derived_ones_named():
    leads = ("V6", "II", "V1", "I", "V2", "V3", "V4", "V5")
    counts = counts_of(8)
    record = read_sections(made_up.sections_of(counts, leads))
    assert record.leads == (*leads, "III", "aVR", "aVL", "aVF")
    assert record.derived_leads == ("III", "aVR", "aVL", "aVF")
    one, two = counts[3] * 0.0025, counts[1] * 0.0025
    derived = np.array([two - one, -(one + two) / 2, one - two / 2, two - one / 2])
    np.testing.assert_allclose(record.signal_mv[8:], derived, atol=1e-6)


def test_leads_that_are_none_of_the_twelve_are_left_out():
    counts = counts_of(3)
    sections = made_up.sections_of(counts, ("I", "I", "V2"))
    sections[3] = made_up.leads_section(["I", 99, "V2"], 300)
    record = read_sections(sections)
    assert record.leads == ("I", "V2")
    np.testing.assert_array_equal(record.signal_mv[1], (counts[2] * 0.0025).astype(np.float32))


def test_leads_recorded_one_after_the_other_lie_where_they_were_recorded():
    counts = counts_of(2)
    sections = made_up.sections_of(counts, ("I", "V1"))
    sections[3] = made_up.leads_section(["I", "V1"], 300, first=[1, 301])
    record = read_sections(sections)
    assert record.signal_mv.shape == (2, 600)
    np.testing.assert_array_equal(record.signal_mv[1, 300:], (counts[1] * 0.0025).astype("f4"))
    assert np.isnan(record.signal_mv[0, 300:]).all()
    assert np.isnan(record.signal_mv[1, :300]).all()


def test_the_default_table_is_the_standards_own():
    stream = made_up.default_huffman(range(-300, 301))
    np.testing.assert_array_equal(decode(stream, 601, DEFAULT_CODES), np.arange(-300, 301))
    ends = [-32768, 32767, 0, -9, 9, 127, -128, 128]
    np.testing.assert_array_equal(decode(made_up.default_huffman(ends), 8, DEFAULT_CODES), ends)


def stored_table(*codes):
    """Section 2 of one table of prefix, entire bits, mode, base, and prefix as text of bits."""
    made = struct.pack("<HH", 1, len(codes))
    for text, entire_bits, mode, base in codes:
        made += struct.pack("<BBBhI", len(text), entire_bits, mode, base, int(text[::-1], 2))
    return made


def test_a_table_in_the_file_is_read_with_first_bits_lowest_and_bases_added():
    table = stored_table(("0", 1, 1, 5), ("10", 2, 1, -300), ("110", 7, 1, 100), ("111", 19, 1, 0))
    assert codes_of(table)[2] == Code(3, 0b110, 4, 100)
    bits = "0" + "10" + "110" + "1111" + "110" + "0111" + "111" + f"{-3000 & 0xFFFF:016b}"
    bits += "0" * (-len(bits) % 8)
    stream = int(bits, 2).to_bytes(len(bits) // 8, "big")
    sections = {
        2: table,
        3: made_up.leads_section(["V3"], 5),
        6: made_up.rhythm_section([stream]),
    }
    record = read_sections(sections)
    np.testing.assert_allclose(record.signal_mv[0] / 0.0025, [5, -300, 99, 107, -3000], rtol=1e-6)
    assert record.acquired_at is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=200), st.integers(0, 2))
def test_every_signal_of_16_bits_survives_default_coding(values, difference):
    counts = np.array(values, dtype=np.int16)
    coded = made_up.differences(counts, difference)
    if max(coded) > 32767 or min(coded) < -32768:
        return
    stream = made_up.default_huffman(coded)
    sections = {
        2: made_up.DEFAULT_TABLE,
        3: made_up.leads_section(["II"], len(values)),
        6: made_up.rhythm_section([stream], difference=difference, nanovolts=1000),
    }
    signal_mv = read_sections(sections).signal_mv[0]
    np.testing.assert_array_equal(np.round(signal_mv.astype(np.float64) * 1000), counts)


@pytest.mark.parametrize(
    ("section", "date"),
    [
        (made_up.tags(time=bytes((23, 59, 59))), datetime(2022, 3, 4, 23, 59, 59)),
        (made_up.tags(time=b""), None),
        (made_up.tags(date=struct.pack("<HBB", 2022, 13, 4)), None),
        (made_up.tags(date=b"\0"), None),
        (b"\x19\xff\xff", None),
        (b"", None),
    ],
)
def test_the_time_of_acquisition_is_kept_if_the_file_says_it(section, date):
    assert read_sections(made_up.sections_of(counts_of()) | {1: section}).acquired_at == date


def test_a_patient_blanked_out_by_hand_costs_the_date_and_not_the_record():
    content = made_up.record(made_up.sections_of(counts_of()))
    blanked = content.replace(made_up.PLANTED[0], b"x" * 11)
    record = read_bytes(blanked, "file")
    assert record.acquired_at is None
    np.testing.assert_array_equal(record.signal_mv, read_bytes(content, "file").signal_mv)


def test_what_is_declared_must_agree_with_the_file():
    sections = made_up.sections_of(counts_of())
    leads = [lead.lower() for lead in made_up.LEADS]
    assert read_sections(sections, units="nV", sampling_rate_hz=500, leads=leads).signal_mv.any()
    with pytest.raises(SamplingRateError, match="states 500 Hz, declared are 250 Hz"):
        read_sections(sections, sampling_rate_hz=250)
    with pytest.raises(EcgError, match="than the declared uV"):
        read_sections(sections, units="uV")
    with pytest.raises(LeadError, match="declared leads I, II"):
        read_sections(sections, leads=["I", "II"])


def changed(**sections):
    made = made_up.sections_of(counts_of())
    for name, data in sections.items():
        number = int(name.removeprefix("s"))
        if data is None:
            del made[number]
        else:
            made[number] = data
    return made


STREAMS = [made_up.default_huffman([0] * 300)] * 12


@pytest.mark.parametrize(
    ("sections", "kind", "message"),
    [
        (
            changed(s3=made_up.leads_section(made_up.LEADS, 300, flags=0x65)),
            EcgError,
            "subtraction of a reference beat, which is not read; export it without",
        ),
        (
            changed(s6=made_up.rhythm_section(STREAMS, bimodal=1)),
            EcgError,
            "bimodally compressed, which is not read; export it without",
        ),
        (changed(s3=None), EcgError, r"no section 3 \(leads\)"),
        (changed(s6=None), EcgError, r"no section 6 \(rhythm\)"),
        (changed(s2=struct.pack("<HH", 2, 1)), EcgError, "2 Huffman tables"),
        (changed(s2=struct.pack("<HH", 1, 0)), EcgError, "0 codes in the first"),
        (changed(s2=struct.pack("<HH", 1, 9)), EcgError, "ends within its Huffman tables"),
        (changed(s2=b"\x01"), EcgError, "ends within its Huffman tables"),
        (changed(s2=stored_table(("0", 1, 0, 1))), EcgError, "switches tables"),
        (changed(s2=stored_table(("0", 1, 1, 0), ("01", 2, 1, 0))), EcgError, "begins with"),
        (changed(s2=stored_table(("0", 40, 1, 0))), EcgError, "a Huffman code of 1 bits in 40"),
        (
            changed(s2=struct.pack("<HHBBBhI", 1, 1, 0, 16, 1, 0, 0)),
            EcgError,
            "a Huffman code of 0 bits in 16",
        ),
        (changed(s2=struct.pack("<HHBBBhI", 1, 1, 2, 2, 1, 0, 7)), EcgError, "than its prefix"),
        (changed(s2=stored_table(("0", 1, 1, 0))), EcgError, "are no code"),
        (changed(s3=b""), EcgError, "section 3 is too short: 0 bytes, needed 2"),
        (changed(s3=b"\x0c\x64"), EcgError, "section 3 is too short: 2 bytes, needed 110"),
        (changed(s3=made_up.leads_section([], 300)), LeadError, "0 leads, none of them"),
        (changed(s3=made_up.leads_section([99] * 12, 300)), LeadError, "none of them one of"),
        (changed(s3=made_up.leads_section(["I"] * 12, 300)), LeadError, "lead I is there twice"),
        (changed(s3=made_up.leads_section(made_up.LEADS, 0)), EcgError, "from sample 1 to 0"),
        (changed(s3=made_up.leads_section(made_up.LEADS, 301)), EcgError, "end before 301"),
        (changed(s3=made_up.leads_section(made_up.LEADS, 2**31)), EcgError, "2147483648 samples"),
        (changed(s6=b"\0" * 5), EcgError, "section 6 is too short: 5 bytes, needed 30"),
        (
            changed(s6=made_up.rhythm_section(STREAMS)[:-1]),
            EcgError,
            "section 6 is too short",
        ),
        (changed(s6=made_up.rhythm_section(STREAMS, difference=3)), EcgError, "of order 3"),
        (changed(s6=made_up.rhythm_section(STREAMS, nanovolts=0)), EcgError, "a step of 0 mV"),
        (
            changed(s6=made_up.rhythm_section(STREAMS, interval_us=0)),
            SamplingRateError,
            "a sampling rate of 0 Hz",
        ),
        (
            changed(s2=None, s6=made_up.rhythm_section([made_up.plain([9] * 299)] * 12)),
            EcgError,
            "section 6 is too short: 598 bytes, needed 600",
        ),
        (
            changed(
                s2=None, s6=made_up.rhythm_section([made_up.plain([200] * 300)] * 12, difference=1)
            ),
            EcgError,
            "beyond 16 bits",
        ),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(sections, kind, message):
    with pytest.raises(kind, match=message) as caught:
        read_sections(sections)
    assert str(caught.value).startswith("file: ")
    assert "\n" not in str(caught.value)


def test_a_section_that_is_not_needed_may_be_damaged():
    sections = made_up.sections_of(counts_of()) | {7: bytes(20)}
    content = made_up.record(sections, checksums={7: 1})
    assert read_bytes(content, "file").signal_mv.shape == (12, 300)


def test_a_checksum_of_zero_is_one_that_was_not_computed():
    content = made_up.record(made_up.sections_of(counts_of()), checksums={2: 0, 3: 0, 6: 0})
    assert read_bytes(content, "file").signal_mv.shape == (12, 300)


def test_every_altered_bit_of_leads_and_rhythm_is_noticed():
    content = made_up.record(made_up.sections_of(counts_of(2, samples=40), ("I", "II")))
    start = content.index(made_up.leads_section(("I", "II"), 40)) - 16
    for at in range(start, len(content)):
        for bit in (0, 3, 7):
            altered = bytearray(content)
            altered[at] ^= 1 << bit
            with pytest.raises(EcgError):
                read_bytes(bytes(altered), "file")


@pytest.mark.parametrize("kept", [0, 1, 6, 21, 22, 100, 200, 1000, -1])
def test_a_truncated_file_is_refused(kept):
    content = made_up.record(made_up.sections_of(counts_of()))
    with pytest.raises(EcgError, match=r"truncated|not an SCP-ECG record"):
        read_bytes(content[:kept], "file")


def test_sections_that_point_elsewhere_are_refused():
    content = made_up.record(made_up.sections_of(counts_of()))
    pointer = 22 + 10 * 6
    for start in (0, 1, 8, len(content) - 3, len(content) + 9, 2**32 - 1):
        altered = bytearray(content)
        altered[pointer + 6 : pointer + 10] = struct.pack("<I", start)
        altered[6:8] = b"\0\0"
        with pytest.raises(EcgError, match="section 6"):
            read_bytes(bytes(altered), "file")


def test_announced_sizes_allocate_nothing():
    sections = changed(s3=made_up.leads_section(made_up.LEADS, 2**31))
    assert peak_bytes(read_bytes, made_up.record(sections)) < 1 << 20


def test_the_largest_record_that_is_read_takes_no_longer_than_a_moment():
    stream = bytes(65_535)
    sections = {
        2: made_up.DEFAULT_TABLE,
        3: made_up.leads_section(made_up.LEADS, 120_000),
        6: made_up.rhythm_section([stream] * 12),
    }
    assert check_reads_or_refuses(read_bytes, made_up.record(sections)) == ""


def test_no_patient_is_in_any_message_or_traceback():
    content = made_up.record(made_up.sections_of(counts_of(), huffman=False, difference=0))
    for damaged in mutations(content, 300, seed=5):
        try:
            read_bytes(damaged, "file")
        except EcgError as error:
            told = "".join(traceback.format_exception(error))
            assert "PLANTED" not in told
            assert "1933" not in told


@pytest.fixture(scope="module")
def real_files():
    root = os.environ.get("CARDIONETS_SAMPLE_DATA")
    files = sorted(Path(root, "ecg_vendor", "scp_ecg").glob("*.scp")) if root else []
    if not files:
        pytest.skip("CARDIONETS_SAMPLE_DATA holds no SCP-ECG file, or is unset")
    return files


def test_real_files_obey_einthoven_and_state_a_date(real_files):
    for path in real_files:
        record = read(path)
        one, two, three = (
            record.signal_mv[record.leads.index(lead)] for lead in ("I", "II", "III")
        )
        assert np.abs(one + three - two).max() < 0.05
        assert record.acquired_at is not None


def with_right_checksums(content):
    """A mutated record whose sections look undamaged, so that what is in them gets read."""
    made = bytearray(content)
    (length,) = struct.unpack_from("<I", content, 10)
    made[6:8] = b"\0\0"
    for at in range(22, min(6 + length, len(content)) - 9, 10):
        _, _, start = struct.unpack_from("<HII", content, at)
        if 0 < start < len(content) - 16:
            made[start - 1 : start + 1] = b"\0\0"
    return bytes(made)


def test_mutated_real_files_are_read_or_refused(real_files):
    for seed, path in enumerate(real_files):
        content = path.read_bytes()
        messages = set()
        for number, mutated in enumerate(mutations(content, MUTATIONS, seed)):
            damaged = with_right_checksums(mutated) if number % 2 else mutated
            messages.add(check_reads_or_refuses(read_bytes, damaged))
        assert len(messages) > 10


def test_mutated_made_up_files_are_read_or_refused():
    table = stored_table(("0", 1, 1, 5), ("10", 2, 1, -3), ("110", 7, 1, 10), ("111", 19, 1, 0))
    counts = counts_of(3, samples=50)
    plain = made_up.sections_of(counts, ("I", "II", "V1"), huffman=False, difference=1)
    for sections in (plain, plain | {2: table}, plain | {2: made_up.DEFAULT_TABLE}):
        content = made_up.record(sections)
        for mutated in mutations(content, MUTATIONS // 4, seed=9):
            check_reads_or_refuses(read_bytes, with_right_checksums(mutated))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([2, 3, 6]),
    st.one_of(
        st.binary(max_size=120),
        st.binary(min_size=2, max_size=60).map(lambda rest: b"\x01\x00\x02\x00" + rest),
    ),
)
def test_any_bytes_in_a_section_are_refused_or_read(number, data):
    sections = made_up.sections_of(counts_of(3, samples=30), ("I", "II", "V1"))
    check_reads_or_refuses(read_bytes, made_up.record(sections | {number: data}))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(content):
    for whole in (content, content[:16] + b"SCPECG" + content[16:]):
        check_reads_or_refuses(read_bytes, whole)
