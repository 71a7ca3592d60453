"""Bulk files of UK Biobank, found by their names at any depth."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from cardionets_core.source_files import walk

Kind = Literal["ecg", "cine"]
_KINDS: dict[str, Kind] = {"20205.xml": "ecg", "20208.zip": "cine"}
_NAME = re.compile(
    r"(?P<participant>\d{1,18})_(?P<field>20205|20208)_(?P<instance>\d{1,2})_(?P<array>\d{1,3})"
    r"\.(?P<ending>xml|zip)",
    re.ASCII | re.IGNORECASE,
)


class BulkFile(NamedTuple):
    """One file of one participant.

    Attributes:
        participant: The participant's id.
        instance: Which visit.
        kind: 12-lead ECG (20205) or long-axis cine (20208).
        array: Which of several of its kind.
        path: Below the source, with slashes.
    """

    participant: int
    instance: int
    kind: Kind
    array: int
    path: str


def find_files(source: Path, refused: Counter[str]) -> Iterator[BulkFile]:
    """Every bulk file of the two fields below a folder, in the order of the paths.

    Args:
        source: The folder.
        refused: Gets the reason for every entry that is passed over because it leads out of the
            folder or cannot be listed.

    Yields:
        The files; all others are passed over.

    Raises:
        ConfigError: If there is no such folder.
    """

    def note(reason: str) -> None:
        refused[reason] += 1

    for path in walk(source, note):
        match = _NAME.fullmatch(path.name)
        kind = _KINDS.get(f"{match['field']}.{match['ending'].lower()}") if match else None
        if match and kind and int(match["participant"]):
            yield BulkFile(
                participant=int(match["participant"]),
                instance=int(match["instance"]),
                kind=kind,
                array=int(match["array"]),
                path=path.relative_to(source).as_posix(),
            )
