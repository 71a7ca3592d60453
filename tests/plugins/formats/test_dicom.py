from __future__ import annotations

import io
import logging
import os
import sys
import traceback
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from cardionets_core.errors import EcgError, LeadError, SamplingRateError
from cardionets_formats.dicom import read, read_bytes

sys.path.insert(0, str(Path(__file__).parent))

import made_up_dicom as made_up
from mutating import check_reads_or_refuses, mutations, peak_bytes

MUTATIONS = 1000


def counts_of(leads=12, samples=1500, seed=3, dtype=np.int16):
    limits = np.iinfo(dtype)
    low, high = max(limits.min + 1, -900), min(limits.max, 900)
    return np.random.default_rng(seed).integers(low, high, (leads, samples)).astype(dtype)


def read_made(*groups, **changed):
    made = made_up.dataset(*groups)
    for keyword, value in changed.items():
        setattr(made, keyword, value)
    return read_bytes(made_up.to_bytes(made), "file")


def test_counts_become_millivolts_exactly_with_the_step_of_each_lead(tmp_path):
    counts = counts_of()
    record = read(made_up.write(tmp_path, counts))
    np.testing.assert_array_equal(record.signal_mv, (counts * 0.0025).astype(np.float32))
    assert record.leads == made_up.LEADS
    assert record.sampling_rate_hz == 500.0
    assert record.derived_leads == ()
    assert record.acquired_at == datetime(2022, 3, 4, 5, 6, 7)
    np.testing.assert_allclose(record.lsb_mv, 0.0025)
    np.testing.assert_array_equal(np.round(record.signal_mv / record.lsb_mv[:, None]), counts)


def test_the_general_ecg_class_is_read_too():
    assert read_made(made_up.group(counts_of()), SOPClassUID=made_up.GENERAL).signal_mv.any()


@pytest.mark.parametrize(
    ("unit", "factor"), [("uV", 1e-3), ("mV", 1.0), ("V", 1e3), ("\N{MICRO SIGN}V", 1e-3)]
)
def test_the_unit_of_the_sensitivity_counts(unit, factor):
    counts = counts_of()
    made = made_up.group(counts)
    step = 0.0025 / factor
    made.ChannelDefinitionSequence = [
        made_up.channel(lead, sensitivity=step, unit=unit) for lead in made_up.LEADS
    ]
    record = read_made(made, SpecificCharacterSet="ISO_IR 100")
    np.testing.assert_allclose(record.signal_mv, counts * 0.0025, rtol=1e-6)


def test_correction_factor_and_baseline_of_each_channel_count():
    counts = counts_of()
    made = made_up.group(counts)
    made.ChannelDefinitionSequence[4].ChannelSensitivityCorrectionFactor = 2
    made.ChannelDefinitionSequence[5].ChannelBaseline = 100
    record = read_made(made)
    np.testing.assert_allclose(record.signal_mv[4], counts[4] * 0.005, rtol=1e-6)
    np.testing.assert_allclose(record.signal_mv[5], counts[5] * 0.0025 + 0.1, rtol=1e-5)
    np.testing.assert_array_equal(record.signal_mv[6], (counts[6] * 0.0025).astype(np.float32))


def test_leads_are_known_by_code_by_words_and_by_label_in_any_order():
    order = made_up.LEADS[::-1]
    counts = counts_of()
    made = made_up.group(counts, order)
    mdc, words, wordy, label = made.ChannelDefinitionSequence[:4]
    mdc.ChannelSourceSequence = [made_up.code("2:8", "MDC", "unknown")]
    words.ChannelSourceSequence = [made_up.code("X1", "99HOUSE", "Lead V5 (precordial)")]
    wordy.ChannelSourceSequence = [made_up.code("X2", "99HOUSE", "V4, chest")]
    del label.ChannelSourceSequence
    label.ChannelLabel = "v3"
    record = read_made(made)
    assert record.leads == order
    np.testing.assert_array_equal(record.signal_mv, (counts * 0.0025).astype(np.float32))


def test_channels_that_are_no_leads_are_left_out():
    counts = counts_of()
    made = made_up.group(counts)
    made.ChannelDefinitionSequence[2].ChannelSourceSequence = [
        made_up.code("5.6.3-9-199", "SCPECG", "Respiration")
    ]
    record = read_made(made)
    assert "III" in record.derived_leads
    np.testing.assert_array_equal(record.signal_mv[2], (counts[3] * 0.0025).astype(np.float32))


def test_eight_leads_give_twelve_with_the_derived_ones_named():
    leads = ("V1", "II", "I", "V2", "V3", "V4", "V5", "V6")
    counts = counts_of(8)
    record = read_made(made_up.group(counts, leads))
    assert record.leads == (*leads, "III", "aVR", "aVL", "aVF")
    assert record.derived_leads == ("III", "aVR", "aVL", "aVF")
    one, two = counts[2] * 0.0025, counts[1] * 0.0025
    derived = np.array([two - one, -(one + two) / 2, one - two / 2, two - one / 2])
    np.testing.assert_allclose(record.signal_mv[8:], derived, atol=1e-6)


@pytest.mark.parametrize("median_first", [True, False])
def test_the_rhythm_is_taken_and_never_the_median(median_first):
    counts = counts_of(samples=500)
    groups = [made_up.median(samples=600), made_up.group(counts)]
    record = read_made(*(groups if median_first else groups[::-1]))
    np.testing.assert_array_equal(record.signal_mv, (counts * 0.0025).astype(np.float32))


def test_without_labels_a_short_derived_group_is_a_median():
    counts = counts_of(samples=5000)
    short = made_up.group(counts_of(samples=600), label="", originality="DERIVED")
    assert read_made(short, made_up.group(counts, label="")).signal_mv.shape == (12, 5000)
    with pytest.raises(EcgError, match="none of them a recorded rhythm"):
        read_made(short)


def test_the_group_with_most_leads_is_taken_and_of_equals_the_longest():
    strip = made_up.group(counts_of(1, samples=5000), ["II"])
    twelve = made_up.group(counts_of(samples=1250))
    assert read_made(strip, twelve).signal_mv.shape == (12, 1250)
    longer = made_up.group(counts_of(samples=2500))
    assert read_made(twelve, longer, strip).signal_mv.shape == (12, 2500)


def test_a_damaged_median_does_not_matter():
    made = made_up.median()
    made.WaveformBitsAllocated = 12
    made.SamplingFrequency = 0
    made.NumberOfWaveformChannels = 3
    counts = counts_of()
    assert read_made(made, made_up.group(counts)).signal_mv.shape == counts.shape


def test_a_padding_value_within_the_range_is_a_true_sample():
    counts = counts_of()
    counts[3, 100:200] = 0
    made = made_up.group(counts)
    made.add_new("WaveformPaddingValue", "OW", b"\0\0")
    record = read_made(made)
    np.testing.assert_array_equal(record.signal_mv, (counts * 0.0025).astype(np.float32))


def test_the_lowest_count_is_a_missing_sample_declared_or_not():
    counts = counts_of()
    counts[3, 100:200] = -32768
    made = made_up.group(counts)
    assert np.isnan(read_made(made).signal_mv[3, 100:200]).all()
    made.add_new("WaveformPaddingValue", "OW", b"\0\x80")
    record = read_made(made)
    assert np.isnan(record.signal_mv).sum() == 100


def test_of_unsigned_counts_a_padding_value_at_an_end_is_missing():
    counts = counts_of(dtype=np.uint16)
    counts[0, :10] = 65535
    made = made_up.group(counts)
    assert not np.isnan(read_made(made).signal_mv).any()
    made.add_new("WaveformPaddingValue", "OW", b"\xff\xff")
    assert np.isnan(read_made(made).signal_mv).sum() == 10


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4"])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_every_width_sign_and_byte_order_is_read(dtype, syntax):
    counts = counts_of(dtype=np.dtype(dtype))
    # As pydicom writes 8-bit words: without turning them around.
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    made = made_up.dataset(made_up.group(counts, byte_order=order))
    record = read_bytes(made_up.to_bytes(made, syntax), "file")
    np.testing.assert_allclose(record.signal_mv, counts * 0.0025, rtol=1e-6)


@pytest.mark.parametrize(
    ("said", "date"),
    [
        ({"AcquisitionDateTime": "20220304050607.123000+0100"}, datetime(2022, 3, 4, 5, 6, 7)),
        ({"AcquisitionDateTime": "202203040506"}, datetime(2022, 3, 4, 5, 6)),
        (
            {"AcquisitionDateTime": "", "ContentDate": "20210102", "ContentTime": "030405.5"},
            datetime(2021, 1, 2, 3, 4, 5),
        ),
        (
            {"AcquisitionDateTime": "", "StudyDate": "20210102", "StudyTime": "030405"},
            datetime(2021, 1, 2, 3, 4, 5),
        ),
        ({"AcquisitionDateTime": "", "StudyDate": "20210102"}, None),
        ({"AcquisitionDateTime": "20221399050607"}, None),
    ],
)
def test_the_time_of_acquisition_is_kept_if_the_file_says_it(said, date):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = made_up.dataset(made_up.group(counts_of()))
        for keyword, value in said.items():
            setattr(made, keyword, value)
        content = made_up.to_bytes(made)
    assert read_bytes(content, "file").acquired_at == date


def test_what_is_declared_must_agree_with_the_file(tmp_path):
    path = made_up.write(tmp_path, counts_of())
    leads = [lead.upper() for lead in made_up.LEADS]
    assert read(path, units="uV", sampling_rate_hz=500, leads=leads).leads == made_up.LEADS
    with pytest.raises(SamplingRateError, match="states 500 Hz, declared are 250 Hz"):
        read(path, sampling_rate_hz=250)
    with pytest.raises(EcgError, match="than the declared mV"):
        read(path, units="mV")
    with pytest.raises(LeadError, match="declared leads I, II"):
        read(path, leads=["I", "II"])


def test_a_missing_unit_may_be_declared():
    made = made_up.group(counts_of())
    for item in made.ChannelDefinitionSequence:
        del item.ChannelSensitivityUnitsSequence
    content = made_up.to_bytes(made_up.dataset(made))
    with pytest.raises(EcgError, match="declare units"):
        read_bytes(content, "file")
    assert read_bytes(content, "file", units="uV").lsb_mv[0] == pytest.approx(0.0025)


def without(*keywords):
    def change(made):
        for keyword in keywords:
            delattr(made, keyword)

    return change


def setting(**changed):
    def change(made):
        for keyword, value in changed.items():
            setattr(made, keyword, value)

    return change


def first_channel(change):
    return lambda made: change(made.ChannelDefinitionSequence[0])


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (without("WaveformData"), EcgError, "0 bytes of signal, needed 36000"),
        (setting(NumberOfWaveformSamples=1501), EcgError, "needed 36024"),
        (setting(NumberOfWaveformSamples=900), EcgError, "36000 bytes of signal, needed 21600"),
        (setting(NumberOfWaveformSamples=2**31), EcgError, "2147483648 samples"),
        (setting(NumberOfWaveformSamples=0), EcgError, "36000 bytes of signal, needed 0"),
        (setting(NumberOfWaveformChannels=8), EcgError, "announces 8 channels and describes 12"),
        (without("ChannelDefinitionSequence"), EcgError, "describes 0"),
        (setting(WaveformBitsAllocated=12), EcgError, "samples of 12 bits"),
        (setting(WaveformSampleInterpretation="MB"), EcgError, "samples of 16 bits"),
        (setting(SamplingFrequency=0), SamplingRateError, "0 Hz"),
        (without("SamplingFrequency"), SamplingRateError, "states no sampling rate"),
        (first_channel(without("ChannelSensitivity")), EcgError, "lead I has no sensitivity"),
        (first_channel(setting(ChannelSensitivity=0)), EcgError, "a step of 0 mV for lead I"),
        (first_channel(setting(ChannelSensitivity="1e400")), EcgError, "beyond any number"),
        (
            first_channel(setting(ChannelSensitivityUnitsSequence=[made_up.code("Pa", "U", "p")])),
            EcgError,
            "none of mV",
        ),
        (
            first_channel(
                setting(ChannelSourceSequence=[made_up.code("5.6.3-9-62", "SCPECG", "Lead aVL")])
            ),
            LeadError,
            "code of lead aVR and the name of aVL",
        ),
        (
            first_channel(
                setting(ChannelSourceSequence=[made_up.code("5.6.3-9-2", "SCPECG", "Lead II")])
            ),
            LeadError,
            "lead II is there twice",
        ),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(change, kind, message):
    made = made_up.group(counts_of())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        change(made)
        content = made_up.to_bytes(made_up.dataset(made))
    with pytest.raises(kind, match=message) as caught:
        read_bytes(content, "file")
    assert str(caught.value).startswith("file: ")
    assert "\n" not in str(caught.value)


def test_a_group_without_samples_is_no_rhythm():
    with pytest.raises(EcgError, match="1 waveform groups, none of them a recorded rhythm"):
        read_made(made_up.group(counts_of(samples=0)))


def test_a_file_without_any_of_the_leads_is_refused():
    made = made_up.group(counts_of(2), ["I", "II"])
    for item in made.ChannelDefinitionSequence:
        item.ChannelSourceSequence = [made_up.code("1", "99HOUSE", "pressure")]
    with pytest.raises(LeadError, match="2 channels, none of them one of the 12 leads"):
        read_made(made)


def test_other_files_are_refused_as_what_they_are():
    made = made_up.dataset(made_up.group(counts_of()))
    whole = made_up.to_bytes(made)
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    for content, message in (
        (b"", "no 'DICM' at byte 128"),
        (whole[4:], "no 'DICM' at byte 128"),
        (whole[:132], "without a known transfer syntax"),
        (made_up.to_bytes(made), "a DICOM file of another kind"),
        (made_up.to_bytes(made_up.dataset()), "0 waveform groups"),
    ):
        with pytest.raises(EcgError, match=message):
            read_bytes(content, "file")


def test_a_missing_file_is_one_clear_error_without_its_name(tmp_path):
    with pytest.raises(EcgError, match="cannot be read") as caught:
        read(tmp_path / "PLANTEDNAME.dcm")
    assert "PLANTED" not in str(caught.value)


def test_a_deflated_file_is_refused_before_it_can_swell():
    made = made_up.dataset(made_up.group(counts_of()))
    made.add_new((0x7FE1, 0x0010), "LO", "made up")
    made.add_new((0x7FE1, 0x1001), "OB", bytes(20 << 20))
    content = made_up.to_bytes(made, DeflatedExplicitVRLittleEndian)
    assert len(content) < 1 << 20
    with pytest.raises(EcgError, match="deflated"):
        read_bytes(content, "file")
    assert peak_bytes(read_bytes, content) < 2 << 20


def test_announced_sizes_allocate_nothing():
    made = made_up.group(counts_of())
    made.NumberOfWaveformSamples = 2**32 - 1
    assert peak_bytes(read_bytes, made_up.to_bytes(made_up.dataset(made))) < 8 << 20


def hostile_values():
    """Files whose errors could quote the patient."""
    made = made_up.dataset(made_up.group(counts_of()))
    made.SOPInstanceUID = "PLANTEDID42"
    yield made
    made = made_up.dataset(made_up.group(counts_of()))
    made.WaveformSequence[0].add_new("SamplingFrequency", "LO", "PLANTEDNAME")
    yield made
    made = made_up.dataset(made_up.group(counts_of()))
    made.WaveformSequence[0].MultiplexGroupLabel = "PLANTEDNAME BEAT"
    yield made
    made = made_up.dataset(made_up.group(counts_of()))
    source = made_up.code("PLANTEDID42", "PLANTEDNAME", "PLANTEDNAME 19330317")
    for item in made.WaveformSequence[0].ChannelDefinitionSequence:
        item.ChannelSourceSequence = [source]
    yield made
    made = made_up.dataset(made_up.group(counts_of()))
    units = made_up.code("PLANTEDNAME", "PLANTEDNAME", "PLANTEDNAME")
    made.WaveformSequence[0].ChannelDefinitionSequence[0].ChannelSensitivityUnitsSequence = [units]
    yield made
    made = made_up.dataset(made_up.group(counts_of()), sop_class="1.2.PLANTEDID42")
    yield made


def test_no_patient_is_in_any_message_warning_log_or_traceback(caplog):
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contents = [made_up.to_bytes(made) for made in hostile_values()]
    whole = contents[0]
    contents += [whole[: len(whole) * part // 12] for part in range(1, 12)]
    contents += list(mutations(whole, 200, seed=11))
    caplog.clear()
    for content in contents:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                read_bytes(content, "file")
                told = ""
            except EcgError as error:
                told = "".join(traceback.format_exception(error))
        seen = told + caplog.text + "".join(str(warning.message) for warning in warned)
        assert not [planted for planted in made_up.PLANTED if planted in seen]


def test_reading_leaves_logging_and_warnings_as_they_were():
    logger = logging.getLogger("pydicom")
    level, filters = logger.level, list(warnings.filters)
    with pytest.raises(EcgError):
        read_bytes(bytes(200), "file")
    assert (logger.level, list(warnings.filters)) == (level, filters)


@pytest.fixture(scope="module")
def real_files():
    root = os.environ.get("CARDIONETS_SAMPLE_DATA")
    files = sorted(Path(root, "ecg_dicom").glob("*.dcm")) if root else []
    if not files:
        pytest.skip("CARDIONETS_SAMPLE_DATA holds no DICOM ECG, or is unset")
    return files


def test_real_files_equal_pydicoms_own_waveforms(real_files):
    for path in real_files:
        record = read(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path)
            labels = [item.get("MultiplexGroupLabel") for item in dataset.WaveformSequence]
            rhythm = labels.index("RHYTHM") if "RHYTHM" in labels else 0
            expected_uv = dataset.waveform_array(rhythm).T
        np.testing.assert_allclose(record.signal_mv, expected_uv / 1000, atol=1e-6)
        assert np.isfinite(record.signal_mv).all()
        assert record.acquired_at is not None


def test_real_files_obey_einthoven(real_files):
    for path in real_files:
        record = read(path)
        one, two, three = (
            record.signal_mv[record.leads.index(lead)] for lead in ("I", "II", "III")
        )
        assert np.abs(one + three - two).max() < 0.05


def test_mutated_real_files_are_read_or_refused(real_files):
    for seed, path in enumerate(real_files):
        content = path.read_bytes()
        read_bytes(content, "file")
        for mutated in mutations(content, MUTATIONS, seed):
            check_reads_or_refuses(read_bytes, mutated)


def test_mutated_made_up_files_are_read_or_refused():
    counts = counts_of(samples=60)
    made = made_up.dataset(made_up.group(counts), made_up.group(counts, label=""))
    for syntax in (ImplicitVRLittleEndian, made_up.ExplicitVRLittleEndian):
        content = made_up.to_bytes(made, syntax)
        messages = {
            check_reads_or_refuses(read_bytes, mutated)
            for mutated in mutations(content, MUTATIONS // 5, seed=7)
        }
        assert len(messages) > 5


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=2000), st.booleans())
def test_any_bytes_are_refused_or_read(content, begins_well):
    whole = made_up.to_bytes(made_up.dataset(made_up.group(counts_of(samples=60))))
    start = whole[: whole.index(b"\x08\x00\x16\x00", 200)] if begins_well else b""
    check_reads_or_refuses(read_bytes, start + content)


def test_the_builder_writes_what_pydicom_reads():
    counts = counts_of()
    content = made_up.to_bytes(made_up.dataset(made_up.group(counts)))
    dataset = pydicom.dcmread(io.BytesIO(content))
    np.testing.assert_array_equal(dataset.waveform_array(0).T, counts * 2.5)
