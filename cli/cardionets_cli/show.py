"""``cardionets show KIND NAME``: every option of a component, without importing torch."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from rich.table import Table

from cardionets_cli.console import add_row, out
from cardionets_core.errors import UnknownNameError
from cardionets_core.registry import default_registry, unknown
from cardionets_core.spec import KINDS

_LIMITS = {
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
    "multiple_of": "a multiple of",
    "min_length": "length >=",
    "max_length": "length <=",
}


def show(
    kind: Annotated[str, typer.Argument(help="Kind of component, e.g. encoder.")],
    name: Annotated[str | None, typer.Argument(help="Name; all of the kind if none.")] = None,
) -> None:
    """Show a component: who brings it, what it needs and every option."""
    if kind not in KINDS:
        raise UnknownNameError(unknown("kind", kind, KINDS))
    registry = default_registry()
    if name is None:
        table = Table("name", "plugin", "summary", box=None, pad_edge=False)
        for component in registry.components(kind):
            add_row(table, component.name, component.plugin.name, component.spec.summary)
        out.print(table)
        return
    component = registry.find(kind, name)
    out.print(
        f"{kind} {component.qualified_name}: {component.spec.summary}", markup=False, soft_wrap=True
    )
    out.print(f"from {component.distribution} {component.version}")
    for need in component.spec.needs:
        out.print(f"needs {need.role}: {need.kind} {need.default} by default")
    out.print(f"presets: {', '.join(component.preset_names()) or 'none'}")
    out.print(_options(component.load_config()))


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
