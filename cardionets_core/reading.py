"""``read_ecg``: any ECG file that an installed plugin has a reader for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cardionets_core.errors import EcgError, PluginError
from cardionets_core.registry import Provided, Registry, default_registry
from cardionets_core.spec import EcgFormat

if TYPE_CHECKING:
    from cardionets_core.ecg.record import EcgRecord

SNIFFED_BYTES = 4096


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
    read = _reader(chosen)
    record: EcgRecord = read(path, units=units, sampling_rate_hz=sampling_rate_hz, leads=leads)
    return record


def _reader(chosen: Provided[EcgFormat]) -> Callable[..., EcgRecord]:
    """Import the reader of a format, and say how to install what it needs besides."""
    try:
        read: Callable[..., EcgRecord] = chosen.import_object(chosen.spec.target)
    except PluginError as error:
        if chosen.spec.extra is None:
            raise
        raise PluginError(
            f"{error}; run pip install '{chosen.distribution}[{chosen.spec.extra}]'"
        ) from error
    return read


def _format_of(path: Path, format_name: str | None, known: Registry) -> Provided[EcgFormat]:
    if format_name is not None:
        return known.ecg_format(format_name)
    try:
        with path.open("rb") as file:
            head = file.read(SNIFFED_BYTES)
    except OSError as error:
        raise EcgError(
            f"{path.name}: cannot be read ({error.strerror}); needed a file that you may read: "
            "check its rights"
        ) from error
    formats = known.ecg_formats()
    if found := format_by_content(head, formats) or format_by_ending(path, formats):
        return found
    names = ", ".join(sorted(offered.name for offered in formats))
    raise EcgError(f"{path.name}: not an ECG file of a known format; readable are {names}")


def format_by_content(
    head: bytes, formats: Iterable[Provided[EcgFormat]]
) -> Provided[EcgFormat] | None:
    """The format that knows the first ``SNIFFED_BYTES`` bytes of a file, if one does."""
    return next((offered for offered in formats if _sniffs(offered, head)), None)


def format_by_ending(
    path: Path, formats: Iterable[Provided[EcgFormat]]
) -> Provided[EcgFormat] | None:
    """The format that files of this ending are of unless their content says otherwise, if any."""
    ending = path.suffix.lower()
    return next((offered for offered in formats if ending in offered.spec.suffixes), None)


def find_ecgs(path: Path, registry: Registry | None = None) -> list[Path]:
    """ECG files at a path: the file itself, or every one of a known format in the folder.

    A record in several files (a WFDB header beside its signals) counts once, by its first.

    Args:
        path: A file or a folder, searched at any depth.
        registry: Where to look for readers; the installed plugins when not given.

    Raises:
        EcgError: If there is nothing at the path.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise EcgError(f"{path}: no such file or folder; needed an ECG file or a folder of them")
    known = registry or default_registry()
    found: dict[tuple[Path, str], Path] = {}
    # A WFDB header names its signal files, not the other way round.
    files = (file for file in path.rglob("*") if file.is_file())
    for file in sorted(files, key=lambda file: (file.suffix.lower() != ".hea", file)):
        if _is_known(file, known):
            found.setdefault((file.parent, file.stem), file)
    return sorted(found.values())


def _is_known(path: Path, registry: Registry) -> bool:
    # By its ending first: one that may not be read is then reported, not passed over.
    if format_by_ending(path, registry.ecg_formats()) is not None:
        return True
    try:
        _format_of(path, None, registry)
    except EcgError:
        return False
    return True


def _sniffs(offered: Provided[EcgFormat], head: bytes) -> bool:
    """Whether a format knows these bytes; one that fails over them does not."""
    try:
        return bool(offered.spec.sniff(head))
    except Exception:  # noqa: BLE001 - one plugin's bug must not keep the others from reading
        return False
