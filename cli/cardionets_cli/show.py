"""``cardionets show KIND NAME``: every option of a component, without importing torch."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import typer
from rich.table import Table

from cardionets_cli.console import out
from cardionets_core.errors import UnknownNameError
from cardionets_core.registry import default_registry, unknown
from cardionets_core.spec import KINDS


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
            table.add_row(component.name, component.plugin.name, component.spec.summary)
        out.print(table)
        return
    component = registry.find(kind, name)
    out.print(f"{kind} {component.qualified_name}: {component.spec.summary}")
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
        limits = ", ".join(str(m) for m in field.metadata)
        meaning = field.description or ""
        table.add_row(
            name,
            _type_name(field.annotation),
            str(default),
            str(extra.get("unit", "")),
            f"{meaning} ({limits})" if limits else meaning,
        )
    return table


def _has_defaults(model: Any) -> bool:
    return not any(field.is_required() for field in model.model_fields.values())


def _type_name(annotation: Any) -> str:
    parts = get_args(annotation)
    if not parts:
        return getattr(annotation, "__name__", str(annotation))
    if all(isinstance(part, str) for part in parts):
        return " | ".join(parts)
    return str(annotation).replace("typing.", "").replace("NoneType", "None")
