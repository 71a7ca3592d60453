"""Figures of a comparison: ROC, calibration, decision curve, subgroups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cardionets_core.evaluate.compare import ModelComparison
from cardionets_core.evaluate.metric_rows import MetricRow
from cardionets_core.evaluate.plots import (
    calibration_figure,
    decision_curve_figure,
    roc_figure,
    subgroup_figure,
)
from cardionets_core.evaluate.scores import Scores
from cardionets_core.evaluate.statistics import auc, decision_curve, roc_curve
from cardionets_core.evaluate.subgroups import calibration_table, figure_rows
from cardionets_core.weights.atomic import disk_errors

_ROC, _CALIBRATION, _DECISION, _SUBGROUPS = "roc", "calibration", "decision-curve", "subgroups"


def draw_comparison(
    found: ModelComparison, folder: Path, *, subgroups: Sequence[dict[str, Any]] = ()
) -> list[Path]:
    """Draw what the kind of target allows, as PNG and SVG.

    Curves are of the records of all folds; ``auc`` in the legend is that of the table.

    Args:
        found: The comparison.
        folder: Where to write; made if it is not there.
        subgroups: Rows of the subgroup tables, with a column ``variant``.

    Returns:
        The files, without suffix.

    Raises:
        WeightsError: If a file cannot be written.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    models = _labelled(found)
    drawn = []
    if found.a.kind == "binary":
        drawn.append(_roc(found, models, folder / _ROC))
        if all(_are_probabilities(model) for model in models.values()):
            drawn += _of_probabilities(found, models, folder)
    drawn += _subgroup_figures(found, folder, subgroups)
    return drawn


def _labelled(found: ModelComparison) -> dict[str, Scores]:
    models = [model for model in (found.a, found.b) if model is not None]
    return {label(side, model): model for side, model in zip("AB", models, strict=False)}


def label(side: str, model: Scores) -> str:
    """What a model is called in figures; both files may have the same name."""
    return f"{side}: {model.name}"


def _are_probabilities(model: Scores) -> bool:
    return bool(model.score.min() >= 0 and model.score.max() <= 1)


def _roc(found: ModelComparison, models: Mapping[str, Scores], path: Path) -> Path:
    line = next((line for line in found.metrics if line.name == "auc"), None)
    rows: list[MetricRow | None] = [None, None] if line is None else [line.a, line.b]
    curves = {}
    for (name, model), row in zip(models.items(), rows, strict=False):
        y, score = model.y[:, 0], model.score[:, 0]
        curve = roc_curve(y, score)
        text = f"{auc(y, score):.3f}" if row is None else f"{row.estimate:.3f}"
        curves[name] = (curve.false_positive_rate, curve.sensitivity, text)
    roc_figure({"": curves}, path, simulated=found.a.simulated)
    return path


def _of_probabilities(
    found: ModelComparison, models: Mapping[str, Scores], folder: Path
) -> list[Path]:
    calibration, benefit = [], []
    for name, model in models.items():
        y, score = model.y[:, 0], model.score[:, 0]
        how = found.options
        calibration.append(calibration_table(y, score, variant=name, confidence=how.confidence))
        curve = decision_curve(y, score)
        columns = {
            "variant": name,
            "threshold": curve.thresholds,
            "net_benefit": curve.net_benefit,
            "treat_all": curve.treat_all,
        }
        benefit.append(pd.DataFrame(columns))
    simulated, interval = found.a.simulated, _interval(found)
    paths = [folder / _CALIBRATION, folder / _DECISION]
    calibration_figure(
        pd.concat(calibration), paths[0], simulated=simulated, interval=f"{interval} (Wilson)"
    )
    decision_curve_figure(pd.concat(benefit), paths[1], simulated=simulated)
    return paths


def _subgroup_figures(
    found: ModelComparison, folder: Path, subgroups: Sequence[dict[str, Any]]
) -> list[Path]:
    if not subgroups:
        return []
    metric = found.metrics[0].name
    rows = figure_rows(pd.DataFrame(list(subgroups)), metric)
    if rows.empty:
        return []
    path = folder / _SUBGROUPS
    simulated, interval = found.a.simulated, _interval(found)
    subgroup_figure(rows, path, metric=metric, simulated=simulated, interval=interval)
    return [path]


def _interval(found: ModelComparison) -> str:
    return f"{100 * found.options.confidence:g} % CI"
