"""What the numbers say, in plain words: every sentence is computed, none is taken for granted."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from cardionets_core.evaluate.plots.looks import metric_label
from cardionets_core.study.config import Setting, TaskPlan
from cardionets_core.study.jobs import slug
from cardionets_core.study.tables.comparisons import MINUS
from cardionets_core.study.tables.results import Results
from cardionets_core.study.tables.table import Table, p_value, rows_of, with_interval

_SIGNIFICANT = 0.05
Row = Mapping[str, Any]


def findings(results: Results, plan: TaskPlan, tables: Mapping[str, Table]) -> list[str]:
    """Sentences about one task.

    Args:
        results: The study.
        plan: The task.
        tables: Its tables by name.
    """
    name, metric = slug(plan.task), results.primary(plan.task)
    main = tables[f"main-{name}"].frame
    main = main[main["metric"] == metric]
    compared = tables.get(f"comparisons-{name}-{metric}")
    lines = []
    for setting in plan.settings:
        own = main[main["setting"] == setting.text]
        differences = None if compared is None else compared.frame
        lines += _of_setting(results, setting, own, differences)
    if (null := tables.get(f"null-{name}")) is not None:
        lines += _null(null.frame)
    return lines or ["No variant has finished at any setting."]


def _of_setting(
    results: Results, setting: Setting, main: pd.DataFrame, compared: pd.DataFrame | None
) -> list[str]:
    if main.empty:
        return [f"{setting.text}: no variant has finished."]
    metric = metric_label(results.primary(str(main["task"].iloc[0])))
    rows = [row for row in rows_of(main) if not row["control"]]
    ranked = sorted(rows, key=lambda row: -np.nan_to_num(row["estimate"], nan=-np.inf))
    told = ", ".join(f"{row['label']} {with_interval(row)}" for row in ranked)
    lines = [f"{setting.text}: {metric} {told}."]
    if compared is None:
        return lines
    differences = [row for row in rows_of(compared) if row["setting"] == setting.text]
    lines += [_difference(row) for row in differences if not np.isnan(row["difference"])]
    return [*lines, *_order(results, rows, differences)]


def _difference(row: Row) -> str:
    """One comparison, and whether it is significant after adjustment."""
    verdict = "significant" if row["p_holm"] < _SIGNIFICANT else "not significant"
    says = with_interval(row, "difference", sign=True)
    text = (
        f"{row['setting']}: {row['label_a']} {MINUS} {row['label_b']}: {says}, p "
        f"{_equals(row['p'])}, {verdict} after Holm (p {_equals(row['p_holm'])})"
    )
    holds = row["low"] > 0 or row["high"] < 0
    if holds != (row["p_holm"] < _SIGNIFICANT):
        text += (
            "; the interval over subjects and seeds leaves 0 out"
            if holds
            else "; the interval over subjects and seeds includes 0"
        )
    return f"{text}."


def _order(results: Results, rows: list[dict[str, Any]], differences: list[Any]) -> list[str]:
    """Whether the order that is claimed appears, and which steps of it are beyond chance."""
    estimates = {row["variant"]: row["estimate"] for row in rows}
    order = [name for name in results.config.order if name in estimates]
    if len(order) < 2:
        return []
    steps = list(pairwise(order))
    failing = [
        f"{results.label(a)} is not above {results.label(b)}"
        for a, b in steps
        if not estimates[a] > estimates[b]
    ]
    claimed = " > ".join(results.label(name) for name in order)
    setting = rows[0]["setting"]
    if failing:
        return [f"{setting}: the order {claimed} does not appear: {'; '.join(failing)}."]
    proven = [step for step in steps if _is_proven(step, differences)]
    return [
        f"{setting}: the order {claimed} appears in the estimates; {len(proven)} of its "
        f"{len(steps)} steps are significant after Holm."
    ]


def _is_proven(step: tuple[str, str], differences: list[Any]) -> bool:
    """Whether a difference in this direction is significant, whichever way it was computed."""
    for row in differences:
        if {row["variant_a"], row["variant_b"]} == set(step):
            upwards = row["difference"] if row["variant_a"] == step[0] else -row["difference"]
            return bool(upwards > 0 and row["p_holm"] < _SIGNIFICANT)
    return False


def _null(frame: pd.DataFrame) -> list[str]:
    """What alignment gains with true and with shuffled pairs."""
    lines = []
    for setting, group in frame.groupby("setting", sort=False):
        told = [
            f"{row['label_a']} {MINUS} {row['label_b']} "
            f"{with_interval(row, 'difference', sign=True)}, p {_equals(row['p'])}"
            for row in rows_of(group)
            if not np.isnan(row["difference"])
        ]
        if told:
            lines.append(
                f"{setting}: the null experiment (first seed): {'; '.join(told)}{_vanishes(group)}."
            )
    return lines


def _vanishes(group: pd.DataFrame) -> str:
    """Whether the gain over the start goes when pairs are shuffled; rows: true, shuffled, both."""
    if len(group) < 3:
        return ""
    true, shuffled = (float(value) for value in group["difference"].iloc[:2])
    if not true > 0:
        return ". There was no advantage of alignment here that could vanish"
    share = 100 * shuffled / true
    if shuffled <= 0:
        return ". With shuffled pairs nothing is left of the advantage"
    return f". With shuffled pairs {share:.0f} % of the advantage is left"


def _equals(p: float) -> str:
    told = p_value(p)
    return told if told.startswith("<") else f"= {told}"
