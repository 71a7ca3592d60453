"""Figures of numbers: R2, feature space, and distances to training cines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cardionets_core.evaluate.plots import bar_figure, phenotype_heat_figure
from cardionets_core.evaluate.plots.canvas import Marks, canvas
from cardionets_core.evaluate.plots.layout import legend_below, panel_axes
from cardionets_core.evaluate.plots.looks import RULE, Look, looks
from cardionets_core.generate.evaluating.memorisation import MEASURES, PERCENTILE, Nearest
from cardionets_core.generate.evaluating.phenotypes import MEAN_OF_DRAWS
from cardionets_core.generate.evaluating.space import REAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
COMPONENTS_SHOWN = 4
_MOST_BINS, _PER_BIN = 30, 8


def draw_r2(rows: Sequence[Mapping[str, Any]], path: Path, *, simulated: bool) -> None:
    """Bars of mean R2 over phenotypes: the mean of draws where there are several, and one draw."""
    overall = [row for row in rows if row["structure"] == "all"]
    several = {row["method"] for row in overall if row["from"] == MEAN_OF_DRAWS}
    frame = pd.DataFrame(
        {
            "variant": row["method"] + (f", {row['from']}" if row["method"] in several else ""),
            **{name: row[name] for name in ("estimate", "low", "high")},
        }
        for row in overall
    )
    bar_figure(
        frame,
        path,
        metric="r2",
        simulated=simulated,
        title="Phenotype R², mean over phenotypes",
        interval="95 % CI, bootstrap over subjects",
    )


def draw_r2_by_structure(rows: Sequence[Mapping[str, Any]], path: Path, *, simulated: bool) -> None:
    """R2 of each structure's phenotypes by method; the mean of draws where there are several."""
    best = {row["method"]: row["from"] for row in rows if row["from"] == MEAN_OF_DRAWS}
    kept = [row for row in rows if best.get(row["method"], row["from"]) == row["from"]]
    frame = pd.DataFrame(kept).pivot_table(
        index="structure", columns="method", values="estimate", sort=False
    )
    phenotype_heat_figure(
        frame, path, simulated=simulated, title="Phenotype R² by structure (mean of draws)"
    )


def draw_components(
    scores: Mapping[str, Floats], explained: Floats, path: Path, *, simulated: bool
) -> None:
    """Histograms and CDFs of the first principal components, real and by method.

    Args:
        scores: ``real`` and each method to scores (n, k).
        explained: Share of the variance that each component explains, (k,).
        path: File to write, without suffix.
        simulated: True for simulated subjects.
    """
    count = min(COMPONENTS_SHOWN, len(explained))
    look = _looks(scores)
    note = "components of standardised features of real training cines; test subjects are shown"
    marks = Marks("CMR features of real and generated cines", note, simulated, overlap=False)
    with canvas(path, (1.9 * count + 0.4, 4.0), marks) as figure:
        axes = figure.subplots(2, count, squeeze=False)
        for place in range(count):
            values = {name: found[:, place] for name, found in scores.items()}
            _histograms(axes[0, place], values, look)
            _distributions(axes[1, place], values, look)
            axes[0, place].set_title(f"PC {place + 1} ({100 * explained[place]:.0f} %)")
            axes[1, place].set_xlabel("score (SD of features)")
        axes[0, 0].set_ylabel("density")
        axes[1, 0].set_ylabel("share below")
        legend_below(figure, [axes[1, 0]], list(scores))


def _looks(named: Mapping[str, Any]) -> dict[str, Look]:
    """Looks by name; real cines in black."""
    methods = looks([name for name in named if name != REAL])
    return {REAL: Look("#000000", "o", "-", ""), **methods}


def _histograms(axes: Axes, values: Mapping[str, Floats], look: Mapping[str, Look]) -> None:
    every = np.concatenate(list(values.values()))
    low, high = np.quantile(every, (0.002, 0.998))
    bins = int(np.clip(len(values[REAL]) // _PER_BIN, 4, _MOST_BINS))
    edges = np.linspace(low, high, bins + 1) if high > low else np.linspace(low - 1, low + 1, 3)
    # What draws one cine for all is a spike: it would leave no room for the others.
    top = 2.5 * np.histogram(values[REAL], edges, density=True)[0].max()
    for name, found in values.items():
        heights = np.histogram(found, edges, density=True)[0]
        axes.stairs(heights, edges, color=look[name].colour, linewidth=1.6 if name == REAL else 1.0)
    axes.set_ylim(0, top)


def _distributions(axes: Axes, values: Mapping[str, Floats], look: Mapping[str, Look]) -> None:
    for name, found in values.items():
        axes.ecdf(
            found,
            label=name,
            color=look[name].colour,
            linestyle=look[name].dash,
            linewidth=1.8 if name == REAL else 1.1,
        )
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)


def draw_map(places: Mapping[str, Floats], path: Path, *, simulated: bool) -> None:
    """The t-SNE picture: real cines, and each method's on top of them in a panel of its own.

    Args:
        places: ``real`` and each method to positions (m, 2) of the same subjects.
        path: File to write, without suffix.
        simulated: True for simulated subjects.
    """
    look, methods = _looks(places), [name for name in places if name != REAL]
    note = f"t-SNE of principal components, one map for all panels; grey: {len(places[REAL])} real"
    marks = Marks("CMR features of real and generated cines", note, simulated, overlap=False)
    rows = -(-len(methods) // 3)
    with canvas(path, (2.1 * min(3, len(methods)) + 0.2, 2.2 * rows + 0.4), marks) as figure:
        all_axes = panel_axes(figure, len(methods), 3, sharex=True, sharey=True)
        for axes, name in zip(all_axes, methods, strict=True):
            for kind, colour in ((REAL, "#b8b8b8"), (name, look[name].colour)):
                x, y = places[kind].T
                axes.scatter(x, y, s=7, color=colour, linewidths=0, alpha=0.75)
            axes.set_title(name, fontweight="bold", loc="left")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_aspect("equal", adjustable="box")


def draw_nearest(found: Mapping[str, Nearest], path: Path, *, simulated: bool) -> None:
    """Distributions of the distance to the nearest training cine, by measure.

    Args:
        found: ``real`` and each method to its nearest training cines.
        path: File to write, without suffix.
        simulated: True for simulated subjects.
    """
    look = _looks(found)
    note = f"dashed: {PERCENTILE:g} % of real test cines are nearer than this to a training cine"
    marks = Marks("Distance to the nearest training cine", note, simulated, overlap=False)
    with canvas(path, (7.0, 2.9), marks) as figure:
        all_axes = panel_axes(figure, len(MEASURES), len(MEASURES), sharey=True)
        for axes, (measure, label) in zip(all_axes, MEASURES.items(), strict=True):
            values = {name: getattr(nearest, measure) for name, nearest in found.items()}
            _distributions(axes, values, look)
            threshold = np.percentile(values[REAL], PERCENTILE)
            axes.axvline(threshold, color="#222222", linewidth=0.9, linestyle=(0, (4, 3)))
            axes.set_xlabel(label)
        all_axes[0].set_ylabel("share of cines below")
        legend_below(figure, all_axes[:1], list(found))
