"""Figures that need the scores themselves: ROC, confusion, calibration, decision curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cardionets_core.evaluate import plots
from cardionets_core.evaluate.statistics import (
    auc,
    confusion_matrix,
    decision_curve,
    roc_curve,
)
from cardionets_core.evaluate.subgroups import calibration_table
from cardionets_core.study.figures.sheet import Drawn, Sheet
from cardionets_core.study.scores import TestScores

# Nobody waits for a risk above one half.
_RISKS = np.arange(1, 51) / 100
_GRID = np.linspace(0, 1, 201)
_Curve = tuple[NDArray[np.float64], NDArray[np.float64], str]


def roc(sheet: Sheet) -> Drawn | None:
    """Mean curves over runs: panels of settings, or of variants for several classes."""
    if sheet.target == "binary":
        curves, looks = _of_settings(sheet), sheet.looks
    elif sheet.target == "multiclass":
        curves, looks = _of_classes(sheet), {"variants": list(_classes(sheet))}
    else:
        return None
    if not curves:
        return None
    plots.roc_figure(curves, **sheet.at("roc"), **sheet.stamps, **looks)
    return sheet.name("roc"), "ROC curves, mean over runs"


def _of_settings(sheet: Sheet) -> dict[str, dict[str, _Curve]]:
    """A panel per setting, a curve per variant."""
    found = {
        setting.text: {
            sheet.results.label(name): _curve(sheet, scores, scores.y, scores.score[:, 0])
            for name, scores in sheet.results.of(sheet.plan, setting)
        }
        for setting in sheet.plan.settings
    }
    return {panel: curves for panel, curves in found.items() if curves}


def _of_classes(sheet: Sheet) -> dict[str, dict[str, _Curve]]:
    """A panel per variant, a curve per class against the rest."""
    return {
        sheet.results.label(name): {
            of: _curve(sheet, scores, (scores.y == i).astype(float), scores.score[:, i])
            for i, of in enumerate(_classes(sheet))
        }
        for name, scores in sheet.results.of(sheet.plan, sheet.setting)
    }


def _classes(sheet: Sheet) -> tuple[str, ...]:
    return sheet.results.tasks[sheet.plan.task].outputs


def _curve(
    sheet: Sheet, scores: TestScores, y: NDArray[np.float64], score: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Mean sensitivity at each false-positive rate, over the cells that have both classes."""
    cells = sheet.results.rules.cells(scores)
    found, areas = [], []
    for cell in np.unique(cells):
        rows = cells == cell
        if len(np.unique(y[rows])) < 2:
            continue
        curve = roc_curve(y[rows], score[rows])
        found.append(np.interp(_GRID, curve.false_positive_rate, curve.sensitivity))
        areas.append(auc(y[rows], score[rows]))
    if not found:
        return np.array([0.0, 1.0]), np.array([0.0, 1.0]), "one class only"
    rates = np.concatenate([[0.0], _GRID])
    heights = np.concatenate([[0.0], np.mean(found, axis=0)])
    return rates, heights, f"{np.mean(areas):.3f}"


def confusion(sheet: Sheet) -> Drawn | None:
    """Counts over all runs, per variant."""
    if sheet.target != "multiclass":
        return None
    classes = sheet.results.tasks[sheet.plan.task].outputs
    counts = {
        sheet.results.label(name): confusion_matrix(scores.y, scores.score, len(classes))
        for name, scores in sheet.results.of(sheet.plan, sheet.setting)
    }
    if not counts:
        return None
    plots.confusion_figure(counts, classes, **sheet.at("confusion"), **sheet.stamps)
    return sheet.name("confusion"), f"confusion matrices over all runs, {sheet.setting.text}"


def calibration(sheet: Sheet) -> Drawn | None:
    """Observed against predicted risk."""
    if sheet.target != "binary":
        return None
    rows = [
        calibration_table(scores.y, scores.score[:, 0], variant=sheet.results.label(name))
        for name, scores in sheet.results.of(sheet.plan, sheet.setting)
    ]
    if not rows:
        return None
    told = {**sheet.stamps, "interval": "95 % Wilson interval, records of all runs"}
    plots.calibration_figure(pd.concat(rows), **sheet.at("calibration"), **told, **sheet.looks)
    caption = f"calibration, {sheet.setting.text}"
    if sheet.setting.negatives is not None:
        caption += "; controls are rarer in training than in the test"
    return sheet.name("calibration"), caption


def decision(sheet: Sheet) -> Drawn | None:
    """Net benefit over the risk from which one would act."""
    if sheet.target != "binary":
        return None
    rows = []
    for name, scores in sheet.results.of(sheet.plan, sheet.setting):
        curve = decision_curve(scores.y, scores.score[:, 0], _RISKS)
        rows.append(
            pd.DataFrame(
                {
                    "variant": sheet.results.label(name),
                    "threshold": curve.thresholds,
                    "net_benefit": curve.net_benefit,
                    "treat_all": curve.treat_all,
                }
            )
        )
    if not rows or len({round(float(frame["treat_all"].iloc[0]), 9) for frame in rows}) > 1:
        # Variants that were tested on different people have no one line of treating all.
        return None
    plots.decision_curve_figure(
        pd.concat(rows), **sheet.at("decision"), **sheet.stamps, **sheet.looks
    )
    return sheet.name("decision"), f"decision curves, {sheet.setting.text}, records of all runs"
