"""One ECG of the tree, held against what the tables say about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cardionets_core.errors import SourceError
from cardionets_core.registry import default_registry
from cardionets_core.source_files import inside

if TYPE_CHECKING:
    from cardionets_core.ecg.record import EcgRecord

# Those of the release have under 1 kB.
_LONGEST_HEADER = 1 << 16
_PERSON = re.compile(rb"#\s*<subject_id>\s*:\s*(\d+)")


def read_waveform(source: Path, path: str, subject: str) -> EcgRecord:
    """Read one record: leads by the names in its header, in mV, NaN where samples are missing.

    Args:
        source: Folder of the release.
        path: Path of the record below it, without ending.
        subject: Whose it is by the record list.

    Raises:
        SourceError: If a file is missing, lies outside of the source, or belongs to another record
            or person.
        EcgError: If it cannot be read.
    """
    header = inside(source, f"{path}.hea")
    # The reader opens the signal file beside the header: that must not lead out either.
    signals = header.with_suffix(".dat")
    if signals.is_symlink():
        inside(source, f"{path}.dat")
    _check_header(_content(header), PurePosixPath(path).name, subject)
    if not signals.is_file():
        raise SourceError("the signal file (.dat) is missing; download this record again")
    return _reader()(header)


@cache
def _reader() -> Callable[[Path], EcgRecord]:
    wfdb = default_registry().ecg_format("wfdb")
    read: Callable[[Path], EcgRecord] = wfdb.import_object(wfdb.spec.target)
    return read


def _content(header: Path) -> bytes:
    try:
        with header.open("rb") as file:
            content = file.read(_LONGEST_HEADER + 1)
    except FileNotFoundError:
        raise SourceError("the header (.hea) is missing; download this record again") from None
    except OSError as error:
        raise SourceError(
            f"the header (.hea) cannot be read ({error.strerror}); needed a file that you may read"
        ) from None
    if len(content) > _LONGEST_HEADER:
        raise SourceError(f"a header (.hea) of more than {_LONGEST_HEADER} bytes; is it another?")
    return content


def _check_header(content: bytes, name: str, subject: str) -> None:
    """Refuse a header that is about another record or person than the record list says."""
    lines = [line.strip() for line in content.splitlines()]
    _, *signal_lines = [line for line in lines if line and not line.startswith(b"#")] or [b""]
    if {line.split()[0] for line in signal_lines} - {f"{name}.dat".encode()}:
        raise SourceError(
            "the header names another signal file than its own; needed the one beside it of the "
            "same name"
        )
    persons = {m.group(1).lstrip(b"0") for line in lines if (m := _PERSON.match(line))}
    if persons - {subject.encode()}:
        raise SourceError(
            "the header belongs to another person than the record list says; download both again"
        )
