"""Differences between variants: interval, permutation p, Holm, DeLong and effect size."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.plots.looks import metric_label
from cardionets_core.evaluate.statistics import delong_test, holm
from cardionets_core.study.config import Setting, TaskPlan
from cardionets_core.study.jobs import slug
from cardionets_core.study.measures import COMPARED, Compared, compare
from cardionets_core.study.scores import TestScores, paired
from cardionets_core.study.tables.results import Results
from cardionets_core.study.tables.table import Table, number, p_value, rows_of, with_interval

MINUS = "\N{MINUS SIGN}"
LOSS = {
    "binary": "log loss",
    "multiclass": "log loss",
    "multilabel": "log loss, mean over labels",
    "regression": "squared error in SDs of the target, mean over outputs",
}


def pairs(results: Results, plan: TaskPlan) -> list[tuple[str, str]]:
    """Who is compared: the reference with every other variant, and neighbours of the order.

    Where neither makes a pair, each variant is compared with each other in the table's order.
    """
    config = results.config
    asked = [(config.reference, other) for other in plan.variants if other != config.reference]
    asked += list(pairwise(config.order))
    found: list[tuple[str, str]] = []
    for a, b in asked:
        if {a, b} <= set(plan.variants) and (b, a) not in found and (a, b) not in found:
            found.append((a, b))
    return found or list(combinations(plan.variants, 2))


def comparison_tables(results: Results, plan: TaskPlan) -> list[Table]:
    """A table per compared metric; Holm runs over all comparisons of each."""
    return [
        _comparison_table(results, plan, metric)
        for metric in COMPARED[results.tasks[plan.task].target]
    ]


def _comparison_table(results: Results, plan: TaskPlan, metric: str) -> Table:
    rows = []
    for setting in plan.settings:
        found = dict(results.of(plan, setting))
        for a, b in pairs(results, plan):
            if a in found and b in found:
                compared = compare(metric, found[a], found[b], results.rules)
                rows.append(comparison_row(results, (plan, setting, metric), (a, b), compared))
    frame = with_holm(pd.DataFrame(rows))
    return Table(
        f"comparisons-{slug(plan.task)}-{metric}",
        f"{plan.task}: differences in {metric_label(metric)}",
        frame,
        shown_comparisons(frame),
        comparison_notes(results, plan, len(frame)),
    )


def comparison_notes(results: Results, plan: TaskPlan, count: int) -> tuple[str, ...]:
    """What the columns of a table of differences are."""
    config = results.config
    within = "seed" if config.pooled else "run"
    loss = LOSS[results.tasks[plan.task].target]
    return (
        results.summary(),
        f"p: paired permutation test ({config.permutations} permutations) within each {within}, "
        "all records of a subject exchanged at once; it holds for these trained models, while the "
        "interval also resamples seeds",
        f"p (Holm): adjusted over the {count} comparisons of this table",
        f"d_z: paired Cohen's d of per-subject loss ({loss}); positive where the first one's loss "
        "is smaller",
    )


def comparison_row(
    results: Results,
    place: tuple[TaskPlan, Setting, str],
    who: tuple[str, str],
    compared: Compared,
) -> dict[str, Any]:
    """One difference as a row."""
    plan, setting, metric = place
    a, b = who
    found = compared.found
    names = ("estimate_a", "estimate_b", "difference", "low", "high", "p")
    return {
        "task": plan.task,
        "setting": setting.text,
        "metric": metric,
        "variant_a": a,
        "variant_b": b,
        "label_a": results.label(a),
        "label_b": results.label(b),
        **{name: np.nan if found is None else float(getattr(found, name)) for name in names},
        "d_z": compared.d_z,
        "subjects": compared.subjects,
        "records": compared.records,
        "note": compared.note,
    }


def with_holm(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with ``p_holm``, adjusted over all rows that have a p."""
    if frame.empty:
        return frame
    adjusted = np.full(len(frame), np.nan)
    tested = frame["p"].notna().to_numpy()
    if tested.any():
        adjusted[tested] = holm(frame["p"].to_numpy()[tested])
    frame.insert(list(frame.columns).index("p") + 1, "p_holm", adjusted)
    return frame


def shown_comparisons(frame: pd.DataFrame) -> pd.DataFrame:
    """Differences for people."""
    return pd.DataFrame(
        {
            "labels": row["setting"],
            "comparison": f"{row['label_a']} {MINUS} {row['label_b']}",
            "first": number(row["estimate_a"]),
            "second": number(row["estimate_b"]),
            "difference": with_interval(row, "difference", sign=True),
            "p": p_value(row["p"]),
            "p (Holm)": p_value(row["p_holm"]),
            "d_z": number(row["d_z"], 2),
            "subjects": row["subjects"],
        }
        for row in rows_of(frame)
    )


def delong_table(results: Results, plan: TaskPlan) -> Table | None:
    """DeLong's test of AUCs per seed; only where the AUC of a seed is one of all its records."""
    config = results.config
    single = len(config.folds) == 1 or config.pooled
    if results.tasks[plan.task].target != "binary" or not single:
        return None
    rows = [
        {**_head(results, plan, setting, a, b), "seed": seed, **_delong(*models)}
        for setting in plan.settings
        for a, b, seed, models in _by_seed(results, plan, setting)
    ]
    if not rows:
        return None
    frame = with_holm(pd.DataFrame(rows))
    shown = pd.DataFrame(
        {
            "labels": row["setting"],
            "comparison": f"{row['label_a']} {MINUS} {row['label_b']}",
            "seed": row["seed"],
            "AUCs": f"{number(row['auc_a'])}, {number(row['auc_b'])}",
            "difference": with_interval(row, "difference", sign=True),
            "z": number(row["z"], 2),
            "p": p_value(row["p"]),
            "p (Holm)": p_value(row["p_holm"]),
        }
        for row in rows_of(frame)
    )
    notes = (
        "DeLong's test and 95 % interval for two AUCs on the same records, seed by seed; it takes "
        "records for independent"
        + (", and folds of a seed are pooled as the paper does" if config.pooled else ""),
        f"p (Holm): adjusted over the {len(frame)} comparisons of this table",
    )
    name = f"delong-{slug(plan.task)}"
    return Table(name, f"{plan.task}: DeLong's test, seed by seed", frame, shown, notes)


def _head(results: Results, plan: TaskPlan, setting: Setting, a: str, b: str) -> dict[str, Any]:
    return {
        "task": plan.task,
        "setting": setting.text,
        "variant_a": a,
        "variant_b": b,
        "label_a": results.label(a),
        "label_b": results.label(b),
    }


def _by_seed(
    results: Results, plan: TaskPlan, setting: Setting
) -> Iterable[tuple[str, str, int, tuple[TestScores, TestScores]]]:
    found = dict(results.of(plan, setting))
    for a, b in pairs(results, plan):
        if a not in found or b not in found:
            continue
        both = paired(found[a], found[b])
        for seed in np.unique(both[0].seed):
            rows = both[0].seed == seed
            yield a, b, int(seed), (both[0].take(rows), both[1].take(rows))


def _delong(a: TestScores, b: TestScores) -> dict[str, Any]:
    names = ("auc_a", "auc_b", "difference", "low", "high", "z", "p")
    try:
        found = delong_test(a.y, a.score[:, 0], b.score[:, 0])
    except EvaluationError as error:
        return {**dict.fromkeys(names, np.nan), "note": str(error)}
    return {**{name: float(getattr(found, name)) for name in names}, "note": ""}
