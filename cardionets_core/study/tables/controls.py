"""The null experiment: with the pairing shuffled, the advantage of alignment must vanish."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cardionets_core.evaluate.plots.looks import metric_label
from cardionets_core.spec import VariantSpec
from cardionets_core.study.config import Setting, TaskPlan
from cardionets_core.study.jobs import slug
from cardionets_core.study.measures import compare
from cardionets_core.study.tables.comparisons import (
    comparison_notes,
    comparison_row,
    shown_comparisons,
    with_holm,
)
from cardionets_core.study.tables.results import Results
from cardionets_core.study.tables.table import Table


def control_table(results: Results, plan: TaskPlan) -> Table | None:
    """What alignment gains with true and with shuffled pairs, on the control's seeds alone."""
    rows = [
        row
        for control in plan.controls
        for setting in plan.control_settings
        for row in _rows(results, plan, setting, control)
    ]
    if not rows:
        return None
    frame = with_holm(pd.DataFrame(rows))
    metric = results.primary(plan.task)
    return Table(
        f"null-{slug(plan.task)}",
        f"{plan.task}: the null experiment, differences in {metric_label(metric)}",
        frame,
        shown_comparisons(frame),
        (
            "Every ECG of the control was aligned with another subject's CMR; only the seeds of "
            "the control are compared here, so that intervals tell nothing of other seeds",
            *comparison_notes(results, plan, len(frame))[1:],
        ),
    )


def _rows(
    results: Results, plan: TaskPlan, setting: Setting, control: str
) -> list[dict[str, object]]:
    found = dict(results.of(plan, setting))
    named = {name: results.variants[name] for name in plan.variants}
    aligned, start = counterparts(results.variants[control], named)
    asked = [(aligned, start), (control, start), (aligned, control)]
    if control not in found:
        return []
    seeds = np.unique(found[control].seed)
    metric = results.primary(plan.task)
    return [
        comparison_row(
            results,
            (plan, setting, metric),
            (a, b),
            compare(metric, found[a].of_seeds(seeds), found[b].of_seeds(seeds), results.rules),
        )
        for a, b in asked
        if a in found and b in found
    ]


def counterparts(
    control: VariantSpec, variants: dict[str, VariantSpec]
) -> tuple[str | None, str | None]:
    """The variant that a control repeats with shuffled pairs, and the one that both start from.

    Args:
        control: Its last stage shuffles pairs.
        variants: Where they are looked for.
    """
    if not control.stages:
        return None, None
    last = control.stages[-1]
    aligned = start = None
    for name, spec in variants.items():
        if not spec.stages or spec.control:
            continue
        own = spec.stages[-1]
        if own.components == last.components and own.starts == last.starts:
            aligned = aligned or name
        if own.name == last.starts.get("encoder"):
            start = start or name
    return aligned, start
