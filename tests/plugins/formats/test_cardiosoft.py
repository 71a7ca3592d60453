from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from cardionets_core.ecg.leads import CANONICAL_LEADS
from cardionets_core.errors import EcgError, LeadError, SamplingRateError
from cardionets_formats.cardiosoft import read, read_bytes


@pytest.fixture
def content(made_up):
    return made_up.cardiosoft(made_up.counts_of())


def changed(content: bytes, old: bytes, new: bytes) -> bytes:
    """The file with the strip altered, and only it."""
    before, mark, strip = content.partition(b"<StripData>")
    assert old in strip
    return before + mark + strip.replace(old, new, 1)


def refusal(content: bytes, kind: type[EcgError] = EcgError, **declared) -> str:
    with pytest.raises(kind) as caught:
        read_bytes(content, "record 7", **declared)
    message = str(caught.value)
    assert message.startswith("record 7: ")
    assert "\n" not in message
    return message


def test_the_strip_is_read_in_mv_and_not_the_beat_or_the_disclosure(made_up, content, tmp_path):
    counts = made_up.counts_of()
    path = tmp_path / "r.xml"
    path.write_bytes(content)
    record = read(path)
    assert record.leads == CANONICAL_LEADS
    assert record.sampling_rate_hz == 500.0
    assert record.acquired_at == datetime(2018, 3, 1, 7, 5, 9)
    assert record.derived_leads == ()
    np.testing.assert_array_equal(record.lsb_mv, 0.005)
    wanted = np.stack([row * 0.005 for row in counts.values()]).astype(np.float32)
    np.testing.assert_array_equal(record.signal_mv, wanted)


def test_leads_are_taken_by_name_whatever_their_order_and_case(made_up):
    counts = made_up.counts_of()
    shuffled = {name.upper(): counts[name] for name in reversed(CANONICAL_LEADS)}
    record = read_bytes(made_up.cardiosoft(shuffled), "r")
    assert record.leads == CANONICAL_LEADS[::-1]
    for name, row in zip(record.leads, record.signal_mv, strict=True):
        np.testing.assert_allclose(row, counts[name] * 0.005, atol=1e-6)


@pytest.mark.parametrize(
    ("resolution", "unit", "step_mv"),
    [(5, "uVperLsb", 0.005), ("2.5", "\u00b5VperLSB", 0.0025), ("0.005", "mV per lsb", 0.005)],
)
def test_the_resolution_is_applied_in_its_unit(made_up, resolution, unit, step_mv):
    counts = made_up.counts_of(leads=("II",))
    record = read_bytes(made_up.cardiosoft(counts, resolution=resolution, unit=unit), "r")
    np.testing.assert_allclose(record.signal_mv[0], counts["II"] * step_mv, rtol=1e-6)
    np.testing.assert_allclose(record.lsb_mv, step_mv)


def test_other_leads_are_left_out(made_up):
    counts = made_up.counts_of(leads=("I", "V1"))
    record = read_bytes(made_up.cardiosoft({"X": counts["I"], **counts, "2": counts["I"]}), "r")
    assert record.leads == ("I", "V1")


def test_an_exercise_test_is_refused_as_such(made_up):
    strips = made_up.cardiosoft(made_up.counts_of(leads=("I",)))
    strips = strips.replace(b"<StripData>", b"<StripData><Strip>")
    strips = strips.replace(b"</StripData>", b"</Strip></StripData>")
    assert "exercise" in refusal(strips)


def test_a_file_with_the_beat_only_is_refused(content):
    start, end = content.index(b"<StripData>"), content.index(b"</StripData>") + 12
    assert "no rhythm strip" in refusal(content[:start] + content[end:], LeadError)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b">500</SampleRate>", b"></SampleRate>", "states no sampling rate"),
        (b">500</SampleRate>", b">0</SampleRate>", "0 Hz"),
        (b">500</SampleRate>", b">-500</SampleRate>", "-500 Hz"),
        (b">500</SampleRate>", b">1e99</SampleRate>", "1e+99 Hz"),
        (b">500</SampleRate>", b">500,0</SampleRate>", "no number"),
        (b'"Hz">500', b'"kHz">500', "another unit"),
        (b">5</Resolution>", b"></Resolution>", "no Resolution"),
        (b">5</Resolution>", b">0</Resolution>", "step of 0 mV"),
        (b">5</Resolution>", b">nan</Resolution>", "no number"),
        (b">5</Resolution>", b">5000000</Resolution>", "step of 5000 mV"),
        (b">5</Resolution>", b">" + b"9" * 99 + b"</Resolution>", "no number"),
        (b'"uVperLsb"', b'"Quixworth per lsb"', "none of mV"),
        (b'"uVperLsb"', b'""', "no unit"),
        (b"<NumberOfLeads>12<", b"<NumberOfLeads>8<", "states 8, found are 12"),
        (b"Total>1000<", b"Total>5000<", "states 5000, found are 1000"),
        (b'lead="II"', b'lead="I"', "lead I is there twice"),
        (b",", b",,", "a sample is empty"),
        (b",", b"#", "not all whole numbers"),
        (b",", b",1234567890,", "up to nine digits"),
        (b",", b".", "not all whole numbers"),
        (b",", b" ", "no whole number"),
        (b"<NumberOfLeads>12<", b"<NumberOfLeads>1_2<", "no whole number"),
        (b"<SampleRate", b"<SampleRate>250</SampleRate><SampleRate", "several times"),
    ],
)
def test_what_is_missing_or_damaged_is_refused_in_one_line(content, old, new, told):
    assert told in refusal(changed(content, old, new))


def test_a_cut_lead_is_refused_even_without_a_stated_length(content):
    start = content.index(b"<StripData>")
    total = b"<ChannelSampleCountTotal>1000</ChannelSampleCountTotal>"
    shorter = content[:start] + content[start:].replace(total, b"")
    assert read_bytes(shorter, "r").signal_mv.shape == (12, 1000)
    at = shorter.index(b",", shorter.index(b'lead="V6"', start))
    end = shorter.index(b"</WaveformData>", at)
    assert "same number for all" in refusal(shorter[:at] + shorter[end:])


def test_a_comma_after_the_last_sample_is_no_sample(content):
    record = read_bytes(changed(content, b"\n\t\t</WaveformData>", b",\n</WaveformData>"), "r")
    assert record.signal_mv.shape == (12, 1000)


@pytest.mark.parametrize("field", ["Hour", "Year", "Second"])
def test_a_date_that_is_incomplete_or_impossible_is_none(content, field):
    start = content.index(f"<{field}>".encode())
    end = content.index(f"</{field}>".encode())
    for text in (b"", b"99", b"x"):
        cut = content[: start + len(field) + 2] + text + content[end:]
        assert read_bytes(cut, "r").acquired_at is None or (field, text) == ("Year", b"99")


def test_what_is_declared_has_to_agree(content):
    record = read_bytes(content, "r", units="uV", sampling_rate_hz=500, leads=CANONICAL_LEADS)
    assert record.leads == CANONICAL_LEADS
    assert "declared mV" in refusal(content, units="mV")
    assert "declared are 250 Hz" in refusal(content, SamplingRateError, sampling_rate_hz=250)
    for leads in (["I", "II"], [*CANONICAL_LEADS, "X"], ["I", *CANONICAL_LEADS]):
        assert "declared leads" in refusal(content, LeadError, leads=leads)


def test_what_the_file_leaves_open_may_be_declared(content):
    open_rate = changed(content, b">500</SampleRate>", b"></SampleRate>")
    assert read_bytes(open_rate, "r", sampling_rate_hz=250).sampling_rate_hz == 250.0
    open_unit = changed(content, b'"uVperLsb"', b'""')
    np.testing.assert_allclose(read_bytes(open_unit, "r", units="uV").lsb_mv, 0.005)


def test_the_longest_strip_with_most_leads_is_taken(made_up):
    def block(leads, seconds):
        whole = made_up.cardiosoft(made_up.counts_of(seconds, leads=leads))
        start, end = whole.index(b"<StripData>"), whole.index(b"</StripData>") + 12
        return whole[start:end]

    content = made_up.cardiosoft(made_up.counts_of(1.0))
    more = block(CANONICAL_LEADS, 2.0) + block(("II",), 4.0)
    record = read_bytes(content.replace(b"</CardiologyXML>", more + b"</CardiologyXML>"), "r")
    assert record.signal_mv.shape == (12, 1000)
