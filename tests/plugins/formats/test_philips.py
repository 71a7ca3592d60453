from __future__ import annotations

import base64
import subprocess
import sys
from datetime import datetime

import numpy as np
import pytest

from cardionets_core.ecg.leads import CANONICAL_LEADS
from cardionets_core.errors import EcgError, LeadError, SamplingRateError
from cardionets_core.reading import read_ecg
from cardionets_formats import xli
from cardionets_formats.philips import read, read_bytes


@pytest.fixture
def content(made_up):
    return made_up.philips(made_up.counts_of(), encoding="utf-8")


def changed(content: bytes, old: bytes, new: bytes, count: int = 1) -> bytes:
    assert old in content
    return content.replace(old, new, count)


def refusal(content: bytes, kind: type[EcgError] = EcgError, **declared) -> str:
    with pytest.raises(kind) as caught:
        read_bytes(content, "record 7", **declared)
    message = str(caught.value)
    assert message.startswith("record 7: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("version", ["1.03", "1.04", "1.04.01", "1.04.02"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_ten_seconds_are_read_in_mv_and_no_calibration(made_up, tmp_path, version, encoding):
    counts = made_up.counts_of(10.0)
    content = made_up.philips(made_up.with_calibration(counts), version=version, encoding=encoding)
    path = tmp_path / "r.xml"
    path.write_bytes(content)
    record = read(path)
    assert record.leads == CANONICAL_LEADS
    assert record.sampling_rate_hz == 500.0
    assert record.derived_leads == ()
    assert record.acquired_at == datetime(2020, 5, 18, 15, 48, 11)
    np.testing.assert_array_equal(record.lsb_mv, 0.005)
    wanted = np.stack([row * 0.005 for row in counts.values()]).astype(np.float32)
    np.testing.assert_array_equal(record.signal_mv, wanted)


def test_ten_seconds_are_kept_at_any_rate(made_up):
    counts = made_up.counts_of(10.5, rate_hz=1000.0, leads=("I", "II", "V1"))
    content = made_up.philips(counts, rate=1000, duration_ms=10500)
    assert read_bytes(content, "r").signal_mv.shape == (3, 10_000)


def test_a_shorter_strip_is_kept_whole(made_up, content):
    assert read_bytes(content, "r").signal_mv.shape == (12, 1000)


def test_leads_are_taken_and_restored_by_name_whatever_their_order(made_up):
    order = ("V6", "aVF", "aVL", "aVR", "III", "II", "I", "V1")
    counts = made_up.counts_of(leads=order, seed=3)
    counts["aVL"] = counts["aVL"] + 9
    record = read_bytes(made_up.philips({"V3R": counts["V1"], **counts}), "r")
    assert record.leads == order
    wanted = np.stack([counts[name] * 0.005 for name in order])
    np.testing.assert_allclose(record.signal_mv, wanted, atol=1e-6)


def test_the_empty_channels_of_a_device_with_sixteen_are_left_out(made_up):
    counts = made_up.counts_of()
    record = read_bytes(made_up.philips(counts, version="1.03", blank_channels=4), "r")
    assert record.leads == CANONICAL_LEADS
    np.testing.assert_allclose(record.signal_mv[11], counts["V6"] * 0.005, atol=1e-6)


def test_the_resolution_is_in_microvolts(made_up):
    counts = made_up.counts_of()
    record = read_bytes(made_up.philips(counts, resolution="2.5"), "r")
    np.testing.assert_allclose(record.signal_mv[1], counts["II"] * 0.0025, rtol=1e-6)


@pytest.mark.parametrize("kind", ["noise", "square", "flat", "extremes"])
def test_compression_gives_back_any_samples_exactly(made_up, kind):
    rng = np.random.default_rng(1)
    samples = {
        "noise": rng.integers(-2000, 2000, 700),
        "square": np.where(np.arange(700) // 90 % 2, 8000, -8000),
        "flat": np.full(700, -5),
        "extremes": np.where(np.arange(700) < 350, -8191, 8191),
    }[kind]
    block = made_up.xli_block(samples)
    np.testing.assert_array_equal(xli.unpacked(block, 700), samples)


@pytest.mark.parametrize("samples", [2, 3, 4, 5])
def test_compression_gives_back_the_shortest_strips(made_up, samples):
    row = np.array([4, -7, 2, 9, 1][: max(samples, 3)])
    np.testing.assert_array_equal(xli.unpacked(made_up.xli_block(row), len(row)), row)


def test_ours_is_what_sierraecg_reads(made_up, tmp_path):
    import sierraecg

    path = tmp_path / "r.xml"
    path.write_bytes(made_up.philips(made_up.counts_of(seed=4)))
    record = read(path)
    theirs = sierraecg.read_file(str(path)).leads
    assert [lead.label for lead in theirs] == list(record.leads)
    for row, lead in zip(record.signal_mv, theirs, strict=True):
        np.testing.assert_array_equal(np.rint(row / 0.005), lead.samples)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b">1.04.01<", b">2.0<", "unknown version"),
        (b'compression="XLI"', b'compression="Huffman"', "XLI"),
        (b'compression="XLI"', b"", "XLI"),
        (b'compression="XLI"', b'compression="XLI" compressflag="False"', "XLI"),
        (b'dataencoding="Base64" dur', b'dataencoding="Plain" dur', "not in Base64"),
        (b"<bitspersample>16<", b"<bitspersample>12<", "bitspersample is there several"),
        (b"<signaloffset>0<", b"<signaloffset>7<", "signaloffset is there several"),
        (b"<samplingrate>500<", b"<samplingrate>1000<", "samplingrate is there several"),
        (b"<signalsigned>True<", b"<signalsigned>False<", "samples unsigned"),
        (b"<resolution>5<", b"<resolution>10<", "resolution is there several"),
        (b'durationperchannel="2000"', b'durationperchannel="2002"', "damaged or cut off"),
        (b'durationperchannel="2000"', b'durationperchannel="1998"', "damaged or cut off"),
        (b'durationperchannel="2000"', b'durationperchannel="2001"', "whole number"),
        (b'durationperchannel="2000"', b'durationperchannel="999999998"', "up to 100000"),
        (b'durationperchannel="2000"', b"", "0 ms"),
        (b'numberofleads="12"', b'numberofleads="13"', "states 13 leads and names 12"),
        (b'numberofleads="12"', b'numberofleads="-1"', "states -1 leads"),
        (b'leadlabels="I II', b'leadlabels="I I', "lead is there twice"),
        (b'leadlabels="I II', b'leadlabels="X II', "needed them to restore"),
        (b'leadlabels="I II III ', b'leadlabels="I II ', "states 12 leads and names 11"),
    ],
)
def test_what_is_missing_or_damaged_is_refused_in_one_line(content, old, new, told):
    assert told in refusal(changed(content, old, new))


@pytest.mark.parametrize("name", ["bitspersample", "signaloffset"])
def test_other_widths_and_offsets_are_refused(content, name):
    old = {"bitspersample": b"16", "signaloffset": b"0"}[name]
    both = content.replace(b"<%b>%b<" % (name.encode(), old), b"<%b>24<" % name.encode())
    both = both.replace(b'%b="%b"' % (name.encode(), old), b'%b="24"' % name.encode())
    assert "needed plain 16 bits" in refusal(both)


def test_a_rate_or_resolution_that_is_nowhere_is_refused(content):
    no_rate = content.replace(b"<samplingrate>500<", b"<samplingrate><")
    no_rate = no_rate.replace(b' samplespersecond="500"', b"")
    assert "states no sampling rate" in refusal(no_rate, SamplingRateError)
    assert read_bytes(no_rate, "r", sampling_rate_hz=500).sampling_rate_hz == 500.0
    no_step = content.replace(b"<resolution>5<", b"<resolution><")
    assert "no resolution" in refusal(no_step.replace(b' resolution="5"', b""))


def test_a_file_that_does_not_name_its_leads_is_refused(made_up):
    content = made_up.philips(made_up.counts_of(), version="1.03", encoding="utf-8")
    assert "names neither" in refusal(content.replace(b"STD-12", b"CUSTOM"), LeadError)


def test_two_or_no_waveforms_are_refused(content):
    start = content.index(b"<parsedwaveforms")
    end = content.index(b"</parsedwaveforms>") + 18
    assert "2 elements" in refusal(content[:end] + content[start:end] + content[end:])
    assert "0 elements" in refusal(content[:start] + content[end:])


def with_raw(content: bytes, raw: bytes) -> bytes:
    """The file with other compressed bytes."""
    start = content.index(b">", content.index(b"<parsedwaveforms")) + 1
    end = content.index(b"</parsedwaveforms>")
    return content[:start] + base64.b64encode(raw) + content[end:]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\1",
        bytes(8),
        (-8).to_bytes(4, "little", signed=True) + bytes(400),
        (-(1 << 31)).to_bytes(4, "little", signed=True) + bytes(400),
        (1 << 30).to_bytes(4, "little") + bytes(400),
        (20).to_bytes(4, "little") + bytes(4) + b"\xff" * 20,
        (20).to_bytes(4, "little") + bytes(4) + b"\x7f" * 20,
    ],
)
def test_blocks_that_lead_nowhere_are_refused_and_not_followed_for_ever(content, raw):
    assert "damaged or cut off" in refusal(with_raw(content, raw))


def test_a_compression_bomb_is_not_unpacked(content):
    # Ever longer runs of zeros: a thousand bytes for every ten bits.
    codes = [0, *range(256, 1023), *[1022] * 500_000]
    bits = "".join(f"{code:010b}" for code in codes)
    bits += "0" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    block = len(packed).to_bytes(4, "little") + bytes(4) + packed
    assert "damaged or cut off" in refusal(with_raw(content, block * 12))


def test_sums_beyond_16_bits_are_refused_and_not_wrapped(made_up, content):
    rise = np.arange(1000) ** 2 // 20
    assert rise.max() > 32767
    block = made_up.xli_block(rise)
    assert "damaged or cut off" in refusal(with_raw(content, block * 12))
    low, high = np.full(1000, -30_000), np.full(1000, 30_000)
    blocks = [made_up.xli_block(row) for row in (low, high, *[low] * 10)]
    assert "damaged or cut off" in refusal(with_raw(content, b"".join(blocks)))


def test_text_that_is_no_base64_is_refused(content):
    start = content.index(b">", content.index(b"<parsedwaveforms")) + 1
    assert "no base64" in refusal(content[:start] + b"!" + content[start:])


def test_what_is_declared_has_to_agree(content):
    read_bytes(content, "r", units="uV", sampling_rate_hz=500, leads=CANONICAL_LEADS)
    assert "declared mV" in refusal(content, units="mV")
    assert "declared are 250 Hz" in refusal(content, SamplingRateError, sampling_rate_hz=250)
    assert "declared leads" in refusal(content, LeadError, leads=["I"])


@pytest.mark.parametrize("date", [b'date=""', b'date="18.05.2020"', b'date="2020-13-41"'])
def test_a_date_that_is_none_is_left_open(content, date):
    assert read_bytes(changed(content, b'date="2020-05-18"', date), "r").acquired_at is None


def test_a_missing_sierraecg_is_named_with_the_extra_that_brings_it(made_up, tmp_path):
    path = tmp_path / "r.xml"
    path.write_bytes(made_up.philips(made_up.counts_of(1.0)))
    read_ecg(path)
    program = (
        "import sys; sys.modules['sierraecg'] = None\n"
        "from cardionets_core.reading import read_ecg\n"
        "from cardionets_core.errors import PluginError\n"
        "try:\n    read_ecg(sys.argv[1])\n"
        "except PluginError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert "cardionets[formats]" in done.stdout
