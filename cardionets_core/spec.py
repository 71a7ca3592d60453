"""Declarations that hooks return. Plain data: importing this file loads nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal["encoder", "aligner", "autoencoder", "generator", "head", "dataset"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TargetKind = Literal["binary", "multiclass", "multilabel", "regression"]
# Stands in a lineage for the ECG encoder that the user names.
USERS_ENCODER = "{encoder}"


@dataclass(frozen=True, slots=True)
class Need:
    """Another component that a component cannot work without.

    Attributes:
        role: Name under which it is passed, and its option namespace, e.g. ``cmr_encoder``.
        kind: Its kind.
        default: Component name used when nothing else is said.
        zoo: Preset name to zoo entry that supplies trained weights for it.
        only_if: Option of the component and the value of it that makes it needed; always if None.
        variant: Variant whose stages make its weights where there are none, e.g. ``cardionets``
            for an aligned ECG encoder; plain training of the component if None.
        beside: Role whose weights file holds this part too, e.g. an aligner beside its encoder.
    """

    role: str
    kind: Kind
    default: str
    zoo: Mapping[str, str] = field(default_factory=dict)
    only_if: tuple[str, str] | None = None
    variant: str | None = None
    beside: str | None = None


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
        default_for: Command that these weights serve when it names none, e.g. ``"predict"``.
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
    default_for: str | None = None


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


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What is predicted, and how a cohort tells it.

    Exactly one of ``codes``, ``field_ids`` and ``columns`` says where the target comes from.

    Attributes:
        name: Short name used on the command line.
        summary: One line for listings.
        target: ``binary``, ``multiclass`` (one of the outputs), ``multilabel`` (each of them or
            not) or ``regression``.
        outputs: Name of each output: the finding, the classes, the labels or the quantities.
        codes: ICD-10 prefixes without dot, per output; the others are nobody's.
        field_ids: UK Biobank field of each output of a regression on phenotypes.
        columns: Attribute of the cohort of each output; for classes the one that names them.
        units: Unit of each output of a regression.
        dated_by_visit: Count a diagnosis only if it is dated on or before the visit, or undated.
    """

    name: str
    summary: str
    target: TargetKind
    outputs: tuple[str, ...]
    codes: tuple[tuple[str, ...], ...] = ()
    field_ids: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    dated_by_visit: bool = True


@dataclass(frozen=True, slots=True)
class LineageStage:
    """One training stage that makes a variant's encoder; it reads the role ``pretrain`` only.

    Attributes:
        name: Name of the stage's run; variants whose stages have one name share that run.
        components: Role to component, as ``train`` takes them; ``USERS_ENCODER`` stands for the
            encoder that the user names.
        starts: Role to the name of an earlier stage whose weights it starts from; a role that is
            not named starts at random.
        task: Task of a supervised stage.
        shuffle_pairs: Align every ECG with another subject's CMR: a negative control.
    """

    name: str
    components: Mapping[str, str]
    starts: Mapping[str, str] = field(default_factory=dict)
    task: str | None = None
    shuffle_pairs: bool = False


@dataclass(frozen=True, slots=True)
class VariantSpec:
    """A named way to initialise the encoder of a downstream task.

    Attributes:
        name: Short name used on the command line.
        summary: One line for listings.
        label: Name in tables and figures.
        modality: What its encoder reads.
        stages: What has to be trained, in order; the last one's encoder is the variant's. None
            for random weights.
        zoo: Preset name to a zoo entry that holds such an encoder.
        encoder: Its encoder, if it is not the one that the user names.
        not_for: Tasks that it makes no sense for.
        control: A negative control and not a method.
    """

    name: str
    summary: str
    label: str
    modality: Literal["ecg", "cmr"] = "ecg"
    stages: tuple[LineageStage, ...] = ()
    zoo: Mapping[str, str] = field(default_factory=dict)
    encoder: str | None = None
    not_for: tuple[str, ...] = ()
    control: bool = False
