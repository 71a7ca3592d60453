"""ECGs in CSV and NPY files. Such files say neither unit nor rate: both must be declared."""

from __future__ import annotations

import csv
import math
import tokenize
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardionets_core.ecg.leads import lead_name
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.ecg.units import mv_per
from cardionets_core.errors import EcgError, LeadError, SamplingRateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MISSING_CELLS = frozenset({"", "nan", "na", "null"})
_DELIMITERS = ",;\t"
_LARGEST_FILE_BYTES = 1 << 30
# The header of an array is Python text, and fails as such.
_UNREADABLE_ARRAY = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
)


def read_csv(
    path: Path,
    *,
    units: str | None = None,
    sampling_rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
) -> EcgRecord:
    """Read a table with one row per sample and one column per lead.

    Columns are separated by comma, semicolon or tab. The first row names the leads; other columns,
    such as time, are left out. Without such a row the leads must be declared, and rows may be
    leads or samples, whichever fits their number. Empty cells and ``nan`` are missing samples.

    Args:
        path: The file, UTF-8.
        units: Unit of the numbers; needed.
        sampling_rate_hz: Rate; needed.
        leads: Lead names; needed without a first row of names, else checked against it.

    Returns:
        Signal in mV.

    Raises:
        LeadError: If leads are missing, doubled or ambiguous.
        SamplingRateError: If the rate is not declared or not positive.
        EcgError: If the unit is not declared, a cell holds text, or rows differ in length.
    """
    factor, rate_hz = _declared(units, sampling_rate_hz)
    names, values = _read_cells(path)
    if names is None:
        return _record(values, leads, factor, rate_hz)
    known = {index: name for index, cell in enumerate(names) if (name := lead_name(cell))}
    if leads is not None and {lead_name(name) for name in leads} != set(known.values()):
        raise LeadError(
            f"declared leads {', '.join(leads)}, but the table has {', '.join(known.values())}; "
            "leave them out or correct them"
        )
    if not known:
        raise LeadError(
            f"{len(names)} columns, none of them one of the 12 leads; name them I, II, ... V6"
        )
    return _record(values[:, list(known)], tuple(known.values()), factor, rate_hz, by_column=True)


def read_npy(
    path: Path,
    *,
    units: str | None = None,
    sampling_rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
) -> EcgRecord:
    """Read an array (leads, samples) or (samples, leads), whichever fits the number of leads.

    Args:
        path: The file; never unpickled.
        units: Unit of the numbers; needed.
        sampling_rate_hz: Rate; needed.
        leads: Lead names in their order in the array; needed.

    Returns:
        Signal in mV.

    Raises:
        LeadError: If leads are missing, doubled or ambiguous.
        SamplingRateError: If the rate is not declared or not positive.
        EcgError: If the unit is not declared or the file holds something else.
    """
    factor, rate_hz = _declared(units, sampling_rate_hz)
    _check_size(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Mapped, so that a header that announces more than the file holds allocates nothing.
            values = np.load(path, mmap_mode="r", allow_pickle=False)
    except _UNREADABLE_ARRAY as error:
        raise EcgError(
            f"the NPY file cannot be read ({type(error).__name__}); needed a plain array of "
            "numbers, not pickled objects"
        ) from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        raise EcgError("the NPY file holds no plain numbers; needed an integer or float array")
    return _record(values, leads, factor, rate_hz)


def _declared(units: str | None, sampling_rate_hz: float | None) -> tuple[float, float]:
    """MV per unit, and the rate."""
    if units is None:
        raise EcgError("the file does not say its unit; declare units='mV' or units='uV'")
    if sampling_rate_hz is None or not (math.isfinite(sampling_rate_hz) and sampling_rate_hz > 0):
        raise SamplingRateError(
            f"declared rate {sampling_rate_hz} Hz; the file does not say it: declare a positive "
            "sampling_rate_hz=..."
        )
    return mv_per(units), float(sampling_rate_hz)


def _check_size(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise EcgError(f"no readable file: {error.strerror}; check the path") from error
    if size > _LARGEST_FILE_BYTES:
        raise EcgError(f"a file of {size} bytes; needed one resting ECG, below 1 GiB")


def _read_cells(path: Path) -> tuple[list[str] | None, NDArray[np.float64]]:
    """Names in the first row, if it has any, and the numbers (rows, columns)."""
    _check_size(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise EcgError(f"the table cannot be read ({error.strerror}); check its rights") from error
    except UnicodeDecodeError as error:
        raise EcgError("the table is not UTF-8 text; needed that: save it as UTF-8") from error
    first_line = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first_line.count)
    rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if any(row)]
    if not rows:
        raise EcgError("the table is empty; needed one row per sample")
    names = None if any(_number(cell) is not None for cell in rows[0]) else rows.pop(0)
    columns = len(names or rows[0])
    values = np.empty((len(rows), columns))
    for index, row in enumerate(rows):
        line = index + (1 if names is None else 2)
        if len(row) != columns:
            raise EcgError(f"row {line} of the table has {len(row)} cells; needed {columns}")
        values[index] = _numbers(row, line)
    return names, values


def _numbers(row: list[str], line: int) -> list[float]:
    try:
        return [float(cell) for cell in row]
    except ValueError:
        cells = [_number(cell) for cell in row]
    if None in cells:
        column = cells.index(None) + 1
        raise EcgError(
            f"row {line}, column {column} of the table holds text; needed a number with a decimal "
            "point, or an empty cell where the sample is missing"
        )
    return [cell for cell in cells if cell is not None]


def _number(cell: str) -> float | None:
    """The number in a cell, NaN for a missing one, None for text."""
    stripped = cell.strip().lower()
    if stripped in _MISSING_CELLS:
        return math.nan
    try:
        return float(stripped)
    except ValueError:
        return None


def _record(
    values: NDArray[Any],
    leads: Sequence[str] | None,
    mv_per_unit: float,
    rate_hz: float,
    *,
    by_column: bool = False,
) -> EcgRecord:
    """Turn an array into leads by samples and into mV."""
    if leads is None:
        raise LeadError("the file does not name its leads; declare leads=['I', 'II', ...]")
    names = [name for spelling in leads if (name := lead_name(spelling))]
    if len(names) != len(leads) or len(set(names)) != len(names):
        raise LeadError(
            f"declared leads {', '.join(leads)}; needed each of I, II, III, aVR, aVL, aVF, "
            "V1 to V6 at most once"
        )
    rows = values.T if by_column else _leads_by_samples(values, len(names))
    if not rows.size:
        raise EcgError("the table has no samples; needed one row per sample")
    with np.errstate(over="ignore"):
        # The verdict on quality tells of values without end.
        signal_mv = np.ascontiguousarray(
            np.asarray(rows, dtype=np.float64) * mv_per_unit, dtype=np.float32
        )
    return EcgRecord(
        signal_mv=signal_mv,
        leads=tuple(names),
        sampling_rate_hz=rate_hz,
    )


def _leads_by_samples(values: NDArray[Any], leads: int) -> NDArray[Any]:
    """Turn the axis that has as many entries as there are leads to the front."""
    if values.ndim != 2 or 0 in values.shape or leads not in values.shape:
        raise LeadError(
            f"an array of shape {values.shape} for {leads} leads; needed (leads, samples) or "
            "(samples, leads)"
        )
    if values.shape[0] == values.shape[1]:
        raise LeadError(
            f"an array of shape {values.shape} for {leads} leads: which axis is time cannot be "
            "told; name the leads in a CSV header instead"
        )
    return values if values.shape[0] == leads else values.T
