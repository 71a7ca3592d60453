from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from cardionets_core.ecg.leads import CANONICAL_LEADS
from cardionets_core.errors import EcgError, LeadError, SamplingRateError
from cardionets_formats.aecg import read, read_bytes

FDA_ORDER = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6", "III", "aVR", "aVL", "aVF")


@pytest.fixture
def content(made_up):
    return made_up.aecg(made_up.counts_of())


def changed(content: bytes, old: bytes, new: bytes) -> bytes:
    """The file with the rhythm series altered, and only it."""
    before, mark, after = content.partition(b'code="RHYTHM"')
    rhythm, end, rest = after.partition(b"<derivation>")
    assert old in rhythm
    return before + mark + rhythm.replace(old, new, 1) + end + rest


def refusal(content: bytes, kind: type[EcgError] = EcgError, **declared) -> str:
    with pytest.raises(kind) as caught:
        read_bytes(content, "record 7", **declared)
    message = str(caught.value)
    assert message.startswith("record 7: ")
    assert "\n" not in message
    return message


def test_the_rhythm_is_read_in_mv_and_no_derived_beat(made_up, tmp_path):
    counts = made_up.counts_of(leads=FDA_ORDER)
    path = tmp_path / "r.xml"
    path.write_bytes(made_up.aecg(counts))
    record = read(path)
    assert record.leads == FDA_ORDER
    assert record.derived_leads == ()
    assert record.sampling_rate_hz == 500.0
    assert record.acquired_at == datetime(2024, 3, 14, 10, 35, 17)
    np.testing.assert_array_equal(record.lsb_mv, 0.005)
    wanted = np.stack([row * 0.005 for row in counts.values()]).astype(np.float32)
    np.testing.assert_array_equal(record.signal_mv, wanted)


@pytest.mark.parametrize(
    ("increment", "unit", "rate_hz"),
    [
        ("0.002", "s", 500.0),
        ("2", "ms", 500.0),
        ("2000", "us", 500.0),
        ("1.0E-3", "s", 1000.0),
        ("0.00277778", "s", 360.0),
        ("0.0039", "s", 1 / 0.0039),
    ],
)
@pytest.mark.parametrize("kind", ["TIME_ABSOLUTE", "TIME_RELATIVE"])
def test_the_rate_is_one_over_the_increment_in_its_unit(made_up, increment, unit, rate_hz, kind):
    content = made_up.aecg(
        made_up.counts_of(leads=("I", "II")), increment=increment, increment_unit=unit, time=kind
    )
    assert read_bytes(content, "r").sampling_rate_hz == pytest.approx(rate_hz, rel=1e-12)


@pytest.mark.parametrize(
    ("scale", "unit", "step_mv"),
    [("2.5", "uV", 0.0025), ("0.005", "mV", 0.005), (2500, "nV", 0.0025), ("5e-6", "V", 0.005)],
)
def test_scale_and_origin_are_applied_in_their_units(made_up, scale, unit, step_mv):
    counts = made_up.counts_of(leads=("I", "V1"))
    content = made_up.aecg(counts, scale=scale, unit=unit, origin=50, origin_unit="uV")
    record = read_bytes(content, "r")
    wanted = np.stack([0.05 + row * step_mv for row in counts.values()])
    np.testing.assert_allclose(record.signal_mv, wanted, rtol=1e-6)
    np.testing.assert_allclose(record.lsb_mv, step_mv)


def test_an_origin_between_two_steps_leaves_the_step_unknown(made_up):
    counts = made_up.counts_of(leads=("I", "II"))
    record = read_bytes(made_up.aecg(counts, origin="1.7"), "r")
    np.testing.assert_allclose(record.signal_mv[0], 0.0017 + counts["I"] * 0.005, rtol=1e-6)
    assert np.isnan(record.lsb_mv).all()


def test_leads_other_than_the_twelve_are_left_out(made_up):
    counts = made_up.counts_of(leads=("I", "V1"))
    record = read_bytes(made_up.aecg({"X": counts["I"], **counts, "V3R": counts["I"]}), "r")
    assert record.leads == ("I", "V1")


def test_a_namespace_with_a_prefix_or_none_gives_the_same(content):
    wanted = read_bytes(content, "r").signal_mv
    none = content.replace(b'xmlns="urn:hl7-org:v3" ', b"")
    prefixed = none.replace(b"<", b"<h:").replace(b"<h:/", b"</h:")
    prefixed = prefixed.replace(b"<h:!", b"<!").replace(b"<h:?", b"<?")
    prefixed = prefixed.replace(b"<h:AnnotatedECG ", b'<h:AnnotatedECG xmlns:h="urn:hl7-org:v3" ')
    for other in (none, prefixed):
        np.testing.assert_array_equal(read_bytes(other, "r").signal_mv, wanted)


def test_of_several_rhythms_the_longest_with_most_leads_is_taken(made_up):
    longer = made_up.counts_of(3.0, seed=5)
    more = [
        made_up.aecg_series(made_up.aecg_sequences(longer)),
        made_up.aecg_series(made_up.aecg_sequences(made_up.counts_of(9.0, leads=("II",)))),
    ]
    record = read_bytes(made_up.aecg(made_up.counts_of(), more=more), "r")
    assert record.signal_mv.shape == (12, 1500)
    np.testing.assert_allclose(record.signal_mv[0], longer["I"] * 0.005, atol=1e-6)
    # That series states no time of its own: the time of the whole ECG stands in.
    assert record.acquired_at == datetime(2025, 1, 1)


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [
        (b"202403141035", datetime(2024, 3, 14, 10, 35)),
        (b"20240314103517", datetime(2024, 3, 14, 10, 35, 17)),
        (b"20240314103517-0500", datetime(2024, 3, 14, 10, 35, 17)),
        (b"20240314", datetime(2025, 1, 1)),
        (b"20241314103517", None),
        (b"", datetime(2025, 1, 1)),
    ],
)
def test_the_time_is_that_of_the_clock_at_the_place(content, stated, wanted):
    other = changed(content, b"20240314103517.250+0800", stated)
    assert read_bytes(other, "r").acquired_at == wanted


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'increment value="0.002"', b'increment value=""', "states no sampling rate"),
        (b'increment value="0.002"', b'increment value="0"', "no time"),
        (b'increment value="0.002"', b'increment value="-1"', "no time"),
        (b'increment value="0.002"', b'increment value="1e-300"', "Hz"),
        (b'increment value="0.002"', b'increment value="x"', "no number"),
        (b'value="0.002" unit="s"', b'value="0.002" unit="h"', "no time"),
        (b'code="TIME_ABSOLUTE"', b'code="OTHER"', "states no sampling rate"),
        (b'<scale value="5"', b'<scale value=""', "states no scale"),
        (b'<scale value="5"', b'<scale value="-5"', "step of -0.005 mV"),
        (b'<scale value="5"', b'<scale value="5000000"', "step of 5000 mV"),
        (b'<scale value="5" unit="uV"', b'<scale value="5" unit="Quixworth"', "none of mV"),
        (b'<scale value="5" unit="uV"', b'<scale value="5"', "no unit"),
        (b'<origin value="0" unit="uV"', b'<origin value="7" unit="kg"', "none of mV"),
        (b'<origin value="0" unit="uV"', b'<origin value="1e400" unit="uV"', "too large"),
        (b'<origin value="0" unit="uV"', b'<origin value="9e99" unit="uV"', "beyond any voltage"),
        (b'MDC_ECG_LEAD_II"', b'MDC_ECG_LEAD_I"', "lead I is there twice"),
        (b"<digits>", b"<digits>1.5 ", "not all whole numbers"),
        (b"<digits>", b"<digits>nan ", "not all whole numbers"),
        (b"<digits>", b"<digits>1_0 ", "not all whole numbers"),
        (b"<digits>", b"<digits>1 ", "same number for all"),
        (b"<digits>", b"<digits>+-1 ", "no whole number"),
        (b"<digits>", b"<digits>1234567890 ", "up to nine digits"),
        (b"</digits>", b"</digits><digits>1</digits>", "2 blocks of digits"),
        (b"</sequenceSet>", b"<component/></sequenceSets>", "broken at line"),
    ],
)
def test_what_is_missing_or_damaged_is_refused_in_one_line(content, old, new, told):
    assert told in refusal(changed(content, old, new))


def test_two_time_sequences_that_differ_are_refused(content):
    more = (
        b'<component><sequence><code code="TIME_RELATIVE"/><value>'
        b'<increment value="0.004" unit="s"/></value></sequence></component></sequenceSet>'
    )
    told = refusal(changed(content, b"</sequenceSet>", more), SamplingRateError)
    assert "different increments" in told


def test_a_file_without_a_rhythm_is_refused(content):
    assert "no series of code RHYTHM" in refusal(content.replace(b'"RHYTHM"', b'"OTHER"'))


def test_a_rhythm_without_leads_is_refused(content):
    assert "no rhythm strip" in refusal(content.replace(b"MDC_ECG_LEAD_", b"MDC_"), LeadError)


def test_what_is_declared_has_to_agree(content):
    read_bytes(content, "r", units="uV", sampling_rate_hz=500, leads=CANONICAL_LEADS[::-1])
    assert "declared mV" in refusal(content, units="mV")
    assert "declared are 250 Hz" in refusal(content, SamplingRateError, sampling_rate_hz=250)
    assert "declared leads" in refusal(content, LeadError, leads=["I"])


def test_what_the_file_leaves_open_may_be_declared(content):
    open_rate = changed(content, b'code="TIME_ABSOLUTE"', b'code="OTHER"')
    assert read_bytes(open_rate, "r", sampling_rate_hz=250).sampling_rate_hz == 250.0
    open_unit = content.replace(b' unit="uV"', b"")
    np.testing.assert_allclose(read_bytes(open_unit, "r", units="uV").lsb_mv, 0.005)
