"""WFDB records in the plain form that collections of resting ECGs have, read at full speed.

The ``wfdb`` package takes 3 ms to understand a header of twelve signals. A header in which every
field stands in full, of one file of format 16, leaves nothing to understand: it is read here, to
the very values that the package gives. Every other header is none of this module's business.

Source: header(5) and signal(5) of the WFDB applications guide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLAIN_FORMAT = "16"
_MISSING = -32768
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]*")
_RECORD = re.compile(
    r"""[-\w]+ [ ] (?P<n_sig>[1-9]\d{0,2}) [ ] (?P<fs>\d{1,6}(?:\.\d{1,9})?)
    [ ] (?P<sig_len>[1-9]\d{0,8})
    (?:[ ] (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)
       [ ] (?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{4}))?""",
    re.VERBOSE,
)
_SIGNAL = re.compile(
    r"""(?P<file_name>[-\w]+\.\w+) [ ] 16 (?:x1)? (?:\+(?P<byte_offset>\d{1,9}))?
    [ ] (?P<adc_gain>\d{1,9}(?:\.\d{1,9})?) (?:\((?P<baseline>-?\d{1,9})\))? / (?P<units>[\w%]+)
    [ ] \d{1,9} [ ] (?P<adc_zero>-?\d{1,9}) [ ] -?\d{1,9} [ ] (?P<checksum>-?\d{1,9}) [ ] \d{1,9}
    [ ] (?P<sig_name>[^ \t].*)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class PlainHeader:
    """What a plain header says; fields are called and filled as those of ``wfdb.Record``."""

    n_sig: int
    fs: float
    sig_len: int
    base_time: time | None
    base_date: date | None
    file_name: tuple[str, ...]
    fmt: tuple[str, ...]
    samps_per_frame: tuple[int, ...]
    byte_offset: tuple[int | None, ...]
    adc_gain: tuple[float, ...]
    baseline: tuple[int, ...]
    units: tuple[str, ...]
    checksum: tuple[int, ...]
    sig_name: tuple[str, ...]
    comments: tuple[str, ...]


def plain_header(content: bytes) -> PlainHeader | None:
    """Read a header, if it is plain in every line.

    Args:
        content: The whole file.

    Returns:
        The header; None if anything about it is left out, unusual or wrong.
    """
    if not _TEXT.fullmatch(content):
        return None
    lines = [line.strip() for line in content.decode("ascii").splitlines()]
    record_line, *signal_lines = [line for line in lines if line and line[0] != "#"] or [""]
    record = _RECORD.fullmatch(record_line)
    signals = [match for line in signal_lines if (match := _SIGNAL.fullmatch(line))]
    if record is None or not int(record["n_sig"]) == len(signals) == len(signal_lines):
        return None
    # Samples of several files, or behind several offsets, are not interleaved in one block.
    if len({(signal["file_name"], signal["byte_offset"]) for signal in signals}) != 1:
        return None
    comments = [line.strip(" \t#") for line in lines if line.startswith("#")]
    return _header(record, signals, comments)


def read_counts(header: PlainHeader, folder: Path) -> NDArray[np.int16]:
    """Read the samples as they are stored, (samples, signals).

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is too short.
    """
    counts = np.fromfile(
        folder / header.file_name[0],
        dtype="<i2",
        count=header.sig_len * header.n_sig,
        offset=header.byte_offset[0] or 0,
    )
    return counts.reshape(header.sig_len, header.n_sig)


def in_units(header: PlainHeader, counts: NDArray[np.int16]) -> NDArray[np.float64]:
    """Turn counts into the header's units, (samples, signals); NaN where marked missing."""
    physical = (counts.astype(np.float64) - header.baseline) / header.adc_gain
    physical[counts == _MISSING] = np.nan
    return physical


def _header(
    record: re.Match[str], signals: list[re.Match[str]], comments: list[str]
) -> PlainHeader | None:
    gains = tuple(float(signal["adc_gain"]) for signal in signals)
    # The package takes 0 for 200.
    if 0.0 in gains:
        return None
    base_time = base_date = None
    if record["hour"] is not None:
        try:
            base_time = time(int(record["hour"]), int(record["minute"]), int(record["second"]))
            base_date = date(int(record["year"]), int(record["month"]), int(record["day"]))
        except ValueError:
            return None
    return PlainHeader(
        n_sig=len(signals),
        fs=float(record["fs"]),
        sig_len=int(record["sig_len"]),
        base_time=base_time,
        base_date=base_date,
        file_name=tuple(signal["file_name"] for signal in signals),
        fmt=(PLAIN_FORMAT,) * len(signals),
        samps_per_frame=(1,) * len(signals),
        byte_offset=tuple(_int_or_none(signal["byte_offset"]) for signal in signals),
        adc_gain=gains,
        baseline=tuple(int(signal["baseline"] or signal["adc_zero"]) for signal in signals),
        units=tuple(signal["units"] for signal in signals),
        checksum=tuple(int(signal["checksum"]) for signal in signals),
        sig_name=tuple(signal["sig_name"] for signal in signals),
        comments=tuple(comments),
    )


def _int_or_none(text: str | None) -> int | None:
    return None if text is None else int(text)
