"""The registry: which component a name means, and who brings it."""

from __future__ import annotations

import difflib
import importlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cardionets_core.errors import NameClashError, PluginError, UnknownNameError
from cardionets_core.plugins import Discovery, Plugin, discover
from cardionets_core.spec import (
    ComponentSpec,
    ConverterSpec,
    EcgFormat,
    Kind,
    TaskSpec,
    VariantSpec,
    ZooEntry,
)

if TYPE_CHECKING:
    from cardionets_core.config import Options

Declared = TypeVar(
    "Declared", ComponentSpec, EcgFormat, ZooEntry, ConverterSpec, TaskSpec, VariantSpec
)


@dataclass(frozen=True, slots=True)
class Provided(Generic[Declared]):
    """A declaration together with the plugin that makes it."""

    spec: Declared
    plugin: Plugin

    @property
    def name(self) -> str:
        """The short name."""
        return self.spec.name

    @property
    def qualified_name(self) -> str:
        """``plugin:name``, which is never ambiguous."""
        return f"{self.plugin.name}:{self.spec.name}"

    @property
    def distribution(self) -> str:
        """The distribution that installed the plugin."""
        return self.plugin.distribution

    @property
    def version(self) -> str:
        """That distribution's version."""
        return self.plugin.version

    def import_object(self, path: str) -> Any:
        """Import ``"package.module:object"``.

        Raises:
            PluginError: If that fails for any reason; plugin and distribution are named.
        """
        module, _, attribute = path.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{self.name!r} of plugin {self.plugin} cannot be imported from {path!r}: "
                f"{type(error).__name__}: {error}"
            ) from error


class Component(Provided[ComponentSpec]):
    """A component that can be configured and built."""

    __slots__ = ()

    def load(self) -> Any:
        """Import the component's class; this is where torch comes in."""
        return self.import_object(self.spec.target)

    def load_config(self) -> type[Options]:
        """Import the component's option model; light."""
        model: type[Options] = self.import_object(self.spec.config)
        return model

    def preset_names(self) -> tuple[str, ...]:
        """Presets that hold numbers for this component."""
        return tuple(sorted(name for name, table in self._presets() if self.name in table))

    def preset(self, name: str) -> Mapping[str, Any]:
        """This component's table of a preset, with sub-tables ``train`` and ``data``.

        Raises:
            UnknownNameError: If no such preset holds numbers for this component.
        """
        tables = {preset: table for preset, table in self._presets() if self.name in table}
        if name not in tables:
            raise UnknownNameError(
                f"{unknown('preset', name, tables)} It has to hold numbers for {self.name!r}."
            )
        table: Mapping[str, Any] = tables[name][self.name]
        return table

    def preset_source(self, name: str, key: str) -> str:
        """Where a preset's number comes from: the longest prefix of ``NAME.key`` that is noted."""
        notes: Mapping[str, str] = dict(self._presets()).get(name, {}).get("source", {})
        parts = f"{self.name}.{key}".split(".")
        for length in range(len(parts), 0, -1):
            if (prefix := ".".join(parts[:length])) in notes:
                return notes[prefix]
        return ""

    def _presets(self) -> Iterable[tuple[str, Mapping[str, Any]]]:
        return _package_presets(self.spec.config.partition(":")[0].partition(".")[0])


@cache
def _package_presets(package: str) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    folder = resources.files(package) / "presets"
    if not folder.is_dir():
        return ()
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return tuple((f.name[:-5], tomllib.loads(f.read_text(encoding="utf-8"))) for f in files)


def unknown(what: str, name: str, names: Iterable[str]) -> str:
    """One line for an unknown name: what was asked for, the nearest names, and the list."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"no {what} {name!r}.{hint} Available: {', '.join(known) or 'none'}."


class Registry:
    """Answers by name, from what the plugins declare.

    Args:
        discovery: The plugins that loaded and those that failed.
    """

    def __init__(self, discovery: Discovery) -> None:
        self.discovery = discovery

    def components(self, kind: Kind | None = None) -> tuple[Component, ...]:
        """Every component, or those of one kind, in the order of the plugins."""
        return tuple(
            Component(item, plugin)
            for plugin in self.discovery.loaded
            for declared in plugin.declarations.values()
            for item in declared
            if isinstance(item, ComponentSpec) and kind in (None, item.kind)
        )

    def find(self, kind: Kind, name: str) -> Component:
        """The component of this kind and name; ``plugin:name`` is always unambiguous.

        Raises:
            UnknownNameError: If there is none; plugins that did not load are named.
            NameClashError: If several plugins bring one; all are named.
        """
        return self._pick(kind, name, self.components(kind))

    def default(self, kind: str) -> Component:
        """The component declared as default for this kind.

        Raises:
            PluginError: Unless exactly one is.
        """
        chosen = [c for c in self.components() if c.spec.default_for == kind]
        if len(chosen) != 1:
            names = ", ".join(c.qualified_name for c in chosen) or "none"
            raise PluginError(f"one default {kind} is needed, found {names}")
        return chosen[0]

    def ecg_formats(self) -> tuple[Provided[EcgFormat], ...]:
        """Every ECG file format."""
        return tuple(self._provided("cardionets_ecg_formats", EcgFormat))

    def ecg_format(self, name: str) -> Provided[EcgFormat]:
        """The ECG file format of this name.

        Raises:
            UnknownNameError: If there is none.
            NameClashError: If several plugins bring one.
        """
        return self._pick("ECG format", name, self.ecg_formats())

    def tasks(self) -> tuple[Provided[TaskSpec], ...]:
        """Every task."""
        return tuple(self._provided("cardionets_tasks", TaskSpec))

    def task(self, name: str) -> Provided[TaskSpec]:
        """The task of this name.

        Raises:
            UnknownNameError: If there is none.
            NameClashError: If several plugins bring one.
        """
        return self._pick("task", name, self.tasks())

    def variants(self) -> tuple[Provided[VariantSpec], ...]:
        """Every variant."""
        return tuple(self._provided("cardionets_variants", VariantSpec))

    def variant(self, name: str) -> Provided[VariantSpec]:
        """The variant of this name.

        Raises:
            UnknownNameError: If there is none.
            NameClashError: If several plugins bring one.
        """
        return self._pick("variant", name, self.variants())

    def zoo_entries(self) -> tuple[Provided[ZooEntry], ...]:
        """Every zoo entry."""
        return tuple(self._provided("cardionets_zoo_entries", ZooEntry))

    def zoo_entry(self, name: str) -> ZooEntry:
        """The zoo entry of this name.

        Raises:
            UnknownNameError: If there is none.
            NameClashError: If several plugins bring one.
        """
        return self._pick("zoo entry", name, self.zoo_entries()).spec

    def default_zoo_entry(self, command: str) -> Provided[ZooEntry]:
        """The zoo entry declared as default for this command.

        Raises:
            PluginError: Unless exactly one is.
        """
        chosen = [entry for entry in self.zoo_entries() if entry.spec.default_for == command]
        if len(chosen) != 1:
            names = ", ".join(entry.qualified_name for entry in chosen) or "none"
            raise PluginError(
                f"one zoo entry that serves `{command}` by default is needed, found {names}; name "
                "the weights with --weights"
            )
        return chosen[0]

    def converter(self, name: str) -> Provided[ConverterSpec]:
        """The converter of this name.

        Raises:
            UnknownNameError: If there is none.
            NameClashError: If several plugins bring one.
        """
        return self._pick("converter", name, self.converters())

    def converters(self) -> tuple[Provided[ConverterSpec], ...]:
        """Every converter of other projects' checkpoints."""
        return tuple(self._provided("cardionets_weight_converters", ConverterSpec))

    def _provided(self, hook: str, kind: type[Declared]) -> Iterable[Provided[Declared]]:
        for plugin in self.discovery.loaded:
            for item in plugin.declarations.get(hook, ()):
                if isinstance(item, kind):
                    yield Provided(item, plugin)

    def _pick(self, what: str, name: str, offered: tuple[_P, ...]) -> _P:
        matches = [p for p in offered if name in (p.name, p.qualified_name)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            both = "; ".join(f"{p.qualified_name} ({p.distribution} {p.version})" for p in matches)
            raise NameClashError(
                f"{len(matches)} plugins bring a {what} {name!r}; name one: {both}"
            )
        broken = "".join(f"\n{failed}" for failed in self.discovery.failed)
        raise UnknownNameError(unknown(what, name, {p.name for p in offered}) + broken)


_P = TypeVar("_P", bound=Provided[Any])


@cache
def default_registry() -> Registry:
    """The registry of the installed distributions; plugins are discovered once a process."""
    return Registry(discover())
