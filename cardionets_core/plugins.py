"""Discovery of plugins, each isolated: one that fails is skipped and named, never fatal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

import pluggy

from cardionets_core import hookspecs
from cardionets_core.errors import PluginError
from cardionets_core.spec import (
    ComponentSpec,
    ConverterSpec,
    EcgFormat,
    TaskSpec,
    VariantSpec,
    ZooEntry,
)

ENTRY_POINT_GROUP = "cardionets.v1"
FIRST_PARTY = "cardionets"

Declaration = ComponentSpec | EcgFormat | ZooEntry | ConverterSpec | TaskSpec | VariantSpec
HOOKS: Mapping[str, type[Any]] = {
    "cardionets_encoders": ComponentSpec,
    "cardionets_aligners": ComponentSpec,
    "cardionets_autoencoders": ComponentSpec,
    "cardionets_generators": ComponentSpec,
    "cardionets_heads": ComponentSpec,
    "cardionets_datasets": ComponentSpec,
    "cardionets_tasks": TaskSpec,
    "cardionets_variants": VariantSpec,
    "cardionets_ecg_formats": EcgFormat,
    "cardionets_zoo_entries": ZooEntry,
    "cardionets_weight_converters": ConverterSpec,
}
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
# What a hook of components may yield; the other hooks have one type each.
_KIND_OF_HOOK = {
    "cardionets_encoders": "encoder",
    "cardionets_aligners": "aligner",
    "cardionets_autoencoders": "autoencoder",
    "cardionets_generators": "generator",
    "cardionets_heads": "head",
    "cardionets_datasets": "dataset",
}


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that loaded, with everything it declares."""

    name: str
    distribution: str
    version: str
    declarations: Mapping[str, tuple[Declaration, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})"


@dataclass(frozen=True, slots=True)
class FailedPlugin:
    """A plugin that was skipped, and why."""

    name: str
    distribution: str
    version: str
    reason: str

    def __str__(self) -> str:
        return f"not loaded: {self.name} ({self.distribution} {self.version}): {self.reason}"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The outcome of looking for plugins."""

    loaded: tuple[Plugin, ...]
    failed: tuple[FailedPlugin, ...]


def discover(found: Iterable[EntryPoint] | None = None) -> Discovery:
    """Load every plugin of the group ``cardionets.v1``.

    Args:
        found: Entry points to load instead of those of the installed distributions.

    Returns:
        Those that loaded and those that did not. First-party plugins come first, so that a
        third-party entry point of the same name cannot take their place.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    loaded: list[Plugin] = []
    failed: list[FailedPlugin] = []
    candidates = entry_points(group=ENTRY_POINT_GROUP) if found is None else found
    for entry_point in sorted(candidates, key=_first_party_first):
        distribution, version = _origin(entry_point)
        try:
            declarations = _load(manager, entry_point)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may fail in any way
            reason = f"{type(error).__name__}: {error}"
            failed.append(FailedPlugin(entry_point.name, distribution, version, reason))
        else:
            loaded.append(Plugin(entry_point.name, distribution, version, declarations))
    return Discovery(tuple(loaded), tuple(failed))


def _first_party_first(entry_point: EntryPoint) -> tuple[bool, str, str]:
    distribution, _ = _origin(entry_point)
    return distribution != FIRST_PARTY, distribution, entry_point.name


def _origin(entry_point: EntryPoint) -> tuple[str, str]:
    if entry_point.dist is None:
        return "unknown distribution", "?"
    return entry_point.dist.name, entry_point.dist.version


def _load(
    manager: pluggy.PluginManager, entry_point: EntryPoint
) -> dict[str, tuple[Declaration, ...]]:
    """Import and register one plugin and collect what its hooks declare."""
    if manager.has_plugin(entry_point.name):
        raise PluginError(f"another plugin is called {entry_point.name!r}; rename the entry point")
    module = entry_point.load()
    try:
        manager.register(module, name=entry_point.name)
        return _collect(manager, entry_point.name)
    except BaseException:
        # A wrong argument fails halfway through registering, and must not keep the name taken.
        if manager.has_plugin(entry_point.name):
            manager.unregister(name=entry_point.name)
        raise


def _collect(manager: pluggy.PluginManager, name: str) -> dict[str, tuple[Declaration, ...]]:
    plugin = manager.get_plugin(name)
    declarations: dict[str, tuple[Declaration, ...]] = {}
    for caller in manager.get_hookcallers(plugin) or ():
        # pluggy alone ignores a misspelt hook: it would silently declare nothing.
        if not caller.has_spec():
            raise PluginError(f"unknown hook {caller.name!r}; the hooks are {', '.join(HOOKS)}")
        implementation = next(i for i in caller.get_hookimpls() if i.plugin_name == name)
        declared: tuple[Declaration, ...] = tuple(cast("Any", implementation.function()))
        _check(caller.name, declared)
        declarations[caller.name] = declared
    unmarked = [hook for hook in HOOKS if hasattr(plugin, hook) and hook not in declarations]
    if unmarked:
        raise PluginError(f"{', '.join(unmarked)} stands without @hookimpl above it")
    if not declarations:
        raise PluginError(f"no function is marked as hookimpl; the hooks are {', '.join(HOOKS)}")
    return declarations


def _check(hook: str, declared: tuple[Declaration, ...]) -> None:
    """Refuse a declaration of the wrong type or kind, an odd name, and a name given twice."""
    seen: set[str] = set()
    for item in declared:
        if not isinstance(item, HOOKS[hook]):
            raise PluginError(f"{hook} yields {type(item).__name__}, not {HOOKS[hook].__name__}")
        if isinstance(item, ComponentSpec) and item.kind != _KIND_OF_HOOK[hook]:
            raise PluginError(f"{hook} yields {item.name!r} of kind {item.kind!r}")
        if not _NAME.fullmatch(item.name):
            raise PluginError(
                f"{hook} yields the name {item.name!r}; needed lower-case letters, digits, dots "
                "and hyphens, as a colon stands for plugin:name"
            )
        if item.name in seen:
            raise PluginError(f"{hook} yields {item.name!r} twice")
        seen.add(item.name)
