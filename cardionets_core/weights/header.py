"""The header of a weights file: what the tensors are, where from, and under which licence.

It is one JSON text under the key ``cardionets`` of the safetensors metadata. One key, because
safetensors writes several in no fixed order and equal weights must give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from safetensors import SafetensorError, safe_open

from cardionets_core.config import Options
from cardionets_core.ecg.transform_state import transform_hash
from cardionets_core.errors import WeightsError
from cardionets_core.registry import Component
from cardionets_core.spec import Kind, TargetKind
from cardionets_core.weights.licences import is_at_least_as_strict, strictest
from cardionets_core.weights.lineage import LineageStep

FORMAT_VERSION = 1
METADATA_KEY = "cardionets"
WEIGHTS_FILE = "weights.safetensors"

# Which part a file is about when it holds several: what `load` builds if no role is named.
_LEADING = ("generator", "encoder", "autoencoder", "aligner", "head")


def _own_version() -> str:
    try:
        return f"cardionets {version('cardionets')}"
    except PackageNotFoundError:
        return "cardionets, not installed"


class PartHeader(Options):
    """One component whose tensors the file holds."""

    component: str = Field(description="plugin:name")
    kind: Kind
    distribution: str = Field(description="distribution that brings the plugin")
    version: str = Field(description="its version when the file was written")
    config: dict[str, Any] = Field(description="all options")
    arguments: dict[str, int | str] = Field(
        default_factory=dict, description="what the constructor takes beside the options"
    )

    @classmethod
    def of(cls, component: Component, config: Options, **arguments: int | str) -> Self:
        """The header of a component built as ``Target(config, **arguments)``."""
        return cls(
            component=component.qualified_name,
            kind=component.spec.kind,
            distribution=component.distribution,
            version=component.version,
            config=config.model_dump(mode="json"),
            arguments=arguments,
        )


class TaskHeader(Options):
    """What a head of the file predicts, and how its outputs are to be read."""

    name: str = Field(description="task")
    target: TargetKind
    outputs: tuple[str, ...] = Field(min_length=1, description="name of each output")
    units: tuple[str, ...] = Field((), description="unit of each output of a regression")
    encoder: str = Field("encoder", description="role of the encoder that the head reads")
    threshold: tuple[float, ...] = Field((), description="per output; scores from here are cases")
    threshold_rule: str = Field("", description="where the threshold comes from")
    average: Literal["probabilities", "logits"] = Field(
        "probabilities", description="what is averaged over the evaluation crops"
    )


class WeightsHeader(Options):
    """What a weights file says about itself. Tensors of part ``role`` are named ``role.name``."""

    format_version: Literal[1] = 1
    parts: dict[str, PartHeader] = Field(min_length=1, description="role to component")
    tasks: dict[str, TaskHeader] = Field(
        default_factory=dict, description="role of a head to its task"
    )
    transform: dict[str, Any] | None = Field(None, description="state of the ECG transform")
    transform_hash: str | None = None
    lineage: tuple[LineageStep, ...] = Field((), description="steps, oldest first")
    licence: str = Field(description="SPDX id, at least as strict as every step's")
    simulated: bool = Field(description="whether any step saw simulated subjects")
    created_by: str = Field(default_factory=_own_version)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        parts: Mapping[str, PartHeader],
        lineage: tuple[LineageStep, ...],
        *,
        transform: Mapping[str, Any] | None = None,
        notes: tuple[str, ...] = (),
        tasks: Mapping[str, TaskHeader] | None = None,
    ) -> Self:
        """A header whose hash, licence and ``simulated`` follow from the rest.

        Args:
            parts: Role to component.
            lineage: Steps, oldest first; at least one, because the licence comes from them.
            transform: ``EcgTransform.to_state()``, or None without an ECG encoder.
            notes: Lines for people.
            tasks: Role of a head to its task.
        """
        return cls(
            parts=dict(parts),
            tasks=dict(tasks or {}),
            transform=None if transform is None else dict(transform),
            transform_hash=None if transform is None else transform_hash(transform),
            lineage=lineage,
            licence=strictest(*(step.licence for step in lineage)),
            simulated=any(step.simulated for step in lineage),
            notes=notes,
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong = [role for role in self.parts if not role.isidentifier()]
        if wrong:
            raise ValueError(f"role {wrong[0]!r} is not a plain name")
        for role, task in self.tasks.items():
            if not {role, task.encoder} <= self.parts.keys():
                raise ValueError(f"task {task.name} needs the parts {role} and {task.encoder}")
        if self.transform_hash != _hash_of(self.transform):
            raise ValueError("transform_hash is not the hash of the transform")
        known = {step.step_id for step in self.lineage}
        missing = {parent for step in self.lineage for parent in step.parents} - known
        if missing:
            raise ValueError(f"the lineage lacks its step {min(missing)} or a step was altered")
        licences = [step.licence for step in self.lineage]
        if not is_at_least_as_strict(self.licence, *licences):
            raise ValueError(f"licence {self.licence} is freer than its lineage: {licences}")
        if self.lineage and self.simulated != any(step.simulated for step in self.lineage):
            raise ValueError("'simulated' contradicts the lineage")
        return self

    @property
    def leading_role(self) -> str:
        """The role the file is about; ``load`` builds it if none is named.

        Raises:
            WeightsError: If it holds several parts, none under a usual role.
        """
        if len(self.parts) == 1:
            return next(iter(self.parts))
        for role in _LEADING:
            if role in self.parts:
                return role
        raise WeightsError(f"several parts and no leading one; name one: {', '.join(self.parts)}")

    def part(self, role: str) -> PartHeader:
        """The part of this role.

        Raises:
            WeightsError: If the file holds none.
        """
        if role not in self.parts:
            raise WeightsError(f"no part {role!r}; these weights hold {', '.join(self.parts)}")
        return self.parts[role]

    def to_metadata(self) -> dict[str, str]:
        """The safetensors metadata of this header; equal headers give equal text."""
        content = self.model_dump(mode="json")
        return {METADATA_KEY: json.dumps(content, sort_keys=True, separators=(",", ":"))}


def read_header(path: Path) -> WeightsHeader:
    """Read the header of a weights file without reading a tensor.

    Raises:
        WeightsError: If the file is missing, cut short, a pickle, or not of this toolkit.
    """
    refuse_foreign(path)
    with safetensors_errors(path), safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
    if METADATA_KEY not in metadata:
        raise WeightsError(
            f"{path}: a safetensors file without a cardionets header, so what it holds is unknown; "
            "if a converter knows it, run 'cardionets zoo import CONVERTER FILE'"
        )
    return _parse(path, metadata[METADATA_KEY])


def _parse(path: Path, text: str) -> WeightsHeader:
    try:
        content = json.loads(text)
        found = content["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path}: the header is broken ({error}); fetch the file anew"
        ) from error
    if found != FORMAT_VERSION:
        raise WeightsError(
            f"{path}: format {found} found, this version reads format {FORMAT_VERSION}; "
            "update with 'pip install -U cardionets'"
        )
    try:
        return WeightsHeader.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WeightsError(
            f"{path}: the header does not hold: {where or 'header'}: {first['msg']}; "
            "fetch the file anew, or train and save it again"
        ) from error


def refuse_foreign(path: Path, shown: str | None = None) -> None:
    """Refuse a file that is not safetensors before anything opens it.

    Args:
        path: The file.
        shown: What to call it in the message, if not by its path.

    Raises:
        WeightsError: If it is missing, a pickle (which can run code when opened) or another format.
    """
    name = shown or str(path)
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise WeightsError(f"{name}: cannot be read ({error.strerror or error})") from error
    # Eight bytes of header length, then the header's JSON.
    if head[8:] == b"{":
        return
    if head.startswith(b"PK\x03\x04") or head[:1] == b"\x80":
        raise WeightsError(
            f"{name}: a pickle checkpoint (.pth, .pt, .ckpt) found, safetensors needed, because "
            "opening a pickle can run any code; convert it with 'cardionets zoo import' if a "
            "converter knows it, else ask its author for safetensors"
        )
    raise WeightsError(
        f"{name}: not a safetensors file, or cut short within its first bytes; fetch it anew"
    )


@contextmanager
def safetensors_errors(path: Path) -> Iterator[None]:
    """Turn errors of the safetensors library about ``path`` into one clear line."""
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: cut short or altered ({error}); fetch it or save it anew"
        ) from error


def _hash_of(transform: Mapping[str, Any] | None) -> str | None:
    if transform is None:
        return None
    try:
        return transform_hash(transform)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the transform is not one ({error!r})") from error
