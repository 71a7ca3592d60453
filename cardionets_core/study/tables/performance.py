"""The main table: every metric of every variant at every setting; and its two extracts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cardionets_core.evaluate.plots.looks import metric_label
from cardionets_core.study.config import Setting, TaskPlan
from cardionets_core.study.jobs import slug
from cardionets_core.study.measures import METRICS_OF, OF_PREVALENCE, Measured, measure
from cardionets_core.study.scores import TestScores
from cardionets_core.study.tables.protocols import threshold
from cardionets_core.study.tables.results import Results, prevalence
from cardionets_core.study.tables.table import NONE, Table, number, rows_of, with_interval

_SHOWN = {
    "binary": ("auc", "balanced_accuracy", "map", "sensitivity", "specificity", "ppv", "npv", "f1"),
    "multiclass": ("auc", "balanced_accuracy", "map", "accuracy"),
    "multilabel": ("auc", "map", "balanced_accuracy"),
    "regression": ("r2", "pearson"),
}


def main_table(results: Results, plan: TaskPlan) -> Table:
    """Every metric of a task, with intervals and the SD over seeds."""
    rows = [
        row
        for setting in plan.settings
        for variant, scores in results.of(plan, setting)
        for row in _rows(results, plan, setting, variant, scores)
    ]
    frame = pd.DataFrame(rows)
    target = results.tasks[plan.task].target
    notes = [
        results.summary(),
        "SD is the standard deviation over seeds, which is no interval",
        _target_note(results, plan, frame),
    ]
    if any(name in results.config.runs for name in plan.variants):
        own = ", ".join(results.label(n) for n in plan.variants if n in results.config.runs)
        notes.append(
            f"{own}: one run given by the user serves all seeds, so that seeds differ in "
            "the downstream task alone"
        )
    if plan.controls:
        notes.append("Controls are tested on the first seed alone")
    return Table(
        f"main-{slug(plan.task)}",
        f"{plan.task}: all variants",
        frame,
        _shown(frame, _SHOWN[target]) if len(frame) else frame,
        tuple(note for note in notes if note),
    )


def _rows(
    results: Results, plan: TaskPlan, setting: Setting, variant: str, scores: TestScores
) -> list[dict[str, Any]]:
    head = {
        "task": plan.task,
        "setting": setting.text,
        "ratio": setting.ratio,
        "variant": variant,
        "label": results.label(variant),
        "control": results.variants[variant].control,
        "training_labels": scores.mean_labels,
        "seeds": len(np.unique(scores.seed)),
        "runs": len(np.unique(scores.runs)),
        "test_subjects": len(np.unique(scores.subject)),
        "test_records": len(scores),
        "prevalence": prevalence(scores),
    }
    metrics = METRICS_OF[results.tasks[plan.task].target]
    return [
        {**head, "metric": metric, **_numbers(measure(metric, scores, results.rules))}
        for metric in metrics
    ]


def _numbers(found: Measured) -> dict[str, Any]:
    return {
        "estimate": found.interval.estimate,
        "low": found.interval.low,
        "high": found.interval.high,
        "sd_over_seeds": found.sd,
        "by_seed": " ".join(f"{value:.6g}" for value in found.by_seed),
        "note": found.note,
    }


def _target_note(results: Results, plan: TaskPlan, frame: pd.DataFrame) -> str:
    task = results.tasks[plan.task]
    if task.target == "regression":
        return f"R² and Pearson's r are means over {len(task.outputs)} outputs"
    if task.target != "binary" or frame.empty:
        return "Metrics are means over classes or labels, each against the rest"
    names = ", ".join(metric_label(name) for name in OF_PREVALENCE)
    said = [
        f"{names} hold at the test prevalence of {100 * frame['prevalence'].mean():.3g} %",
        f"{origin}, and stored with its scores" if (origin := _origin(results, plan)) else "",
    ]
    if any(setting.negatives is not None for setting in plan.settings):
        said.append(
            "in training controls are drawn at the ratio named, in the test all are kept: the "
            "Brier score and calibration are at the test prevalence, while the probabilities are "
            "those of the training prevalence"
        )
    return "; ".join(text for text in said if text)


def _origin(results: Results, plan: TaskPlan) -> str:
    return threshold(results.protocols.get(plan.task, ()))


def _shown(frame: pd.DataFrame, metrics: tuple[str, ...]) -> pd.DataFrame:
    """A row per variant and setting, a column per metric."""
    rows = []
    for (setting, label), group in frame.groupby(["setting", "label"], sort=False):
        cells = {row["metric"]: with_interval(row) for row in rows_of(group)}
        first = group[group["metric"] == metrics[0]].iloc[0]
        rows.append(
            {
                "labels": setting,
                "training labels": f"{first['training_labels']:.0f}",
                "variant": label,
                **{metric_label(metric): cells[metric] for metric in metrics},
                f"SD of {metric_label(metrics[0])}": number(first["sd_over_seeds"]),
            }
        )
    return pd.DataFrame(rows)


def extract(results: Results, plan: TaskPlan, main: Table, *, by: str) -> Table | None:
    """The primary metric over label counts, or over ratios of controls; None with one of them.

    Args:
        results: The study.
        plan: The task.
        main: Its main table.
        by: ``labels`` or ``ratio``.
    """
    if main.frame.empty:
        return None
    metric = results.primary(plan.task)
    chosen = [s.text for s in along(plan, by)]
    frame = main.frame[(main.frame["metric"] == metric) & main.frame["setting"].isin(chosen)]
    if len(chosen) < 2 or frame["setting"].nunique() < 2:
        return None
    shown = frame.assign(cell=[with_interval(row) for row in rows_of(frame)]).pivot_table(
        index="label", columns="setting", values="cell", aggfunc="first", sort=False
    )
    shown = shown.reindex(columns=[s for s in chosen if s in shown]).astype(object).fillna(NONE)
    kind = "label efficiency" if by == "labels" else "ratios of cases to controls in training"
    name = "label-efficiency" if by == "labels" else "ratios"
    return Table(
        f"{name}-{slug(plan.task)}",
        f"{plan.task}: {kind}, {metric_label(metric)}",
        frame.reset_index(drop=True),
        shown.rename_axis(columns=None).rename_axis("variant").reset_index(),
        (results.summary(),),
    )


def along(plan: TaskPlan, by: str) -> list[Setting]:
    """Settings that differ in the number of labels alone, or in the ratio alone."""
    first = plan.settings[0].negatives
    if by == "labels":
        return [s for s in plan.settings if s.negatives == first]
    most = max(s.fraction for s in plan.settings)
    return [s for s in plan.settings if s.negatives is not None and s.fraction == most]
