"""What ``cardionets zoo list|show|pull|verify|import`` do. Importing this needs no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardionets_core.errors import CardionetsError, WeightsError
from cardionets_core.registry import Registry, default_registry
from cardionets_core.spec import ZooEntry
from cardionets_core.weights.cards import card_problems
from cardionets_core.weights.fetch import Fetched, fetch
from cardionets_core.weights.header import WeightsHeader, read_header
from cardionets_core.weights.sources import PACKAGE, package_file


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying an entry found; sound if there is no problem."""

    name: str
    problems: tuple[str, ...]


def list_entries(registry: Registry | None = None) -> list[dict[str, str]]:
    """One row per zoo entry, by name; nothing is fetched."""
    provided = (registry or default_registry()).zoo_entries()
    return [
        {
            "name": entry.name,
            "kind": entry.spec.kind,
            "size": megabytes(entry.spec.size_bytes),
            "licence": entry.spec.licence,
            "summary": entry.spec.summary,
        }
        for entry in sorted(provided, key=lambda provided: provided.name)
    ]


def show_entry(name: str, registry: Registry | None = None) -> dict[str, str]:
    """What there is to know about an entry, as rows, and its card; nothing is fetched.

    Raises:
        UnknownNameError: If there is no such entry.
        WeightsError: If its card is missing.
    """
    entry = (registry or default_registry()).zoo_entry(name)
    return {
        "name": entry.name,
        "kind": entry.kind,
        "summary": entry.summary,
        "size": megabytes(entry.size_bytes),
        "sha256": entry.sha256,
        "licence": entry.licence,
        "preprocessing": entry.transform_hash or "none",
        "sources": ", ".join(entry.sources),
        "card": card_text(entry),
    }


def pull(name: str, *, offline: bool | None = None, registry: Registry | None = None) -> Fetched:
    """Have an entry's file on this machine, its hash checked; see ``fetch``."""
    return fetch(name, offline=offline, registry=registry)


def verify(
    names: Iterable[str] = (), *, offline: bool | None = None, registry: Registry | None = None
) -> list[Verdict]:
    """Check entries: file, size, hash, and that header, index and card say the same.

    Args:
        names: Zoo ids; none for all.
        offline: Refuse the network; None asks ``CARDIONETS_OFFLINE``.
        registry: Where entries are looked up; None for the installed plugins.

    Raises:
        UnknownNameError: If a name is not a zoo entry.
    """
    known = registry or default_registry()
    # Qualified, because a name that two plugins bring has to be verified for both.
    asked = tuple(names) or tuple(entry.qualified_name for entry in known.zoo_entries())
    return [Verdict(name, _problems(name, known, offline)) for name in asked]


def convert(name: str, source: Path, out: Path, registry: Registry | None = None) -> Any:
    """Convert another project's checkpoint with the converter of this name.

    Returns:
        The converter's report; ``str()`` of it is for people.

    Raises:
        UnknownNameError: If no plugin brings such a converter.
    """
    converter = (registry or default_registry()).converter(name)
    return converter.import_object(converter.spec.target)(source, out)


def card_text(entry: ZooEntry) -> str:
    """The card of an entry.

    Raises:
        WeightsError: If it is missing.
    """
    path = package_file(entry.card) if entry.card.startswith(PACKAGE) else Path(entry.card)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{entry.name}: the card {entry.card} cannot be read") from error


def megabytes(size_bytes: int) -> str:
    """A size for people."""
    return f"{size_bytes / 1e6:.1f} MB"


def _problems(name: str, registry: Registry, offline: bool | None) -> tuple[str, ...]:
    entry = registry.zoo_entry(name)
    try:
        header = read_header(fetch(name, offline=offline, registry=registry).path)
        card = card_text(entry)
    except CardionetsError as error:
        return (str(error),)
    return (
        *_differences(entry, header),
        *(
            f"card: {problem}"
            for problem in card_problems(card, licence=header.licence, simulated=header.simulated)
        ),
    )


def _differences(entry: ZooEntry, header: WeightsHeader) -> list[str]:
    """Where the index and the header of the file contradict each other."""
    compared = {
        "licence": (entry.licence, header.licence),
        "preprocessing": (entry.transform_hash, header.transform_hash),
        "kind": (entry.kind, header.part(header.leading_role).kind),
    }
    return [
        f"{what}: the index says {listed}, the file {found}"
        for what, (listed, found) in compared.items()
        if listed != found
    ]
