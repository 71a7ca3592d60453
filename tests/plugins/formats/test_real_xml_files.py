"""The real files at hand: what is read is what stands in them."""

from __future__ import annotations

import importlib
import re
from datetime import datetime

import numpy as np
import pytest

import cardionets_core as cn
from cardionets_core.ecg.leads import CANONICAL_LEADS, to_canonical
from cardionets_core.ecg.quality import assess

MUSE_ORDER = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6", "III", "aVR", "aVL", "aVF")
# Reader, samples, rate, step in mV, first counts of II and V6, time, leads in order.
KNOWN = {
    "cardiosoft_xml/ecgprocess_example-XML1.xml": (
        "cardiosoft", 5000, 500.0, 0.005, (22, 23, 23, 20), (-13, -14, -13, -12),
        datetime(2018, 7, 19, 14, 19, 39), CANONICAL_LEADS,
    ),
    "ge_muse_xml/braveheart_example1.xml": (
        "muse", 5000, 500.0, 0.00488, (-22, -22, -22, -22), (-14, -14, -14, -14),
        None, MUSE_ORDER,
    ),
    "ge_muse_xml/guangxi_teaching_sinus_rhythm.xml": (
        "muse", 5000, 500.0, 0.00488, (90, 89, 89, 88), (56, 54, 50, 50),
        datetime(2024, 1, 1, 10, 35, 17), MUSE_ORDER,
    ),
    "hl7_aecg/fda_aecg-python_subject1_0.xml": (
        "aecg", 5000, 500.0, 0.0025, (-7, -7, -7, -7), (-9, -7, -5, -3),
        datetime(2002, 11, 22, 9, 10), MUSE_ORDER,
    ),
    "hl7_aecg/liryc_hl7aecg_example_synthetic.xml": (
        "aecg", 1000, 100.0, 0.005, (-32, -30, -28, -31), (-42, -40, -38, -41),
        datetime(2025, 9, 23, 10, 35, 50), CANONICAL_LEADS,
    ),
    "philips_xml/sierra_1_03_129DYPRG.xml": (
        "philips", 5000, 500.0, 0.005, (117, 115, 111, 107), (28, 25, 25, 24),
        datetime(2011, 12, 1, 7, 27, 34), CANONICAL_LEADS,
    ),
    "philips_xml/sierra_1_04_01_2020-5-18_15-48-11.xml": (
        "philips", 5000, 500.0, 0.005, (139, 137, 134, 129), (11, 11, 11, 10),
        datetime(2020, 5, 18, 15, 48, 11), CANONICAL_LEADS,
    ),
}  # fmt: skip


@pytest.fixture(params=KNOWN)
def known(request, vendor_folder):
    path = vendor_folder / request.param
    if not path.is_file():
        pytest.skip(f"{request.param} is not at hand")
    return path, KNOWN[request.param]


def test_every_file_gives_its_known_samples_rate_step_and_time(known):
    path, (reader, samples, rate_hz, step_mv, ii, v6, acquired_at, leads) = known
    record = importlib.import_module(f"cardionets_formats.{reader}").read(path)
    assert record.leads == leads
    assert record.signal_mv.shape == (12, samples)
    assert record.sampling_rate_hz == rate_hz
    assert record.acquired_at == acquired_at
    assert np.isfinite(record.signal_mv).all()
    rows = dict(zip(record.leads, record.signal_mv.astype(np.float64), strict=True))
    steps = dict(zip(record.leads, record.lsb_mv, strict=True))
    for name, counts in (("II", ii), ("V6", v6)):
        assert steps[name] == step_mv
        np.testing.assert_allclose(rows[name][:4], np.array(counts) * step_mv, rtol=1e-6)


def test_every_file_is_in_whole_steps(known):
    path, (reader, *_) = known
    record = importlib.import_module(f"cardionets_formats.{reader}").read(path)
    counts = record.signal_mv.astype(np.float64) / record.lsb_mv[:, None]
    np.testing.assert_allclose(counts, np.rint(counts), atol=2e-3)


def test_limb_leads_obey_einthoven_and_goldberger_but_for_the_file_made_to_fail(known):
    path, (reader, *_) = known
    record = importlib.import_module(f"cardionets_formats.{reader}").read(path)
    flags = [flag.name for flag in assess(to_canonical(record)).flags]
    assert any("einthoven" in flag for flag in flags) == ("liryc" in path.name)
    if "liryc" not in path.name:
        i, ii, iii, avr, avl, avf = to_canonical(record).signal_mv[:6].astype(np.float64)
        for rest in (i + iii - ii, avr + (i + ii) / 2, avl - i + ii / 2, avf - ii + i / 2):
            assert np.abs(rest).max() < 0.05


def test_every_file_is_recognised_and_read_alike_by_read_ecg(known):
    path, (reader, *_) = known
    record = importlib.import_module(f"cardionets_formats.{reader}").read(path)
    np.testing.assert_array_equal(cn.read_ecg(path).signal_mv, record.signal_mv)


def test_the_cardiosoft_strip_is_what_a_plain_search_of_the_text_finds(vendor_folder):
    path = vendor_folder / "cardiosoft_xml/ecgprocess_example-XML1.xml"
    text = path.read_text(encoding="latin-1")
    strip = text[text.index("<StripData>") : text.index("</StripData>")]
    found = re.findall(r'<WaveformData lead="(\w+)">([^<]*)<', strip)
    record = cn.read_ecg(path)
    assert [name for name, _ in found] == list(record.leads)
    wanted = np.array([[int(cell) for cell in cells.split(",")] for _, cells in found]) * 0.005
    np.testing.assert_array_equal(record.signal_mv, wanted.astype(np.float32))


def test_philips_files_equal_sierraecg_without_the_calibration_pulse(vendor_folder):
    import sierraecg

    for path in sorted((vendor_folder / "philips_xml").glob("*.xml")):
        record = cn.read_ecg(path)
        for row, lead in zip(record.signal_mv, sierraecg.read_file(str(path)).leads, strict=True):
            assert len(lead.samples) == 5500
            np.testing.assert_array_equal(np.rint(row / 0.005), lead.samples[:5000])
