"""``cardionets show KIND NAME``: options of a component or stage, a task, a variant; no torch."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import typer
from rich.table import Table

from cardionets_cli.console import add_row, out
from cardionets_core.errors import UnknownNameError
from cardionets_core.registry import Component, Provided, Registry, default_registry, unknown
from cardionets_core.spec import KINDS, USERS_ENCODER, Kind, LineageStage, TaskSpec, VariantSpec

_LIMITS = {
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
    "multiple_of": "a multiple of",
    "min_length": "length >=",
    "max_length": "length <=",
}
_SHOWN = (*KINDS, "task", "variant", "options")
# Options that belong to no component, and what they are of.
_STAGE_OPTIONS = {
    "train": "how a stage is trained",
    "data": "the ECG transform",
    "protocol": "a downstream task: which subjects train, select and test, and how",
}


def show(
    kind: Annotated[
        str,
        typer.Argument(
            help="Kind, e.g. encoder, task, variant; options for train, data, protocol."
        ),
    ],
    name: Annotated[str | None, typer.Argument(help="Name; all of the kind if none.")] = None,
) -> None:
    """Show a component, task or variant: who brings it, what it needs and every option."""
    if kind not in _SHOWN:
        raise UnknownNameError(unknown("kind", kind, _SHOWN))
    if kind == "options":
        _show_stage_options(name)
        return
    registry = default_registry()
    if name is None:
        table = Table("name", "plugin", "summary", box=None, pad_edge=False)
        for provided in _offered(kind, registry):
            add_row(table, provided.name, provided.plugin.name, provided.spec.summary)
        out.print(table)
    elif kind == "task":
        _show_task(registry.task(name))
    elif kind == "variant":
        _show_variant(registry.variant(name))
    else:
        _show_component(registry.find(cast("Kind", kind), name))


def _show_stage_options(name: str | None) -> None:
    if name is None:
        table = Table("name", "summary", box=None, pad_edge=False)
        for namespace, summary in _STAGE_OPTIONS.items():
            add_row(table, namespace, summary)
        out.print(table)
        return
    if name not in _STAGE_OPTIONS:
        raise UnknownNameError(unknown("options", name, _STAGE_OPTIONS))
    _say(f"options {name}: {_STAGE_OPTIONS[name]}; --set {name}.OPTION=VALUE")
    _say("a preset may name other values: cardionets presets show PRESET")
    out.print(_options(_stage_model(name)))


def _stage_model(name: str) -> Any:
    from cardionets_core.ecg.transform_config import EcgTransformConfig
    from cardionets_core.train.config import TrainConfig
    from cardionets_core.train.protocol import ProtocolConfig

    return {"train": TrainConfig, "data": EcgTransformConfig, "protocol": ProtocolConfig}[name]


def _offered(kind: Any, registry: Registry) -> tuple[Provided[Any], ...]:
    if kind == "task":
        return registry.tasks()
    return registry.variants() if kind == "variant" else registry.components(kind)


def _say(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)


def _head(kind: str, provided: Provided[Any]) -> None:
    _say(f"{kind} {provided.qualified_name}: {provided.spec.summary}")
    _say(f"from {provided.distribution} {provided.version}")


def _show_component(component: Component) -> None:
    _head(component.spec.kind, component)
    for need in component.spec.needs:
        _say(f"needs {need.role}: {need.kind} {need.default} by default")
    _say(f"presets: {', '.join(component.preset_names()) or 'none'}")
    out.print(_options(component.load_config()))


def _show_task(provided: Provided[TaskSpec]) -> None:
    task = provided.spec
    _head("task", provided)
    _say(f"target: {task.target}; outputs: {len(task.outputs)}")
    if task.codes:
        dated = "dated on or before the visit or undated" if task.dated_by_visit else "of any date"
        _say(f"diagnoses {dated} count")
    table = Table("output", "from", "unit", box=None, pad_edge=False)
    for place, output in enumerate(task.outputs):
        add_row(table, output, _source(task, place), task.units[place] if task.units else "")
    out.print(table)


def _source(task: TaskSpec, place: int) -> str:
    """Where an output of a task comes from."""
    if task.codes:
        return f"ICD-10 {', '.join(task.codes[place])}"
    if task.field_ids:
        return f"UK Biobank field {task.field_ids[place]}"
    # All classes share one column.
    return f"column {task.columns[min(place, len(task.columns) - 1)]}"


def _show_variant(provided: Provided[VariantSpec]) -> None:
    variant = provided.spec
    _head("variant", provided)
    encoder = f" by encoder {variant.encoder}" if variant.encoder else ""
    control = "; a negative control" if variant.control else ""
    _say(f"in tables: {variant.label}; reads {variant.modality}{encoder}{control}")
    if variant.not_for:
        _say(f"not for: {', '.join(variant.not_for)}")
    for preset, entry in variant.zoo.items():
        _say(f"preset {preset}: weights from zoo entry {entry}")
    table = Table("stage", "trains", "starts from", box=None, pad_edge=False)
    for stage in variant.stages:
        starts = ", ".join(f"{role} of {start}" for role, start in stage.starts.items())
        add_row(table, stage.name, _trains(stage), starts or "random weights")
    if variant.stages:
        out.print(table)
    else:
        _say("no stages: random weights")


def _trains(stage: LineageStage) -> str:
    """What a stage trains: ``encoder, aligner infonce``."""
    parts = [
        role if name == USERS_ENCODER else f"{role} {name}"
        for role, name in stage.components.items()
    ]
    task = f" for {stage.task}" if stage.task else ""
    return ", ".join(parts) + task + (", pairs shuffled" if stage.shuffle_pairs else "")


def _options(model: Any) -> Table:
    table = Table("option", "type", "default", "unit", "meaning", box=None, pad_edge=False)
    defaults = model() if _has_defaults(model) else None
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra or {}
        default = "required" if field.is_required() else getattr(defaults, name, field.default)
        limits = ", ".join(filter(None, map(_limit, field.metadata)))
        meaning = field.description or ""
        add_row(
            table,
            name,
            _type_name(field.annotation),
            _default(default),
            str(extra.get("unit", "")),
            f"{meaning} ({limits})" if limits else meaning,
        )
    return table


def _has_defaults(model: Any) -> bool:
    return not any(field.is_required() for field in model.model_fields.values())


def _type_name(annotation: Any) -> str:
    """A type as a user would say it: ``float | median``."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(parts[0])
    if origin in (Union, UnionType):
        return " | ".join(_type_name(part) for part in parts)
    if origin is Literal:
        return " | ".join(str(part) for part in parts)
    if annotation in (None, type(None)):
        return "none"
    if parts:
        inner = ", ".join("..." if part is Ellipsis else _type_name(part) for part in parts)
        return f"{origin.__name__}[{inner}]"
    return getattr(annotation, "__name__", str(annotation))


def _limit(constraint: Any) -> str:
    """A limit as a user would say it: ``> 0``; empty for what is no limit of a value."""
    for attribute, words in _LIMITS.items():
        if (bound := getattr(constraint, attribute, None)) is not None:
            return f"{words} {bound}"
    return ""


def _default(value: Any) -> str:
    if value is None:
        return "none"
    return ", ".join(str(part) for part in value) if isinstance(value, tuple) else str(value)
