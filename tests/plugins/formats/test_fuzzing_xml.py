"""Whatever is in a file: a consistent record or one line, at once and in little memory.

Made-up files are mutated a thousand times each; ``-m slow`` does so with every real file.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardionets_core.ecg.leads import CANONICAL_LEADS
from cardionets_core.ecg.record import EcgRecord

FOLDERS = {
    "cardiosoft_xml": "cardiosoft",
    "ge_muse_xml": "muse",
    "hl7_aecg": "aecg",
    "philips_xml": "philips",
}
HYPOTHESIS = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def reader(name: str):
    return importlib.import_module(f"cardionets_formats.{name}").read_bytes


def real_files(folder: Path) -> list[tuple[str, Path]]:
    found = [(name, file) for part, name in FOLDERS.items() for file in (folder / part).iterdir()]
    return sorted((name, file) for name, file in found if file.suffix == ".xml")


def outcomes(mutating, name: str, content: bytes, count: int, seed: int) -> list[object]:
    """What becomes of many mutations, each checked, and their peak of memory together."""
    before = mutating.peak_memory_bytes()
    results = [
        mutating.read_or_refused(reader(name), mutated)
        for mutated in mutating.mutations(content, count, seed, mutating.SIGNAL[name])
    ]
    assert mutating.peak_memory_bytes() - before < mutating.MOST_MEMORY_BYTES
    return results


def check_variety(results: list[object]) -> None:
    """Mutations that are all refused, or all read, test nothing."""
    messages = {result for result in results if isinstance(result, str)}
    assert len(messages) > 5
    assert any(isinstance(result, EcgRecord) for result in results)


def test_mutations_of_real_files_are_read_or_refused(mutating, vendor_folder):
    for seed, (name, file) in enumerate(real_files(vendor_folder)):
        check_variety(outcomes(mutating, name, file.read_bytes(), 40, seed))


@pytest.mark.slow
def test_a_thousand_mutations_of_every_real_file_are_read_or_refused(mutating, vendor_folder):
    for seed, (name, file) in enumerate(real_files(vendor_folder)):
        check_variety(outcomes(mutating, name, file.read_bytes(), 1000, 100 + seed))


@pytest.mark.parametrize("name", FOLDERS.values())
def test_a_thousand_mutations_of_made_up_files_are_read_or_refused(mutating, made_up, name):
    leads = made_up.MUSE_LEADS if name == "muse" else CANONICAL_LEADS
    content = getattr(made_up, name)(made_up.counts_of(0.5, leads=leads))
    check_variety(outcomes(mutating, name, content, 1000, 7))


@pytest.mark.parametrize("name", FOLDERS.values())
def test_what_is_changed_elsewhere_in_a_file_changes_no_sample(mutating, made_up, name):
    content = made_up.MAKERS[name]()
    wanted = reader(name)(content, "r")
    read = 0
    for mutated in mutating.mutations_elsewhere(content, 200, 3, mutating.SIGNAL[name]):
        result = mutating.read_or_refused(reader(name), mutated)
        if isinstance(result, EcgRecord):
            np.testing.assert_array_equal(result.signal_mv, wanted.signal_mv)
            assert (result.leads, result.sampling_rate_hz) == (
                wanted.leads,
                wanted.sampling_rate_hz,
            )
            read += 1
    assert read > 50


def test_no_change_of_packed_samples_passes_the_checksum_of_muse(mutating, made_up):
    content = made_up.MAKERS["muse"]()
    wanted = reader("muse")(content, "r").signal_mv
    document = mutating.document_of(content, mutating.SIGNAL["muse"], inside=True)
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(300):
        text = mutating.in_packed_samples(document, rng)
        result = mutating.read_or_refused(reader("muse"), text.encode())
        refused += isinstance(result, str)
        if isinstance(result, EcgRecord):
            np.testing.assert_array_equal(result.signal_mv, wanted)
    assert refused > 250


COUNTS = st.lists(st.integers(-32_767, 32_767), min_size=2, max_size=60)
LEADS = st.lists(st.sampled_from(CANONICAL_LEADS), min_size=1, max_size=12, unique=True)


def counts_from(draws: list[int], leads: list[str]) -> dict[str, np.ndarray]:
    rows = {name: np.roll(np.array(draws), place) for place, name in enumerate(leads)}
    return {name: row.astype(np.int64) for name, row in rows.items()}


def check_round_trip(record: EcgRecord, counts: dict[str, np.ndarray], step_mv: float) -> None:
    """Every stored lead comes back in whole steps."""
    for name, row in counts.items():
        found = record.signal_mv[record.leads.index(name)].astype(np.float64)
        np.testing.assert_array_equal(np.rint(found / step_mv), row)
        np.testing.assert_allclose(found, row * step_mv, rtol=1e-6)
    assert set(record.leads) - set(record.derived_leads) == set(counts)


@HYPOTHESIS
@given(COUNTS, LEADS, st.sampled_from(["5", "2.5", "4.88", "0.1"]))
def test_any_counts_come_back_from_cardiosoft(made_up, draws, leads, step):
    counts = counts_from(draws, leads)
    content = made_up.cardiosoft(counts, resolution=step)
    check_round_trip(reader("cardiosoft")(content, "r"), counts, float(step) / 1000)


@HYPOTHESIS
@given(COUNTS, LEADS, st.sampled_from(["5", "2.5", "4.88", "0.1"]))
def test_any_counts_come_back_from_muse(made_up, draws, leads, step):
    counts = counts_from(draws, leads)
    record = reader("muse")(made_up.muse(counts, step=step), "r")
    check_round_trip(record, counts, float(step) / 1000)
    if {"I", "II"} <= set(leads):
        assert set(record.leads) >= {"III", "aVR", "aVL", "aVF"}


@HYPOTHESIS
@given(
    COUNTS, LEADS, st.sampled_from([("5", "uV", 5e-3), ("0.001", "mV", 1e-3), ("100", "nV", 1e-4)])
)
def test_any_counts_come_back_from_aecg(made_up, draws, leads, scale):
    counts = counts_from(draws, leads)
    content = made_up.aecg(counts, scale=scale[0], unit=scale[1])
    check_round_trip(reader("aecg")(content, "r"), counts, scale[2])


@HYPOTHESIS
@given(
    st.lists(st.integers(-3000, 3000), min_size=3, max_size=60), st.permutations(CANONICAL_LEADS)
)
def test_any_counts_come_back_from_philips(made_up, draws, leads):
    counts = counts_from(draws, leads)
    check_round_trip(reader("philips")(made_up.philips(counts), "r"), counts, 0.005)


@pytest.mark.parametrize("name", FOLDERS.values())
@HYPOTHESIS
@given(data=st.data())
def test_any_text_in_any_place_is_read_or_refused(mutating, made_up, name, data):
    document = mutating.document_of(made_up.MAKERS[name](), mutating.SIGNAL[name], inside=True)
    kinds = [kind for kind in (document.leaves, document.attributes) if kind]
    fields = data.draw(st.sampled_from(kinds))
    field = data.draw(st.sampled_from(data.draw(st.sampled_from(fields))))
    group = 3 if field.re.groups == 3 else 2
    text = data.draw(st.one_of(st.text(max_size=30), st.sampled_from(mutating.HOSTILE)))
    mutated = document.without(*field.span(group), text)
    mutating.read_or_refused(reader(name), mutated.encode(document.encoding, errors="replace"))


@pytest.mark.parametrize("name", FOLDERS.values())
@HYPOTHESIS
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(mutating, name, content):
    assert isinstance(mutating.read_or_refused(reader(name), content), str)
