"""A report as one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from html import escape
from typing import Any

from cardionets_core.cohort.reporting.collecting import Contents
from cardionets_core.cohort.reporting.disclosure import Number, Share
from cardionets_core.cohort.reporting.flow_svg import flow_svg
from cardionets_core.cohort.reporting.style import CSS
from cardionets_core.cohort.reporting.tables import Cell, Table

_NONE = '<p class="note">None.</p>'
_RULE = (
    "Counts of 1 to 9 people are shown as &lt;10. Where a total would give such a count away, "
    "another count is shown as the range that it leaves."
)


def as_html(
    title: str, contents: Contents, facts: Mapping[str, Any], notes: tuple[str, ...]
) -> str:
    """Write the report.

    Args:
        title: What it is about; says so where the data are simulated.
        contents: What was counted.
        facts: Where the cohort comes from, and how it was made.
        notes: What a reader has to know before anything else.
    """
    banner = (
        '<p class="simulated">SIMULATED: there is no patient behind any of these records.</p>'
        if contents.simulated
        else f'<p class="rule">{_RULE}</p>'
    )
    told = "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
    jumps = "".join(
        f'<a href="#{escape(table.key)}">{escape(table.title)}</a>' for table in contents.tables
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head><body><main>"
        f"<h1>{escape(title)}</h1>{banner}{told}"
        f'<nav><a href="#flow">Flow</a>{jumps}<a href="#quarantine_list">Quarantine</a>'
        '<a href="#provenance">Provenance</a></nav>'
        f"{_flow(contents)}{''.join(map(_section, contents.tables))}"
        f"{_list(contents.quarantine_list)}{_facts(facts)}</main></body></html>\n"
    )


def _flow(contents: Contents) -> str:
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in contents.flow.notes)
    return (
        '<section id="flow"><h2>From the source to the cohort</h2>'
        f"{notes}<figure>{flow_svg(contents.flow)}</figure></section>"
    )


def _section(table: Table) -> str:
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    body = _table(table) if table.rows else _NONE
    return f'<section id="{escape(table.key)}"><h2>{escape(table.title)}</h2>{note}{body}</section>'


def _list(table: Table) -> str:
    """Record by record: folded, and so left out where the report is printed."""
    if not table.rows:
        return _section(replace(table, note=""))
    return (
        f'<section id="{escape(table.key)}"><h2>{escape(table.title)}</h2>'
        f'<p class="note">{escape(table.note)}</p><details><summary>Record by record</summary>'
        f"{_table(table)}</details></section>"
    )


def _table(table: Table) -> str:
    numeric = [
        any(isinstance(row[place], Number | Share | float | int) for row in table.rows)
        for place in range(len(table.columns))
    ]
    heads = "".join(
        f"<th{_right(number)}>{escape(column.heading)}</th>"
        for column, number in zip(table.columns, numeric, strict=True)
    )
    rows = "".join(
        f"<tr{' class=all' if 'all' in row[:2] else ''}>"
        + "".join(
            f"<td{_right(number)}>{escape(_text(cell))}</td>"
            for cell, number in zip(row, numeric, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        "</div>"
    )


def _right(number: bool) -> str:
    return " class=n" if number else ""


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _facts(facts: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{_fact(value)}</td></tr>"
        for name, value in facts.items()
    )
    return (
        '<section id="provenance"><h2>Provenance</h2><div class="wide"><table class="facts">'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return "<br>".join(
            f"{escape(str(name))}: {escape(_plain_fact(told))}" for name, told in value.items()
        )
    return escape(_plain_fact(value))


def _plain_fact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
