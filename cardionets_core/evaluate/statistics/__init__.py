"""Statistics of evaluations, on plain arrays and without torch: metrics, intervals, tests.

``docs/statistics.md`` says what each default does, by what formula, and after whom.
"""

from __future__ import annotations

from cardionets_core.evaluate.statistics.bootstrap import bootstrap_ci
from cardionets_core.evaluate.statistics.calibration import (
    ReliabilityBins,
    calibration_intercept,
    calibration_slope,
    reliability_bins,
)
from cardionets_core.evaluate.statistics.checks import StatisticsWarning
from cardionets_core.evaluate.statistics.comparison import Comparison, compare_models
from cardionets_core.evaluate.statistics.curves import RocCurve, roc_curve
from cardionets_core.evaluate.statistics.decision_curve import DecisionCurve, decision_curve
from cardionets_core.evaluate.statistics.delong import DelongTest, delong_ci, delong_test
from cardionets_core.evaluate.statistics.effect import cohens_d
from cardionets_core.evaluate.statistics.intervals import Interval, wilson_interval
from cardionets_core.evaluate.statistics.metrics import (
    BinaryMetrics,
    Proportion,
    accuracy,
    auc,
    balanced_accuracy,
    binary_metrics,
    brier,
    cohen_kappa,
    f1,
    mean_average_precision,
    npv,
    ppv,
    proportion,
    sensitivity,
    specificity,
)
from cardionets_core.evaluate.statistics.multiclass import (
    average_precision_of_classes,
    confusion_matrix,
    one_vs_rest,
)
from cardionets_core.evaluate.statistics.multiplicity import holm
from cardionets_core.evaluate.statistics.named import METRICS, Metric, evaluate_metric
from cardionets_core.evaluate.statistics.permutation import (
    PermutationTest,
    paired_permutation_test,
)
from cardionets_core.evaluate.statistics.regression import mae, pearson, per_output, r2, rmse

__all__ = [
    "METRICS",
    "BinaryMetrics",
    "Comparison",
    "DecisionCurve",
    "DelongTest",
    "Interval",
    "Metric",
    "PermutationTest",
    "Proportion",
    "ReliabilityBins",
    "RocCurve",
    "StatisticsWarning",
    "accuracy",
    "auc",
    "average_precision_of_classes",
    "balanced_accuracy",
    "binary_metrics",
    "bootstrap_ci",
    "brier",
    "calibration_intercept",
    "calibration_slope",
    "cohen_kappa",
    "cohens_d",
    "compare_models",
    "confusion_matrix",
    "decision_curve",
    "delong_ci",
    "delong_test",
    "evaluate_metric",
    "f1",
    "holm",
    "mae",
    "mean_average_precision",
    "npv",
    "one_vs_rest",
    "paired_permutation_test",
    "pearson",
    "per_output",
    "ppv",
    "proportion",
    "r2",
    "reliability_bins",
    "rmse",
    "roc_curve",
    "sensitivity",
    "specificity",
    "wilson_interval",
]
