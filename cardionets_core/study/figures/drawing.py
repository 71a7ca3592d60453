"""All figures of a task."""

from __future__ import annotations

from pathlib import Path

from cardionets_core.study.config import TaskPlan
from cardionets_core.study.figures import from_scores, from_tables
from cardionets_core.study.figures.sheet import Drawn, Sheet
from cardionets_core.study.tables.results import Results
from cardionets_core.study.tables.table import Table

_FIGURES = (
    from_tables.bars,
    from_tables.label_efficiency,
    from_tables.ratios,
    from_tables.forest,
    from_tables.null,
    from_scores.roc,
    from_scores.confusion,
    from_tables.heat,
    from_scores.calibration,
    from_scores.decision,
    from_tables.subgroups,
)


def draw_figures(
    results: Results, plan: TaskPlan, tables: list[Table], folder: Path
) -> list[Drawn]:
    """Draw what a task has numbers for, each as PNG and SVG.

    Args:
        results: The study.
        plan: The task.
        tables: Its tables.
        folder: Where to.

    Returns:
        File name without suffix, and caption, of each figure.
    """
    sheet = Sheet(results, plan, {table.name: table.frame for table in tables}, folder)
    return [drawn for figure in _FIGURES if (drawn := figure(sheet)) is not None]
