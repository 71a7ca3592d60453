"""Figures that draw a table: bars, curves over label counts, forests, heat maps, subgroups."""

from __future__ import annotations

import numpy as np

from cardionets_core.evaluate import plots
from cardionets_core.evaluate.plots.looks import metric_label
from cardionets_core.evaluate.subgroups import figure_rows
from cardionets_core.study.figures.sheet import Drawn, Sheet, defined
from cardionets_core.study.tables.comparisons import MINUS
from cardionets_core.study.tables.table import rows_of


def bars(sheet: Sheet) -> Drawn | None:
    """A panel per setting, a bar per variant, seeds as dots, p against the reference."""
    main = sheet.primary("main")
    if main is None:
        return None
    p = _p_of_bars(sheet)
    keys = zip(main["setting"], main["variant"], strict=True)
    frame = main.assign(
        variant=main["label"],
        panel=main["setting"],
        points=main["by_seed"].map(lambda told: [float(value) for value in str(told).split()]),
        p=[p.get(key, np.nan) for key in keys],
    )
    plots.bar_figure(frame, **sheet.at("bars"), metric=sheet.metric, **sheet.told, **sheet.looks)
    reference = sheet.results.config.reference
    versus = sheet.results.label(reference) if reference in sheet.plan.variants else ""
    caption = f"{metric_label(sheet.metric)} of each variant"
    return sheet.name("bars"), caption + f"; p (Holm) against {versus}" * bool(versus and p)


def _p_of_bars(sheet: Sheet) -> dict[tuple[str, str], float]:
    """Setting and variant to the adjusted p of its comparison with the reference."""
    frame = sheet.frames.get(f"comparisons-{sheet.slug}-{sheet.metric}")
    if frame is None:
        return {}
    own = frame[(frame["variant_a"] == sheet.results.config.reference)]
    return {
        (row["setting"], row["variant_b"]): float(row["p_holm"])
        for row in rows_of(own)
        if not np.isnan(row["p_holm"])
    }


def label_efficiency(sheet: Sheet) -> Drawn | None:
    """Curves over label counts; a control at one of them is a point and no curve."""
    found = defined(sheet.frames.get(f"label-efficiency-{sheet.slug}"))
    if found is None:
        return None
    several = found.groupby("label")["setting"].transform("count") > 1
    if not several.any():
        return None
    frame = found[several].assign(variant=found["label"], labels=found["training_labels"])
    plots.label_efficiency_figure(
        frame, **sheet.at("label-efficiency"), metric=sheet.metric, **sheet.told, **sheet.looks
    )
    caption = f"{metric_label(sheet.metric)} over the number of training labels"
    return sheet.name("label-efficiency"), caption


def ratios(sheet: Sheet) -> Drawn | None:
    """A panel per ratio of controls in training."""
    found = defined(sheet.frames.get(f"ratios-{sheet.slug}"))
    if found is None:
        return None
    numbers = [float(text.split(":")[1]) for text in found["ratio"]]
    frame = found.assign(variant=found["label"], ratio=numbers)
    plots.ratio_figure(
        frame, **sheet.at("ratios"), metric=sheet.metric, **sheet.told, **sheet.looks
    )
    return sheet.name("ratios"), f"{metric_label(sheet.metric)} by controls per case in training"


def forest(sheet: Sheet) -> Drawn | None:
    """Differences with intervals and p."""
    return _forest(
        sheet, f"comparisons-{sheet.slug}-{sheet.metric}", "differences", "differences of variants"
    )


def null(sheet: Sheet) -> Drawn | None:
    """The null experiment as differences."""
    return _forest(
        sheet,
        f"null-{sheet.slug}",
        "null",
        "the null experiment: alignment of true and shuffled pairs",
    )


def _forest(sheet: Sheet, table: str, name: str, caption: str) -> Drawn | None:
    frame = sheet.frames.get(table)
    if frame is None:
        return None
    frame = frame[frame["p_holm"].notna() & frame["low"].notna()]
    if frame.empty:
        return None
    labels = [
        f"{row['label_a']} {MINUS} {row['label_b']}, {row['setting']}" for row in rows_of(frame)
    ]
    rows = frame.assign(label=labels, p=frame["p_holm"])
    plots.forest_figure(rows, **sheet.at(name), metric=sheet.metric, **sheet.told)
    return sheet.name(name), f"{metric_label(sheet.metric)}: {caption}, p adjusted by Holm"


def heat(sheet: Sheet) -> Drawn | None:
    """Mean R² per structure and variant."""
    frame = sheet.frames.get(f"outputs-{sheet.slug}")
    if frame is None:
        return None
    frame = frame[(frame["setting"] == sheet.setting.text) & (frame["structure"] != "")]
    wide = frame.pivot_table(
        index="structure", columns="label", values="r2", aggfunc="mean", sort=False
    )
    if wide.empty or wide.isna().to_numpy().any():
        return None
    plots.phenotype_heat_figure(wide, **sheet.at("structures"), **sheet.stamps)
    return sheet.name("structures"), f"mean R² by structure, {sheet.setting.text}"


def subgroups(sheet: Sheet) -> Drawn | None:
    """The primary metric by sex and age band."""
    frame = sheet.frames.get(f"subgroups-{sheet.slug}")
    if frame is None:
        return None
    rows = figure_rows(frame, sheet.metric)
    rows = rows.assign(variant=rows["label"])
    if rows.empty:
        return None
    plots.subgroup_figure(
        rows, **sheet.at("subgroups"), metric=sheet.metric, **sheet.told, **sheet.looks
    )
    return sheet.name("subgroups"), f"{metric_label(sheet.metric)} by sex and age band"
