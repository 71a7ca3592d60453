"""The index of a zoo: ``index.json`` of a plugin package, as zoo entries. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationError, model_validator

from cardionets_core.config import Options
from cardionets_core.errors import WeightsError
from cardionets_core.spec import ZooEntry
from cardionets_core.weights.atomic import atomic_file
from cardionets_core.weights.cache import is_sha256

INDEX_FILE = "index.json"


class ZooIndex(Options):
    """What ``index.json`` holds."""

    format_version: Literal[1] = 1
    entries: tuple[ZooEntry, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        names = [entry.name for entry in self.entries]
        doubled = {name for name in names if names.count(name) > 1}
        if doubled:
            raise ValueError(f"{min(doubled)!r} is listed twice")
        for entry in self.entries:
            if not is_sha256(entry.sha256):
                raise ValueError(f"{entry.name!r} has no sha256 of 64 lower-case hex digits")
        return self


def read_index(package: str) -> tuple[ZooEntry, ...]:
    """The entries of a package's ``index.json``, for its ``cardionets_zoo_entries`` hook.

    Raises:
        WeightsError: If the index is not readable.
    """
    index = resources.files(package) / INDEX_FILE
    try:
        text = index.read_text(encoding="utf-8")
    except OSError as error:
        raise WeightsError(f"{package} has no readable {INDEX_FILE}; install it anew") from error
    return parse_index(text, f"{package}/{INDEX_FILE}")


def parse_index(text: str, shown: str) -> tuple[ZooEntry, ...]:
    """The entries of an index's text.

    Raises:
        WeightsError: If it does not hold; ``shown`` names it.
    """
    try:
        return ZooIndex.model_validate_json(text).entries
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "index"
        raise WeightsError(
            f"{shown}: {where}: {first['msg']}; 'cardionets zoo pack' writes a sound one"
        ) from error


def write_index(path: Path, entries: Iterable[ZooEntry]) -> None:
    """Write an index, entries by name."""
    ordered = sorted(entries, key=lambda entry: entry.name)
    index = {"format_version": 1, "entries": [asdict(entry) for entry in ordered]}
    with atomic_file(path) as file:
        file.write((json.dumps(index, indent=2, ensure_ascii=False) + "\n").encode())
