"""Figures of a study, drawn from small tables; each is written as PNG and as SVG.

Nothing is computed here: estimates, intervals and p-values come in as columns.
"""

from __future__ import annotations

from cardionets_core.evaluate.plots.bars import bar_figure, ratio_figure
from cardionets_core.evaluate.plots.calibration import calibration_figure
from cardionets_core.evaluate.plots.curves import decision_curve_figure, label_efficiency_figure
from cardionets_core.evaluate.plots.forest import forest_figure
from cardionets_core.evaluate.plots.heat import confusion_figure, phenotype_heat_figure
from cardionets_core.evaluate.plots.roc import roc_figure
from cardionets_core.evaluate.plots.subgroups import subgroup_figure

__all__ = [
    "bar_figure",
    "calibration_figure",
    "confusion_figure",
    "decision_curve_figure",
    "forest_figure",
    "label_efficiency_figure",
    "phenotype_heat_figure",
    "ratio_figure",
    "roc_figure",
    "subgroup_figure",
]
