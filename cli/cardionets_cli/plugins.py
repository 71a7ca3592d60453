"""``cardionets plugins``: what is installed, and what would not load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cardionets_cli.console import add_row, err, out
from cardionets_core.errors import CardionetsError, UnknownNameError
from cardionets_core.plugins import Plugin
from cardionets_core.registry import Component, Provided, Registry, default_registry, unknown

app = typer.Typer(help="List, show and check plugins.", no_args_is_help=True)


@app.command("list")
def list_plugins() -> None:
    """List the plugins, what each brings, and those that did not load."""
    discovery = default_registry().discovery
    table = Table("plugin", "distribution", "version", "brings", box=None, pad_edge=False)
    for plugin in discovery.loaded:
        add_row(table, plugin.name, plugin.distribution, plugin.version, _brings(plugin))
    out.print(table)
    for failed in discovery.failed:
        err.print(f"[yellow]{escape(str(failed))}[/]", soft_wrap=True)


def _brings(plugin: Plugin) -> str:
    """What a plugin declares, by hook: ``encoders stmem, vit-cmr``."""
    return "; ".join(
        f"{_short(hook)} {', '.join(item.name for item in declared)}"
        for hook, declared in plugin.declarations.items()
        if declared
    )


def _short(hook: str) -> str:
    return hook.removeprefix("cardionets_").replace("_", " ")


@app.command("show")
def show_plugin(name: Annotated[str, typer.Argument(help="Name of the plugin.")]) -> None:
    """Show everything that one plugin brings."""
    discovery = default_registry().discovery
    for plugin in discovery.loaded:
        if plugin.name == name:
            _print(plugin)
            return
    broken = "".join(f"\n{failed}" for failed in discovery.failed if failed.name == name)
    raise UnknownNameError(unknown("plugin", name, (p.name for p in discovery.loaded)) + broken)


def _print(plugin: Plugin) -> None:
    out.print(str(plugin), markup=False)
    table = Table("hook", "name", "summary", box=None, pad_edge=False)
    for hook, declared in plugin.declarations.items():
        for item in declared:
            add_row(table, _short(hook), item.name, item.summary)
    out.print(table)


@app.command("doctor")
def doctor() -> None:
    """Import everything that the plugins declare, check their presets, and name what fails.

    Ends with exit code 1 if anything does.
    """
    registry = default_registry()
    problems = [str(failed) for failed in registry.discovery.failed]
    outcomes = [*_imports(registry), *_presets(registry)]
    problems += [*filter(None, outcomes), *_clashes(registry)]
    for problem in problems:
        err.print(f"[red]{escape(problem)}[/]", soft_wrap=True)
    out.print(
        f"{len(registry.discovery.loaded)} plugins loaded, "
        f"{len(registry.discovery.failed)} not; {len(outcomes)} declarations and presets checked, "
        f"{len(problems)} problems"
    )
    if problems:
        raise typer.Exit(1)


def _imports(registry: Registry) -> Iterator[str]:
    """One entry per declared import: empty if it works, else why not."""
    for component in registry.components():
        yield _outcome(component, component.spec.config)
        yield _outcome(component, component.spec.target)
    for ecg_format in registry.ecg_formats():
        yield _outcome(ecg_format, ecg_format.spec.target)
    for converter in registry.converters():
        yield _outcome(converter, converter.spec.target)


def _outcome(provided: Provided[Any], path: str) -> str:
    try:
        provided.import_object(path)
    except CardionetsError as error:
        return str(error)
    return ""


def _presets(registry: Registry) -> Iterator[str]:
    """One entry per preset of a component: empty if its numbers are options, else why not."""
    for component in registry.components():
        for name in component.preset_names():
            yield _outcome_of_preset(component, name)


def _outcome_of_preset(component: Component, preset: str) -> str:
    from cardionets_core.options import check_preset

    try:
        check_preset(component, preset)
    except CardionetsError as error:
        return str(error)
    return ""


def _clashes(registry: Registry) -> list[str]:
    """Short names that several plugins bring, so that neither is reachable by it."""
    times = Counter((c.spec.kind, c.name) for c in registry.components())
    return [
        f"{count} plugins bring a {kind} {name!r}; each is reachable as PLUGIN:{name} only"
        for (kind, name), count in times.items()
        if count > 1
    ]
