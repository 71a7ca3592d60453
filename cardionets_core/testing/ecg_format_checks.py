"""The promises of an ECG file format: ``cardionets_core.spec.EcgFormat`` and its reader."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import CardionetsError
from cardionets_core.spec import EcgFormat
from cardionets_core.testing import ecg_checks
from cardionets_core.testing.requirement import ConformanceError, require

_SNIFFED_BYTES = 4096
# First bytes of files that are none of ours.
_FOREIGN = {
    "an empty file": b"",
    "zeros": bytes(_SNIFFED_BYTES),
    "random bytes": np.random.default_rng(0).bytes(_SNIFFED_BYTES),
    "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "a ZIP": b"PK\x03\x04" + bytes(64),
    "a PDF": b"%PDF-1.7\n",
    "prose": b"The heart has four chambers. It beats.\nIt does so all day.\n",
    "a web page": b"<!DOCTYPE html><html><body>no ECG</body></html>",
}


def check_is_recognised(ecg_format: EcgFormat, path: Path, **declared: Any) -> None:
    """The file is known by its first bytes, or else by its ending."""
    del declared
    with path.open("rb") as file:
        sniffed = ecg_format.sniff(file.read(_SNIFFED_BYTES))
    require(
        sniffed or path.suffix.lower() in ecg_format.suffixes,
        f"sniff() does not know {path.name}, and {path.suffix!r} is not among its suffixes "
        f"{ecg_format.suffixes} (in lower case)",
    )


def check_knows_no_foreign_file(ecg_format: EcgFormat, path: Path, **declared: Any) -> None:
    """``sniff`` answers False for other files, and never raises."""
    del path, declared
    for told, head in _FOREIGN.items():
        try:
            sniffed = ecg_format.sniff(head)
        except Exception as error:
            raise ConformanceError(
                f"sniff() raises {type(error).__name__} for {told}: {error}; needed False"
            ) from error
        require(not sniffed, f"sniff() takes {told} for its own; look for something rarer")


def check_ecg_is_leads_by_samples(ecg_format: EcgFormat, path: Path, **declared: Any) -> None:
    """The record is (leads, samples) float32 with a rate."""
    record = _read(ecg_format, path, declared)
    require(isinstance(record, EcgRecord), f"read gives a {type(record).__name__}")
    ecg_checks.require_shape(record)
    ecg_checks.require_steps(record)


def check_leads_are_named(ecg_format: EcgFormat, path: Path, **declared: Any) -> None:
    """Leads have their canonical names, none twice."""
    ecg_checks.require_leads(_read(ecg_format, path, declared))


def check_ecg_is_in_mv(ecg_format: EcgFormat, path: Path, **declared: Any) -> None:
    """The signal is in millivolts, not in microvolts, volts or counts."""
    ecg_checks.require_millivolts(_read(ecg_format, path, declared))


def check_reading_is_repeatable(ecg_format: EcgFormat, path: Path, **declared: Any) -> None:
    """Reading a file twice gives the same."""
    first, second = (_read(ecg_format, path, declared) for _ in range(2))
    require(
        first.leads == second.leads
        and np.array_equal(first.signal_mv, second.signal_mv, equal_nan=True),
        "reading the file twice gives different records",
    )


def check_broken_files_are_refused_in_one_line(
    ecg_format: EcgFormat, path: Path, **declared: Any
) -> None:
    """An empty file is refused, and one cut in half at least does no other harm."""
    whole = path.read_bytes()
    for told, content in (("an empty file", b""), ("half of the file", whole[: len(whole) // 2])):
        with tempfile.TemporaryDirectory() as folder:
            broken = Path(folder) / path.name
            broken.write_bytes(content)
            try:
                _read(ecg_format, broken, declared)
            except CardionetsError as error:
                require("\n" not in str(error), f"the error about {told} has several lines")
            except Exception as error:
                raise ConformanceError(
                    f"{told} raises {type(error).__name__}: {error}; needed an EcgError that says "
                    "what was found, what is needed and the remedy"
                ) from error
            else:
                require(bool(content), "an empty file is read as a record; needed an EcgError")


def _read(ecg_format: EcgFormat, path: Path, declared: dict[str, Any]) -> EcgRecord:
    module, _, function = ecg_format.target.partition(":")
    known = {"units": None, "sampling_rate_hz": None, "leads": None, **declared}
    record: EcgRecord = getattr(importlib.import_module(module), function)(path, **known)
    return record
