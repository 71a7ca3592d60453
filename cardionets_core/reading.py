"""``read_ecg``: any ECG file that an installed plugin has a reader for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cardionets_core.errors import EcgError
from cardionets_core.registry import Provided, Registry, default_registry
from cardionets_core.spec import EcgFormat

if TYPE_CHECKING:
    from cardionets_core.ecg.record import EcgRecord

_SNIFFED_BYTES = 4096


def read_ecg(
    path: str | Path,
    *,
    format_name: str | None = None,
    units: str | None = None,
    sampling_rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
    registry: Registry | None = None,
) -> EcgRecord:
    """Read one ECG file; the format is recognised by its content.

    Args:
        path: The file.
        format_name: Name of the format, when its content is not to decide.
        units: ``"mV"`` or ``"uV"``; needed where the file does not say (CSV, NPY).
        sampling_rate_hz: Likewise.
        leads: Lead names in the order of the rows; likewise.
        registry: Where to look for readers; the installed plugins when not given.

    Returns:
        The record as the source stores it.

    Raises:
        EcgError: If there is no such file, no reader for it, or it is broken.
    """
    path = Path(path)
    if not path.is_file():
        raise EcgError(f"{path}: no such file; needed the path of one ECG file")
    chosen = _format_of(path, format_name, registry or default_registry())
    read = chosen.import_object(chosen.spec.target)
    record: EcgRecord = read(path, units=units, sampling_rate_hz=sampling_rate_hz, leads=leads)
    return record


def _format_of(path: Path, format_name: str | None, registry: Registry) -> Provided[EcgFormat]:
    formats = registry.ecg_formats()
    if format_name is not None:
        return registry.ecg_format(format_name)
    with path.open("rb") as file:
        head = file.read(_SNIFFED_BYTES)
    for offered in formats:
        if offered.spec.sniff(head):
            return offered
    for offered in formats:
        if path.suffix.lower() in offered.spec.suffixes:
            return offered
    names = ", ".join(sorted(offered.name for offered in formats))
    raise EcgError(f"{path.name}: not an ECG file of a known format; readable are {names}")
