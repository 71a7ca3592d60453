"""``cn.read_ecg``: any installed plugin's format, recognised by content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cardionets_core as cn
from cardionets_core.errors import EcgError, PluginError, UnknownNameError
from cardionets_core.reading import find_ecgs
from cardionets_core.testing import made_up_ecg

FORMAT = """
    @hookimpl
    def cardionets_ecg_formats():
        yield EcgFormat(
            name="made-up", sniff=lambda head: head.startswith(b"MADE-UP"),
            target="acme_format.reader:read", summary="made up", extra={extra},
        )
        yield EcgFormat(
            name="by-ending", sniff=lambda head: False,
            target="acme_format.reader:read", summary="made up", suffixes=(".mup",),
        )
"""
READER = """
    from cardionets_core.testing import made_up_ecg

    def read(path, *, units, sampling_rate_hz, leads):
        return made_up_ecg(seconds=1, leads=leads or ("I", "II"))
"""


@pytest.fixture
def formats(install, registry):
    def formats(*, reader=READER, extra=None):
        install("acme-format", FORMAT.format(extra=repr(extra)), files={"reader.py": reader})
        return registry()

    return formats


def test_content_decides_whatever_the_ending(formats, tmp_path):
    path = tmp_path / "record.npy"
    path.write_bytes(b"MADE-UP and so on")
    assert cn.read_ecg(path, registry=formats()).leads == ("I", "II")


def test_the_ending_decides_where_content_does_not(formats, tmp_path):
    path = tmp_path / "record.MUP"
    path.write_bytes(b"0 1 2")
    assert cn.read_ecg(path, leads=("V1",), registry=formats()).leads == ("V1",)


def test_a_format_can_be_named(formats, tmp_path):
    path = tmp_path / "record.txt"
    path.write_bytes(b"0 1 2")
    registry = formats()
    assert cn.read_ecg(path, format_name="made-up", registry=registry).leads == ("I", "II")
    with pytest.raises(UnknownNameError, match=r"no ECG format 'made-upp'. Did you mean 'made-up'"):
        cn.read_ecg(path, format_name="made-upp", registry=registry)


def test_first_party_formats_are_still_recognised(formats, tmp_path):
    path = tmp_path / "record.npy"
    np.save(path, made_up_ecg(seconds=1, leads=("I",)).signal_mv)
    record = cn.read_ecg(path, units="mV", sampling_rate_hz=500, leads=["I"], registry=formats())
    assert record.signal_mv.shape == (1, 500)


def test_a_sniff_that_raises_does_not_keep_others_from_reading(install, registry, tmp_path):
    broken = FORMAT.format(extra=None).replace("lambda head: False", "lambda head: head[9999]")
    install("acme-format", broken, files={"reader.py": READER})
    path = tmp_path / "record.npy"
    np.save(path, made_up_ecg(seconds=1, leads=("I",)).signal_mv)
    options = {"units": "mV", "sampling_rate_hz": 500, "leads": ["I"]}
    assert cn.read_ecg(path, registry=registry(), **options).leads == ("I",)


def test_a_reader_whose_extra_is_missing_says_how_to_install_it(formats, tmp_path):
    path = tmp_path / "record.bin"
    path.write_bytes(b"MADE-UP")
    registry = formats(reader="import no_such_library", extra="holter")
    with pytest.raises(PluginError, match=r"run pip install 'acme-format\[holter\]'"):
        cn.read_ecg(path, registry=registry)


def test_a_file_of_no_known_format_is_refused_with_the_list(tmp_path):
    path = tmp_path / "record.xyz"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(EcgError, match=r"record.xyz: not an ECG file of a known .* csv.*npy.*wfdb"):
        cn.read_ecg(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(EcgError, match="no such file"):
        cn.read_ecg(tmp_path / "absent.hea")


def test_a_file_that_may_not_be_read_is_found_and_then_named_in_the_error(tmp_path, monkeypatch):
    file = tmp_path / "a.csv"
    file.write_text("I,II\n0,0\n")

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert find_ecgs(tmp_path) == [file]
    with pytest.raises(EcgError, match=r"a\.csv: cannot be read \(Permission denied\)"):
        cn.read_ecg(file, units="mV", sampling_rate_hz=500)
