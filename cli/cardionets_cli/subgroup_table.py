"""Names of metrics as people write them, and the table of subgroups of ``compare``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from rich.table import Table

from cardionets_cli.console import add_row

# Of a subgroup's metrics, as many are shown on the screen.
_SUBGROUP_METRICS = 3
_TITLES = {
    "auc": "AUC",
    "map": "mAP",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "r2": "R2",
    "mae": "MAE",
    "rmse": "RMSE",
    "pearson": "Pearson r",
    "brier": "Brier score",
    "d_z": "Cohen's d_z",
}


def title(metric: str) -> str:
    """A metric as people write it: ``auc[dcm]`` becomes ``AUC of dcm``."""
    name, _, output = metric.rstrip("]").partition("[")
    text = _TITLES.get(name, name.replace("_", " "))
    return f"{text} of {output}" if output else text


def subgroup_table(rows: list[dict[str, Any]]) -> Table:
    """A line per level and model with the leading metrics; the JSON has all of them."""
    metrics = list(dict.fromkeys(row["metric"] for row in rows))[:_SUBGROUP_METRICS]
    table = Table(title="Subgroups", box=None, title_justify="left", pad_edge=False)
    for heading in ("subgroup", "level", "model"):
        table.add_column(heading)
    for heading in ("subjects", "cases", *map(title, metrics)):
        table.add_column(heading, justify="right")
    table.add_column("")
    levels: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        key = row["subgroup"], row["level"], row["variant"]
        levels.setdefault(key, {})[row["metric"]] = row
    for (subgroup, level, model), found in sorted(levels.items(), key=_by_subgroup(levels)):
        shown = [found[metric] for metric in metrics if metric in found]
        counts = [_count(shown[0][name]) for name in ("n", "cases")]
        notes = "; ".join(dict.fromkeys(row["note"] for row in shown if row["note"]))
        add_row(table, subgroup, level, model, *counts, *map(_estimate, shown), notes)
    return table


def _by_subgroup(levels: Iterable[tuple[str, str, str]]) -> Callable[[Any], int]:
    """Sorts the models of a level side by side, levels in their order."""
    order = list(dict.fromkeys((subgroup, level) for subgroup, level, _ in levels))
    place = {key: number for number, key in enumerate(order)}
    return lambda item: place[item[0][:2]]


def _count(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.0f}"


def _estimate(row: dict[str, Any]) -> str:
    if math.isnan(row["estimate"]):
        return "-"
    text = f"{row['estimate']:.3f}"
    return text if math.isnan(row["low"]) else f"{text} ({row['low']:.3f} to {row['high']:.3f})"
