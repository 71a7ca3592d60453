"""``cardionets presets``: the numbers of every stage, with their source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from cardionets_cli.console import add_row, out
from cardionets_core.errors import UnknownNameError
from cardionets_core.registry import Component, default_registry, unknown

app = typer.Typer(help="List, show and compare presets.", no_args_is_help=True)


@app.command("list")
def list_presets() -> None:
    """List the presets and the components they hold numbers for."""
    held: dict[str, list[str]] = {}
    for component in default_registry().components():
        for preset in component.preset_names():
            held.setdefault(preset, []).append(component.name)
    table = Table("preset", "components", box=None, pad_edge=False)
    for preset, components in sorted(held.items()):
        add_row(table, preset, ", ".join(components))
    out.print(table)


@app.command("show")
def show_preset(
    name: Annotated[str, typer.Argument(help="Preset.")],
    component: Annotated[str | None, typer.Option(help="Only this component.")] = None,
) -> None:
    """Show every number of a preset with its source."""
    table = Table("component", "option", "value", "source", box=None, pad_edge=False)
    for holder in _holders(name):
        if component not in (None, holder.name):
            continue
        for key, value in _flat(holder.preset(name)):
            add_row(table, holder.name, key, str(value), holder.preset_source(name, key))
    out.print(table)


@app.command("diff")
def diff_presets(
    a: Annotated[str, typer.Argument(help="One preset.")],
    b: Annotated[str, typer.Argument(help="The other.")],
) -> None:
    """Show the numbers in which two presets differ, with their sources.

    An option that a preset does not name has the component's default, marked so.
    """
    table = Table(
        "component", "option", a, b, f"source of {a}", f"source of {b}", box=None, pad_edge=False
    )
    both = {holder.name: holder for holder in (*_holders(a), *_holders(b))}
    for holder in both.values():
        left, right = _resolved(holder, a), _resolved(holder, b)
        for key in dict.fromkeys([*left, *right]):
            if left.get(key) != right.get(key):
                add_row(
                    table,
                    holder.name,
                    key,
                    str(left.get(key, "default")),
                    str(right.get(key, "default")),
                    holder.preset_source(a, key) if key in left else "",
                    holder.preset_source(b, key) if key in right else "",
                )
    out.print(table)


def _holders(preset: str) -> list[Component]:
    components = default_registry().components()
    holders = [c for c in components if preset in c.preset_names()]
    if not holders:
        names = {name for c in components for name in c.preset_names()}
        raise UnknownNameError(unknown("preset", preset, names))
    return holders


def _resolved(holder: Component, preset: str) -> dict[str, Any]:
    return dict(_flat(holder.preset(preset))) if preset in holder.preset_names() else {}


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
