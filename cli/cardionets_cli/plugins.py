"""``cardionets plugins``: what is installed, and what would not load."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cardionets_cli.console import err, out
from cardionets_core.errors import UnknownNameError
from cardionets_core.plugins import Plugin
from cardionets_core.registry import Registry, default_registry, unknown

app = typer.Typer(help="List, show and check plugins.", no_args_is_help=True)


@app.command("list")
def list_plugins() -> None:
    """List the plugins, what each brings, and those that did not load."""
    discovery = default_registry().discovery
    table = Table("plugin", "distribution", "version", "brings", box=None, pad_edge=False)
    for plugin in discovery.loaded:
        table.add_row(plugin.name, plugin.distribution, plugin.version, _brings(plugin))
    out.print(table)
    for failed in discovery.failed:
        err.print(f"[yellow]{escape(str(failed))}[/]", soft_wrap=True)


def _brings(plugin: Plugin) -> str:
    kinds = Counter(
        hook.removeprefix("cardionets_").replace("_", " ")
        for hook, declared in plugin.declarations.items()
        for _ in declared
    )
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())


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
    out.print(str(plugin))
    table = Table("name", "hook", "summary", box=None, pad_edge=False)
    for hook, declared in plugin.declarations.items():
        for item in declared:
            table.add_row(item.name, hook.removeprefix("cardionets_"), item.summary)
    out.print(table)


@app.command("doctor")
def doctor() -> None:
    """Import everything that the plugins declare, and name what fails.

    Ends with exit code 1 if anything does.
    """
    registry = default_registry()
    problems = [str(failed) for failed in registry.discovery.failed]
    checked = 0
    for problem in _import_everything(registry):
        checked += 1
        if problem:
            problems.append(problem)
    for problem in problems:
        err.print(f"[red]{escape(problem)}[/]", soft_wrap=True)
    out.print(
        f"{len(registry.discovery.loaded)} plugins loaded, "
        f"{len(registry.discovery.failed)} not; {checked} declarations imported, "
        f"{len(problems)} problems"
    )
    if problems:
        raise typer.Exit(1)


def _import_everything(registry: Registry) -> list[str]:
    """One entry per declaration: empty if it could be imported, else why not."""
    from cardionets_core.errors import CardionetsError

    outcomes = []
    targets = [(c, c.spec.target) for c in registry.components()]
    targets += [(c, c.spec.config) for c in registry.components()]
    readers = [(f, f.spec.target) for f in registry.ecg_formats()]
    converters = [(c, c.spec.target) for c in registry.converters()]
    for provided, path in [*targets, *readers, *converters]:
        try:
            provided.import_object(path)
            outcomes.append("")
        except CardionetsError as error:
            outcomes.append(str(error))
    return outcomes
