"""``cardionets zoo``: released weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

from cardionets_cli.console import add_row, err, out

app = typer.Typer(help="List, fetch, check, convert and pack weights.", no_args_is_help=True)


@app.command("list")
def list_entries() -> None:
    """List the released weights."""
    from cardionets_core.weights import zoo

    table = Table("name", "kind", "size", "licence", "summary", box=None, pad_edge=False)
    for row in zoo.list_entries():
        add_row(table, *row.values())
    out.print(table)


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="Zoo id.")]) -> None:
    """Show an entry: hash, licence, preprocessing and card."""
    from cardionets_core.weights import zoo

    rows = zoo.show_entry(name)
    card = rows.pop("card")
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in rows.items():
        add_row(table, key, value)
    out.print(table)
    out.print(Markdown(card))


@app.command("pull")
def pull(
    name: Annotated[str, typer.Argument(help="Zoo id, or the url of a safetensors file.")],
    offline: Annotated[bool, typer.Option(help="Never use the network.")] = False,
) -> None:
    """Have the file on this machine, its hash checked."""
    from cardionets_core.weights import zoo

    fetched = zoo.pull(name, offline=offline or None)
    out.print(f"{fetched.path}", soft_wrap=True, markup=False)
    out.print(f"sha256 {fetched.sha256 or 'not pinned'}")


@app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Zoo ids; all if none.")] = None,
    offline: Annotated[bool, typer.Option(help="Never use the network.")] = False,
) -> None:
    """Check files, hashes, headers and cards; exit code 1 if one does not hold."""
    from cardionets_core.weights import zoo

    verdicts = zoo.verify(names or (), offline=offline or None)
    for verdict in verdicts:
        if verdict.problems:
            err.print(f"[red]{escape(verdict.name)}: {escape('; '.join(verdict.problems))}[/]")
        else:
            out.print(f"{verdict.name}: sound")
    if any(verdict.problems for verdict in verdicts):
        raise typer.Exit(1)


@app.command("import")
def import_weights(
    converter: Annotated[str, typer.Argument(help="Converter, e.g. st-mem.")],
    source: Annotated[Path, typer.Argument(help="The other project's checkpoint.")],
    out_: Annotated[Path, typer.Option("--out", help="Safetensors file to write.")],
) -> None:
    """Convert another project's checkpoint; it is never unpickled beyond tensors."""
    from cardionets_core.weights import zoo

    out.print(str(zoo.convert(converter, source, out_)), markup=False, soft_wrap=True)


@app.command("pack")
def pack(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folder, or several with a task head each.")
    ],
    card: Annotated[Path, typer.Option(help="Markdown card; the error says what it needs.")],
    out_: Annotated[Path, typer.Option("--out", help="Folder of the entry, or of an index.json.")],
    name: Annotated[str | None, typer.Option(help="Zoo id; the card's name if not given.")] = None,
    half: Annotated[bool, typer.Option(help="Store matrices in float16.")] = False,
    default_for: Annotated[
        str | None, typer.Option(help="Command that uses them when it names none, e.g. predict.")
    ] = None,
) -> None:
    """Make a zoo entry of a run, or of several task heads, with lineage and licence."""
    from cardionets_core.weights.pack import pack as pack_run

    entry = pack_run(runs, card, out_, name or card.stem, half=half, default_for=default_for)
    out.print(
        f"{entry.name}: {entry.size_bytes / 1e6:.2f} MB, {entry.licence}, {entry.sha256}",
        markup=False,
        soft_wrap=True,
    )
