"""The primary metric by sex and age band, at the setting with most labels."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq

from cardionets_core.evaluate.compare import CompareOptions
from cardionets_core.evaluate.plots.looks import metric_label
from cardionets_core.evaluate.subgroups import subgroup_table
from cardionets_core.study.config import TaskPlan
from cardionets_core.study.jobs import slug
from cardionets_core.study.tables.results import Results, main_setting
from cardionets_core.study.tables.table import NONE, Table, rows_of, with_interval

# Many small groups, each with its own bootstrap.
_MOST_RESAMPLES = 2000


def subgroups(results: Results, plan: TaskPlan) -> Table | None:
    """Each variant in each subgroup; None for tasks of several labels."""
    task, setting = results.tasks[plan.task], main_setting(plan)
    if task.target == "multilabel":
        return None
    rows = pq.read_table(
        results.scores.path,
        filters=[
            ("task", "==", task.name),
            ("setting", "==", setting.key),
            ("split", "==", "test"),
            ("variant", "in", list(plan.variants)),
        ],
    ).to_pandas()
    if rows.empty:
        return None
    config, metric = results.config, results.primary(plan.task)
    options = CompareOptions(
        confidence=config.confidence,
        resamples=min(config.resamples, _MOST_RESAMPLES),
        pooled=config.pooled,
    )
    # People who are nobody need no protection.
    frame = subgroup_table(rows, (metric,), hide=not results.nobody, options=options)
    frame.insert(2, "label", [results.label(name) for name in frame["variant"]])
    frame["task"] = plan.task
    order = {name: place for place, name in enumerate(plan.variants)}
    frame = frame.sort_values("variant", key=lambda names: names.map(order), kind="stable")
    return Table(
        f"subgroups-{slug(plan.task)}",
        f"{plan.task}: {metric_label(metric)} by sex and age, {setting.text}",
        frame.reset_index(drop=True),
        _shown(frame),
        (
            f"{100 * config.confidence:g} % intervals resample subjects and seeds together; people "
            "are counted over the test sets of all runs",
        ),
    )


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    """A level a row, a variant a column."""
    rows = []
    for (subgroup, level), group in frame.groupby(["subgroup", "level"], sort=False):
        first = group.iloc[0]
        people = "fewer than 10" if pd.isna(first["n"]) else f"{first['n']:.0f}"
        cases = {} if group["cases"].isna().all() else {"cases": f"{group['cases'].max():.0f}"}
        cells = {row["label"]: with_interval(row) for row in rows_of(group)}
        rows.append({"subgroup": f"{subgroup}: {level}", "people": people, **cases, **cells})
    return pd.DataFrame(rows).astype(object).fillna(NONE)
