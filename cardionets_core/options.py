"""Options: defaults < preset < config file < ``--set`` and flags, checked by each model."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from cardionets_core import interfaces
from cardionets_core.config import Options
from cardionets_core.errors import ConfigError, PluginError
from cardionets_core.registry import Component, Registry, default_registry, unknown
from cardionets_core.spec import Kind

# Namespaces that `cardionets show options` prints.
_OF_STAGES = ("train", "data", "protocol")

OptionsT = TypeVar("OptionsT", bound=Options)
# What a constructor takes beside its options, because another component decides it.
_CONTEXT: Mapping[str, frozenset[str]] = {
    "aligner": frozenset({"ecg_dim", "cmr_dim"}),
    "head": frozenset({"embed_dim", "pooled_dim", "outputs", "target"}),
    "generator": frozenset({"condition_dim"}),
}


@dataclass(frozen=True, slots=True)
class Given:
    """What a user gave, by namespace: ``{"train": {"epochs": 3}}``.

    Attributes:
        preset: Name of the preset underneath.
        file: Tables of ``--config FILE.toml``.
        explicit: Tables of ``--set`` and named flags.
    """

    preset: str
    file: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    explicit: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def options(self, namespace: str) -> dict[str, Any]:
        """What the user gave for one namespace; ``--set`` and flags win over the file."""
        return {**self.file.get(namespace, {}), **self.explicit.get(namespace, {})}

    def refuse_unknown(self, namespaces: Iterable[str]) -> None:
        """Refuse a namespace that this stage does not read.

        Raises:
            ConfigError: If there is one.
        """
        known = set(namespaces)
        for name in (*self.file, *self.explicit):
            if name not in known:
                raise ConfigError(unknown("option namespace", name, known))


def given(
    preset: str,
    *,
    config_file: Path | None = None,
    sets: Iterable[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> Given:
    """Gather what a user gave.

    Args:
        preset: Preset name.
        config_file: TOML file with one table per namespace.
        sets: ``NAMESPACE.OPTION=VALUE`` items; the value is read as TOML, else as text.
        flags: Named flags as ``{"train.epochs": 3}``; None values were not given.

    Raises:
        ConfigError: For a broken file or item, or an option given twice with two values.
    """
    explicit: dict[str, dict[str, Any]] = {}
    pairs = [_parse_set(item) for item in sets]
    pairs += [(key, value) for key, value in (flags or {}).items() if value is not None]
    for key, value in pairs:
        namespace, _, option = key.partition(".")
        table = explicit.setdefault(namespace, {})
        if option in table and table[option] != value:
            raise ConfigError(f"{key} is given twice, as {table[option]!r} and {value!r}; keep one")
        table[option] = value
    return Given(preset, _read_file(config_file), explicit)


def _parse_set(item: str) -> tuple[str, Any]:
    key, equals, text = item.partition("=")
    if not equals or "." not in key:
        raise ConfigError(f"--set {item!r}: needed NAMESPACE.OPTION=VALUE, e.g. train.lr=1e-3")
    return key.strip(), parse_value(text)


def parse_value(text: str) -> Any:
    """A value given as text: read as TOML if it is, else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _read_file(path: Path | None) -> dict[str, dict[str, Any]]:
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"--config {path}: {error.strerror}; needed a TOML file of tables: check the path"
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"--config {path}: {error}; needed a TOML file of tables") from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"--config {path}: {name} stands outside a table such as [train]")
    return tables


def component_options(component: Component, namespace: str, user: Given) -> Options:
    """Options of a component: its defaults, its preset, and what the user gave.

    Raises:
        ConfigError: For an unknown option or one out of range.
    """
    table = {k: v for k, v in _preset_of(component, user).items() if not isinstance(v, Mapping)}
    return make_options(component.load_config(), {**table, **user.options(namespace)}, namespace)


def stage_options(
    model: type[OptionsT], leading: Component, namespace: str, user: Given
) -> OptionsT:
    """Options of a stage (``train`` or ``data``): defaults, the leading component's, the user's.

    Raises:
        ConfigError: For an unknown option or one out of range.
    """
    table = _preset_of(leading, user).get(namespace, {})
    return make_options(model, {**table, **user.options(namespace)}, namespace)


def _preset_of(component: Component, user: Given) -> Mapping[str, Any]:
    """A component without any presets has its defaults; one that has some must know this one."""
    return component.preset(user.preset) if component.preset_names() else {}


def check_preset(component: Component, preset: str) -> None:
    """Check that a preset's numbers are options of its component, and within their limits.

    An option that only a user can give, such as a folder, may be missing.

    Raises:
        ConfigError: For the first that is not.
    """
    model = component.load_config()
    table = {k: v for k, v in component.preset(preset).items() if not isinstance(v, Mapping)}
    try:
        make_options(model, table, f"preset {preset!r} of {component.qualified_name}")
    except ConfigError as error:
        cause = error.__cause__
        if not isinstance(cause, ValidationError):
            raise
        if any(problem["type"] != "missing" for problem in cause.errors(include_url=False)):
            raise


def make_options(model: type[OptionsT], values: Mapping[str, Any], namespace: str) -> OptionsT:
    """Check values against an option model.

    Raises:
        ConfigError: In one line: what was found, what is needed, and the nearest name.
    """
    for name in values:
        if name not in model.model_fields:
            raise ConfigError(unknown(f"{namespace} option", name, model.model_fields))
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problem = _problem(model, values, namespace, error)
        where = f" options {namespace}" if namespace in _OF_STAGES else ""
        raise ConfigError(
            f"{problem}; `cardionets show{where}` lists every option and its range"
        ) from error


def _problem(
    model: type[Options], values: Mapping[str, Any], namespace: str, error: ValidationError
) -> str:
    """The first option at fault, what was found and what is needed, in one line."""
    errors = error.errors(include_url=False, include_context=False)
    place = errors[0]["loc"][:1]
    # A union has one message per type that the value could have had.
    told = [e["msg"].removeprefix("Value error, ") for e in errors if e["loc"][:1] == place]
    if not place:
        return f"{namespace}: {told[0]}"
    name = str(place[0])
    if errors[0]["type"] == "missing":
        meaning = model.model_fields[name].description or "required"
        return f"{namespace}.{name} is not given, but needed: {meaning}"
    found = values.get(name, model.model_fields[name].default)
    return f"{namespace}.{name} = {found!r}: {' or '.join(dict.fromkeys(told))}"


def build(kind: Kind, name: str, /, *, registry: Registry | None = None, **options: Any) -> Any:
    """Build a component with random weights.

    Args:
        kind: ``"encoder"``, ``"aligner"``, ``"autoencoder"``, ``"generator"``, ``"head"`` or
            ``"dataset"``.
        name: Its name, e.g. ``"stmem"``, or ``"plugin:name"``.
        registry: Where to look; the installed plugins when not given.
        options: Its options, and for an aligner ``ecg_dim`` and ``cmr_dim``, for a head
            ``embed_dim``, ``pooled_dim``, ``outputs`` and ``target``, for a generator
            ``condition_dim``.

    Returns:
        The component.

    Raises:
        UnknownNameError: If there is no such component.
        ConfigError: For an unknown option or one out of range.
    """
    component = (registry or default_registry()).find(kind, name)
    context = {k: options.pop(k) for k in _CONTEXT.get(kind, frozenset()) & options.keys()}
    config = make_options(component.load_config(), options, kind)
    return construct(component, config, **context)


def construct(component: Component, config: Options, **context: int | str) -> Any:
    """Build a component from checked options, and check that it keeps its contract.

    Raises:
        PluginError: If the built object lacks what the contract asks for.
    """
    built = component.load()(config, **context)
    contract = {
        "encoder": interfaces.Encoder,
        "aligner": interfaces.Aligner,
        "autoencoder": interfaces.Autoencoder,
        "generator": interfaces.Generator,
        "head": interfaces.Head,
        "dataset": interfaces.Dataset,
    }[component.spec.kind]
    if lacking := interfaces.missing_members(built, contract):
        raise PluginError(
            f"{component.spec.kind} {component.qualified_name!r} of {component.plugin} does not "
            f"keep the contract cardionets_core.interfaces.{contract.__name__}: it lacks "
            f"{', '.join(lacking)}"
        )
    return built
