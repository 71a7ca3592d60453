"""Every check of an ECG format passes a sound one and catches the mistake that it is for."""

from __future__ import annotations

import dataclasses
import sys
import types

import numpy as np
import pytest

from cardionets_core.errors import EcgError
from cardionets_core.spec import EcgFormat
from cardionets_core.testing import ConformanceError, checks_of, made_up_ecg

MAGIC = b"MADE-UP\n"
CHECKS = {check.name: check for check in checks_of("ecg-format")}


def read(path, **declared):
    content = path.read_bytes()
    if not content.startswith(MAGIC) or (len(content) - len(MAGIC)) % 48:
        raise EcgError(f"{path.name}: no whole MADE-UP record; export it again")
    signal_mv = np.frombuffer(content[len(MAGIC) :], "<f4").reshape(12, -1).copy()
    return dataclasses.replace(made_up_ecg(seconds=1), signal_mv=signal_mv)


def read_raw(path, **declared):
    return read(path).signal_mv


def read_misspelt(path, **declared):
    record = read(path)
    return dataclasses.replace(record, leads=tuple(lead.upper() for lead in record.leads))


def read_counts(path, **declared):
    record = read(path)
    return dataclasses.replace(record, signal_mv=record.signal_mv * 200)


def read_noisily(path, **declared):
    record = read(path)
    noise = np.random.default_rng().normal(size=record.signal_mv.shape).astype(np.float32)
    return dataclasses.replace(record, signal_mv=record.signal_mv + noise)


def read_carelessly(path, **declared):
    return made_up_ecg() if path.read_bytes().startswith(MAGIC) else path.read_bytes()[9999]


@pytest.fixture
def sound(monkeypatch):
    module = types.ModuleType("made_up_format")
    for reader in (
        read, read_raw, read_misspelt, read_counts, read_noisily, read_carelessly,
    ):  # fmt: skip
        setattr(module, reader.__name__, reader)
    monkeypatch.setitem(sys.modules, "made_up_format", module)
    return EcgFormat(
        name="made-up",
        sniff=lambda head: head.startswith(MAGIC),
        target="made_up_format:read",
        summary="made up",
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "r1.mup"
    path.write_bytes(MAGIC + made_up_ecg(seconds=1).signal_mv.astype("<f4").tobytes())
    return path


BROKEN = {
    "is_recognised": ({"sniff": lambda _: False}, "not among its suffixes"),
    "knows_no_foreign_file": ({"sniff": lambda head: len(head) > 9}, "look for something rarer"),
    "ecg_is_leads_by_samples": ({"target": "made_up_format:read_raw"}, "gives a ndarray"),
    "leads_are_named": ({"target": "made_up_format:read_misspelt"}, "canonical spelling"),
    "ecg_is_in_mv": ({"target": "made_up_format:read_counts"}, "counts by the gain"),
    "reading_is_repeatable": ({"target": "made_up_format:read_noisily"}, "different records"),
    "broken_files_are_refused_in_one_line": (
        {"target": "made_up_format:read_carelessly"},
        "an empty file raises IndexError",
    ),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_sound_format_passes(name, sound, file):
    CHECKS[name](sound, file)


@pytest.mark.parametrize("name", CHECKS)
def test_the_mistake_is_caught_and_explained(name, sound, file):
    values, words = BROKEN[name]
    with pytest.raises(ConformanceError, match=words):
        CHECKS[name](dataclasses.replace(sound, **values), file)


def test_a_sniff_that_raises_is_a_mistake(sound, file):
    raising = dataclasses.replace(sound, sniff=lambda head: head[100] == 1)
    with pytest.raises(ConformanceError, match="sniff\\(\\) raises IndexError for an empty file"):
        CHECKS["knows_no_foreign_file"](raising, file)
