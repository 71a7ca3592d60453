"""WFDB records: a text header beside a signal file, read with the ``wfdb`` package.

Messages name neither file nor record: names of records are often names of patients.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import wfdb

from cardionets_core.dicom_files import silence
from cardionets_core.ecg.leads import lead_name
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.ecg.units import mv_per
from cardionets_core.errors import EcgError, LeadError, SamplingRateError
from cardionets_wfdb.plain_records import PlainHeader, in_units, plain_header, read_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST_HEADER_BYTES = 1 << 20
# Twelve leads at 500 Hz for an hour and a half.
_LARGEST_SIGNAL_BYTES = 64 << 20
_USUAL_ENDINGS = (".dat", ".mat")
# Bytes per sample of the formats whose files have a size that can be told from the header.
_BYTES_PER_SAMPLE = {"8": 1.0, "16": 2.0, "24": 3.0, "32": 4.0, "61": 2.0, "80": 1.0, "160": 2.0}
_BYTES_PER_SAMPLE |= {"212": 1.5}
# Behind it may stand the frequency of a counter, and that counter's first value.
_RATE = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:/\S*)?")
_UNREADABLE = (
    AttributeError,
    IndexError,
    KeyError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True, eq=False)
class WfdbRecord:
    """A record with the comment lines of its header, without ``#``."""

    ecg: EcgRecord
    comments: tuple[str, ...]


def read(
    path: Path,
    *,
    units: str | None = None,
    sampling_rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
) -> EcgRecord:
    """Read the ECG of a WFDB record.

    What is declared must agree with the header; leads may be declared where the header names none
    of the twelve. Signals that are not ECG leads are left out.

    Args:
        path: The header, or the signal file beside it.
        units: Unit of all leads, if it is to be checked.
        sampling_rate_hz: Rate, likewise.
        leads: Lead names in the order of the signals, likewise.

    Returns:
        Signal in mV with the step of each lead; NaN where the source marks missing samples.

    Raises:
        LeadError: If no signal is one of the twelve leads, or the declared ones are others.
        SamplingRateError: If the rate is missing, zero or not the declared one.
        EcgError: If a file is missing, truncated, altered or cannot be understood.
    """
    return read_with_comments(path, units=units, sampling_rate_hz=sampling_rate_hz, leads=leads).ecg


def read_with_comments(
    path: Path,
    *,
    units: str | None = None,
    sampling_rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
) -> WfdbRecord:
    """Read a WFDB record and the comments of its header; arguments and errors as in ``read``."""
    header_path = path.with_suffix(".hea")
    content = _content(header_path)
    _check_record_line(content, rate_declared=sampling_rate_hz is not None)
    header = plain_header(content) or _read_header(header_path)
    rate_hz = _rate(header, sampling_rate_hz)
    _check_signal_files(header, header_path.parent)
    rows = _lead_rows(header, leads)
    mv = np.array([_mv_per_unit(header.units[row], units) for row in rows.values()])
    physical = _read_signals(header_path, header)[:, list(rows.values())].T
    with np.errstate(over="ignore"):
        # A gain of next to nothing makes values without end, which the verdict on quality tells.
        signal_mv = np.ascontiguousarray(physical * mv[:, None], dtype=np.float32)
    ecg = EcgRecord(
        signal_mv=signal_mv,
        leads=tuple(rows),
        sampling_rate_hz=rate_hz,
        acquired_at=_acquired_at(header),
        lsb_mv=mv / np.array([header.adc_gain[row] for row in rows.values()]),
    )
    return WfdbRecord(ecg, tuple(header.comments))


def _content(header_path: Path) -> bytes:
    """The header, cut where it is longer than any."""
    try:
        with header_path.open("rb") as file:
            return file.read(_LARGEST_HEADER_BYTES + 1)
    except OSError as error:
        raise EcgError(
            f"no readable WFDB header (.hea): {error.strerror}; it must lie beside its signal file"
        ) from error


def _check_record_line(head: bytes, *, rate_declared: bool) -> None:
    """Refuse headers that the wfdb package would fill with defaults or fetch over the network."""
    lines = [line.split(b"#")[0].split() for line in head.splitlines()]
    fields = next((line for line in lines if line), [])
    if len(head) > _LARGEST_HEADER_BYTES or len(fields) < 2:
        raise EcgError("the WFDB header has no record line; needed NAME SIGNALS RATE SAMPLES")
    if b"/" in fields[0]:
        raise EcgError("a WFDB record of several segments; needed one resting ECG in one segment")
    if len(fields) < 3 and not rate_declared:
        raise SamplingRateError(
            "the WFDB header states no sampling rate; declare sampling_rate_hz=..."
        )
    if len(fields) > 2 and not _RATE.fullmatch(fields[2]):
        raise SamplingRateError(
            "the sampling rate in the WFDB header is no plain number; needed Hz: correct the header"
        )


def _read_header(header_path: Path) -> Any:
    try:
        # The packages below wfdb log the paths of what they open.
        with silence("fsspec"):
            header = wfdb.rdheader(str(header_path.with_suffix("")))
    except _UNREADABLE as error:
        raise EcgError(
            f"the WFDB header cannot be understood ({_one_line(error)}); needed the text that "
            "WFDB describes as header(5)"
        ) from error
    if not header.n_sig or header.file_name is None or len(header.file_name) != header.n_sig:
        found = len(header.file_name or ())
        raise EcgError(
            f"the WFDB header announces {header.n_sig} signals and describes {found}; "
            "is it cut off? copy it again"
        )
    if any(count != 1 for count in header.samps_per_frame):
        raise EcgError("WFDB signals of different rates; needed one rate for all leads")
    return header


def _rate(header: Any, declared_hz: float | None) -> float:
    found_hz = float(header.fs or 0)
    if not (math.isfinite(found_hz) and found_hz > 0):
        raise SamplingRateError(
            f"the WFDB header states {found_hz:g} Hz; needed a positive rate: correct the header"
        )
    if declared_hz is not None and not math.isclose(found_hz, declared_hz, rel_tol=1e-6):
        raise SamplingRateError(
            f"the WFDB header states {found_hz:g} Hz, declared are {declared_hz:g} Hz; "
            "leave the declaration out or correct it"
        )
    return found_hz


def _check_signal_files(header: Any, folder: Path) -> None:
    """Every signal file lies beside the header and is as long as the header says."""
    for name in dict.fromkeys(header.file_name):
        # wfdb follows paths and urls; a header from outside must not send it anywhere.
        if not re.fullmatch(r"[\w.+-][\w .+-]*", name):
            raise EcgError("the WFDB header names a signal file elsewhere; needed one beside it")
        signals = [index for index, other in enumerate(header.file_name) if other == name]
        first = signals[0]
        try:
            size = (folder / name).stat().st_size
        except OSError as error:
            raise EcgError(
                f"the {_ending(name)} file named in the WFDB header is missing; "
                "it must lie beside the header"
            ) from error
        if size > _LARGEST_SIGNAL_BYTES:
            raise EcgError(
                f"a signal file of {size} bytes; needed one resting ECG of at most "
                f"{_LARGEST_SIGNAL_BYTES}: cut it"
            )
        width = _BYTES_PER_SAMPLE.get(header.fmt[first])
        if width is None or not header.sig_len:
            continue
        needed = (header.byte_offset[first] or 0) + math.ceil(header.sig_len * len(signals) * width)
        if size < needed:
            raise EcgError(
                f"the {_ending(name)} file is truncated: {size} bytes, needed "
                f"{needed}; copy it again"
            )


def _ending(name: str) -> str:
    """How the usual signal files end; others may end in anything."""
    ending = Path(name).suffix
    return ending if ending in _USUAL_ENDINGS else "signal"


def _lead_rows(header: Any, declared: Sequence[str] | None) -> dict[str, int]:
    """Canonical lead name to number of the signal, for those that are one of the twelve leads."""
    named = [lead_name(name or "") for name in header.sig_name]
    if declared is not None:
        wanted = [lead_name(name) for name in declared]
        if len(wanted) != len(named) or (any(named) and wanted != named):
            raise LeadError(
                f"declared leads {', '.join(declared)}, but the WFDB header has "
                f"{_told(header.sig_name)}; leave them out or correct them"
            )
        named = wanted
    rows: dict[str, int] = {}
    for row, name in enumerate(named):
        if name is None:
            continue
        if name in rows:
            raise LeadError(f"lead {name} is in the WFDB header twice; keep one of the two")
        rows[name] = row
    if not rows:
        raise LeadError(
            f"the WFDB header has {_told(header.sig_name)}; "
            "declare leads=[...] in the order of the signals"
        )
    return rows


def _told(names: Sequence[str | None]) -> str:
    """The leads among signal names; others may be anything, in a broken header half a line."""
    known = [lead for name in names if (lead := lead_name(name or ""))]
    return f"{len(names)} signals ({', '.join(known) or 'none of them one of the 12 leads'})"


def _mv_per_unit(found: str, declared: str | None) -> float:
    factor = mv_per(found)
    if declared is not None and mv_per(declared) != factor:
        raise EcgError(
            f"the WFDB header states {found}, declared is {declared}; "
            "leave the declaration out or correct it"
        )
    return factor


def _read_signals(header_path: Path, header: Any) -> NDArray[np.float64]:
    """Physical values in the header's units, (samples, signals); NaN where marked missing."""
    physical: NDArray[np.float64]
    try:
        if isinstance(header, PlainHeader):
            counts = read_counts(header, header_path.parent)
            checksums, physical = counts.sum(axis=0).tolist(), in_units(header, counts)
        else:
            with silence("fsspec"):
                record = wfdb.rdrecord(str(header_path.with_suffix("")), physical=False)
            header, checksums, physical = record, record.calc_checksum(), record.dac()
    except _UNREADABLE as error:
        raise EcgError(
            f"the WFDB signal file cannot be read ({_one_line(error)}); copy it again"
        ) from error
    if not physical.size:
        raise EcgError("the WFDB record has no samples")
    # Some converters write 0 for a checksum they did not compute.
    wrong = [
        number
        for number, (found, stated) in enumerate(zip(checksums, header.checksum, strict=True))
        if stated and (found - stated) % 65536
    ]
    if wrong:
        raise EcgError(
            f"the checksums of {len(wrong)} of {len(checksums)} WFDB signals disagree with the "
            "header: the signal file was altered or damaged; copy it again"
        )
    return physical


def _acquired_at(header: Any) -> datetime | None:
    if header.base_date is None or header.base_time is None:
        return None
    return datetime.combine(header.base_date, header.base_time)


def _one_line(error: BaseException) -> str:
    """The kind of a foreign error: its text may hold paths."""
    return type(error).__name__
