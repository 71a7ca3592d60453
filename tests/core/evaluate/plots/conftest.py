"""Made-up tables of every figure of a study, and how to draw each."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest

from cardionets_core.evaluate import plots
from cardionets_core.evaluate.plots.looks import MINUS

VARIANTS = ["Scratch", "SSL", "CardioNets"]


def bars():
    estimate = np.array([0.7, 0.75, 0.82])
    return pd.DataFrame(
        {
            "variant": VARIANTS,
            "estimate": estimate,
            "low": estimate - 0.02,
            "high": estimate + 0.02,
            "points": [[value - 0.01, value + 0.01] for value in estimate],
            "p": ["p < 0.001", 0.0214, None],
        }
    )


def ratios():
    return pd.concat([bars().assign(ratio=ratio) for ratio in (10, 1, 5, 2)])


def labels():
    return pd.concat([bars().assign(labels=count) for count in (100, 300, 3000)])


def differences():
    return pd.DataFrame(
        {
            "label": ["CardioNets - SSL, CM", "CardioNets - Scratch, CM"],
            "difference": [0.07, -0.002],
            "low": [0.03, -0.1],
            "high": [0.1, 0.09],
            "p": [0.0002, 0.4321],
            "d_z": [0.41, np.nan],
        }
    )


def bins():
    one = {"predicted": [0.1, 0.5], "observed": [0.2, 0.4], "low": [0.1, 0.2], "high": [0.3, 0.6]}
    frames = [pd.DataFrame(one).assign(count=[400, 1234], variant=name) for name in VARIANTS]
    return pd.concat(frames, ignore_index=True)


def benefits():
    threshold = np.linspace(0.05, 0.5, 10)
    one = pd.DataFrame(
        {"threshold": threshold, "net_benefit": 0.2 - threshold / 4, "treat_all": 0.2 - threshold}
    )
    return pd.concat([one.assign(variant=name) for name in VARIANTS], ignore_index=True)


def heat():
    return pd.DataFrame(
        {"Scratch": [0.21, -0.004], "CMR Ref": [0.55, -3.2]}, index=["LV", "Wall thickness"]
    )


def subgroups():
    levels = [("sex", "women", 412), ("sex", "men", 388), ("age", "under 50", 9)]
    return pd.concat(
        [bars().assign(subgroup=group, level=level, n=n) for group, level, n in levels],
        ignore_index=True,
    )


def curves():
    rates = np.linspace(0, 1, 5)
    own = {name: (rates, np.sqrt(rates), "0.71 [0.66, 0.76]") for name in ("DCM", "HCM", "RCM")}
    return dict.fromkeys(VARIANTS, own)


MATRICES = {name: [[50, 3, 0], [4, 1560, 2], [0, 0, 0]] for name in VARIANTS}
CLASSES = ("DCM", "HCM", "RCM")

# Name -> draw(path, **stamps), the table drawn, and texts that a reader must find in the figure.
FIGURES = {
    "bars": (
        lambda table, path, **to: plots.bar_figure(table, path, metric="auc", **to),
        bars,
        {"AUC", "p &lt; 0.001", "p = 0.021", *VARIANTS},
    ),
    "ratios": (
        lambda table, path, **to: plots.ratio_figure(table, path, metric="auc", **to),
        ratios,
        {"1 : 1", "1 : 2", "1 : 5", "1 : 10"},
    ),
    "labels": (
        lambda table, path, **to: plots.label_efficiency_figure(table, path, metric="auc", **to),
        labels,
        {"training labels", "100", "300", "3,000", *VARIANTS},
    ),
    "roc": (plots.roc_figure, curves, {"DCM 0.71 [0.66, 0.76]", "false-positive rate", *VARIANTS}),
    "confusion": (
        lambda table, path, **to: plots.confusion_figure(table, CLASSES, path, **to),
        lambda: deepcopy(MATRICES),
        {"1,560", "(94 %)", "predicted", "true", *CLASSES},
    ),
    "forest": (
        lambda table, path, **to: plots.forest_figure(table, path, metric="r2", **to),
        differences,
        {"CardioNets - SSL, CM", "&lt; 0.001", "0.432", "+0.070 [+0.030, +0.100]", "+0.41", "d_z"},
    ),
    "calibration": (plots.calibration_figure, bins, {"predicted probability", "1,234", *VARIANTS}),
    "decision": (plots.decision_curve_figure, benefits, {"treat all", "treat none", *VARIANTS}),
    "heat": (
        plots.phenotype_heat_figure,
        heat,
        {"R²", "Wall thickness", "0.55", "0.00", f"{MINUS}3.20"},
    ),
    "subgroups": (
        lambda table, path, **to: plots.subgroup_figure(table, path, metric="auc", **to),
        subgroups,
        {"sex", "women", "412", "fewer than 10", *VARIANTS},
    ),
}


@pytest.fixture
def table():
    """A figure's table by name, made anew."""
    return lambda name: FIGURES[name][1]()


@pytest.fixture
def texts():
    """Texts that a reader must find in a figure, by name."""
    return lambda name: FIGURES[name][2]


@pytest.fixture
def draw():
    """Draw a figure by name, from its own table or another one, and return the SVG."""

    def draw(name, path, own=None, **options):
        function, make, _ = FIGURES[name]
        function(make() if own is None else own, path, **{"simulated": False} | options)
        return path.with_name(path.name + ".svg").read_text(encoding="utf-8")

    return draw
