"""Declarations that hooks return. Plain data: importing this file loads nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal["encoder", "aligner", "autoencoder", "generator", "head", "dataset"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Need:
    """Another component that a component cannot work without.

    Attributes:
        role: Name under which it is passed, and its option namespace, e.g. ``cmr_encoder``.
        kind: Its kind.
        default: Component name used when nothing else is said.
        zoo: Preset name to zoo entry that supplies trained weights for it.
    """

    role: str
    kind: Kind
    default: str
    zoo: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    """One component, declared without importing it.

    Attributes:
        name: Short name used on the command line; lower case, words joined by hyphens.
        kind: One of ``KINDS``.
        summary: One line for listings.
        config: ``"package.module:OptionsClass"``; must import without torch.
        target: ``"package.module:Class"``; imported only when the component is built.
        needs: What else has to be there.
        default_for: Kind of which this is the default, e.g. ``"dataset"``.
        modality: ``"ecg"`` or ``"cmr"`` for encoders, else None.
    """

    name: str
    kind: Kind
    summary: str
    config: str
    target: str
    needs: tuple[Need, ...] = ()
    default_for: str | None = None
    modality: Literal["ecg", "cmr"] | None = None


@dataclass(frozen=True, slots=True)
class EcgFormat:
    """A file format that ``read_ecg`` can read.

    Attributes:
        name: Short name, e.g. ``wfdb``.
        sniff: True if these first bytes (up to 4096) of a file are of this format.
        target: ``"package.module:function"``; ``function(path, **declared) -> EcgRecord``.
        extra: Name of the optional dependency group that the reader needs, if any.
        summary: One line for listings.
        suffixes: Lower-case file endings, for text formats whose bytes say nothing.
    """

    name: str
    sniff: Callable[[bytes], bool]
    target: str
    summary: str
    extra: str | None = None
    suffixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """Released weights.

    Attributes:
        name: Zoo id, e.g. ``stmem-tiny-simulated``.
        kind: Kind of the component whose weights these are.
        summary: One line for listings.
        sources: Where the file is, tried in order: ``package:PKG/PATH``, a path, https or any
            fsspec url.
        sha256: Of the file, checked before use.
        size_bytes: Of the file.
        licence: SPDX id, the strictest of the lineage.
        transform_hash: Hash of the preprocessing that belongs to the weights, or None.
        card: Markdown text of the card, as ``package:PKG/PATH``.
    """

    name: str
    kind: Kind
    summary: str
    sources: tuple[str, ...]
    sha256: str
    size_bytes: int
    licence: str
    transform_hash: str | None
    card: str


@dataclass(frozen=True, slots=True)
class ConverterSpec:
    """A converter of another project's checkpoint.

    Attributes:
        name: Name on the command line, e.g. ``st-mem``.
        summary: One line for listings; names the licence of the published weights.
        target: ``"package.module:function"``; ``function(source: Path, out: Path)`` writes a file
            and returns an object whose ``str()`` is the report.
    """

    name: str
    summary: str
    target: str
