"""Every metric by sex, age band or any other column; few people are not told of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.compare import CompareOptions
from cardionets_core.evaluate.compare_groups import Groups
from cardionets_core.evaluate.metric_rows import Resampling
from cardionets_core.evaluate.model_rows import METRICS_OF, model_rows, threshold_of
from cardionets_core.evaluate.score_parquet import scores_of_rows
from cardionets_core.evaluate.scores import Scores
from cardionets_core.evaluate.statistics import reliability_bins

FEWEST_SHOWN = 10
TOO_FEW = "fewer than 10"
ROUNDED = "counts rounded down to tens, as they would tell a hidden one"
AGE_BAND = "age_band"
UNKNOWN = "unknown"
EVERYONE = "all"
_AGE_COLUMNS = ("age_years", "age")
_AGE_BANDS = ((-np.inf, 50.0, "<50"), (50.0, 60.0, "50-59"), (60.0, 70.0, "60-69"))
_OLDEST = "70+"
_MOST_LEVELS = 20
_MISSING = {"", "nan", "none", "<na>", UNKNOWN}
COLUMNS = (
    "task",
    "variant",
    "subgroup",
    "level",
    "n",
    "cases",
    "metric",
    "estimate",
    "low",
    "high",
    "method",
    "note",
)


def subgroup_table(
    frame: pd.DataFrame,
    metrics: Sequence[str] = (),
    by: Sequence[str] = ("sex", AGE_BAND),
    *,
    hide: bool,
    options: CompareOptions | None = None,
) -> pd.DataFrame:
    """Metrics of each task and variant, of everyone and of each level of each column.

    Args:
        frame: Rows of a ``scores.parquet``, of one setting; rows of a split other than ``test``
            are passed over.
        metrics: Which; empty for all that the task has.
        by: Columns; ``age_band`` is made from ``age_years``.
        hide: True for real people: levels with fewer than 10 subjects of a class are named, with
            neither numbers nor estimates.
        options: Confidence, resamples, seed and pooling.

    Returns:
        Columns ``COLUMNS``; ``n`` counts subjects, and ``cases`` those with the finding (NaN if
        the target is none). Hidden numbers are NaN, with ``fewer than 10`` as note.

    Raises:
        EvaluationError: If a column is missing or has too many levels.
    """
    tested = frame[frame["split"] == "test"] if "split" in frame else frame
    found: list[dict[str, Any]] = []
    for (task, variant), rows in tested.groupby(["task", "variant"], sort=False):
        scores = scores_of_rows(rows, f"{task}, {variant}")
        own = subgroup_rows(scores, by, metrics=metrics, hide=hide, options=options)
        found += [{"task": task, "variant": variant, **row} for row in own]
    return pd.DataFrame(found, columns=list(COLUMNS))


def subgroup_rows(
    scores: Scores,
    by: Sequence[str],
    *,
    metrics: Sequence[str] = (),
    hide: bool,
    options: CompareOptions | None = None,
) -> list[dict[str, Any]]:
    """The rows of ``subgroup_table`` of one model, without ``task`` and ``variant``."""
    how = options or CompareOptions(resamples=2000)
    wanted = tuple(metrics) or METRICS_OF[scores.kind]
    everyone = np.ones(len(scores.y), dtype=np.bool_)
    rows: list[dict[str, Any]] = []
    for name, levels in [(EVERYONE, [(EVERYONE, everyone)]), *_subgroups(scores, by)]:
        counts = [_Counts.of(scores, chosen) for _, chosen in levels]
        hidden = [hide and count.few for count in counts]
        rounded = _to_be_rounded(counts, hidden)
        for place, (level, chosen) in enumerate(levels):
            head: dict[str, Any] = {"subgroup": name, "level": level}
            if hidden[place]:
                rows += [_hidden_row(head, metric) for metric in wanted]
                continue
            head |= counts[place].shown(rounded=place == rounded)
            notes = [ROUNDED] * (place == rounded)
            rows += [{**head, **row} for row in _level_rows(scores, chosen, how, wanted, notes)]
    return rows


def calibration_table(
    y: ArrayLike, score: ArrayLike, bins: int = 10, *, variant: str = "", confidence: float = 0.95
) -> pd.DataFrame:
    """What ``calibration_figure`` draws: bins of equally many records.

    Args:
        y: 1 for cases, 0 for controls, (n,).
        score: Probabilities, (n,).
        bins: How many; fewer where many probabilities are equal.
        variant: Name of the model.
        confidence: Of Wilson's interval.

    Returns:
        Columns ``variant``, ``predicted``, ``observed``, ``low``, ``high``, ``count``.

    Raises:
        EvaluationError: If labels are not 0 and 1, or a score is no probability.
    """
    found = reliability_bins(y, score, bins=bins, strategy="quantile", confidence=confidence)
    return pd.DataFrame(
        {
            "variant": variant,
            "predicted": found.predicted,
            "observed": found.observed,
            "low": found.low,
            "high": found.high,
            "count": found.counts,
        }
    )


def figure_rows(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows of a subgroup table as ``subgroup_figure`` draws them.

    Hidden levels have n = 0, which it prints as fewer than 10; levels without the metric are left
    out.

    Args:
        table: Of one task.
        metric: Which.
    """
    rows = table[table["metric"] == metric].copy()
    rows["n"] = rows["n"].fillna(0).astype(int)
    return rows[(rows["n"] < FEWEST_SHOWN) | np.isfinite(rows["estimate"].astype(float))]


class _Counts:
    """People of a level, and those of its smallest class."""

    def __init__(self, n: int, cases: int | None, smallest: int) -> None:
        self.n, self.cases = n, cases
        self.few = smallest < FEWEST_SHOWN

    @classmethod
    def of(cls, scores: Scores, chosen: NDArray[np.bool_]) -> _Counts:
        people = Groups.of(scores, pooled=True).people[chosen]
        n = len(np.unique(people))
        if scores.kind == "regression":
            return cls(n, None, n)
        y = scores.y[chosen, 0]
        classes = 2 if scores.kind == "binary" else len(scores.outputs)
        sizes = [len(np.unique(people[y == index])) for index in range(classes)]
        return cls(n, sizes[1] if scores.kind == "binary" else None, min(sizes))

    def shown(self, *, rounded: bool) -> dict[str, float]:
        cases = float("nan") if self.cases is None else float(self.cases)
        if rounded:
            return {"n": float(self.n // 10 * 10), "cases": cases // 10 * 10}
        return {"n": float(self.n), "cases": cases}


def _to_be_rounded(counts: Sequence[_Counts], hidden: Sequence[bool]) -> int:
    """The level whose exact counts would tell those of the single hidden one; -1 for none."""
    shown = [place for place, few in enumerate(hidden) if not few]
    if sum(hidden) != 1 or not shown:
        return -1
    return min(shown, key=lambda place: counts[place].n)


def _hidden_row(head: dict[str, Any], metric: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("n", "cases", "estimate", "low", "high"), float("nan"))
    return {**head, **nothing, "metric": metric, "method": "", "note": TOO_FEW}


def _level_rows(
    scores: Scores,
    chosen: NDArray[np.bool_],
    how: CompareOptions,
    metrics: tuple[str, ...],
    notes: list[str],
) -> list[dict[str, Any]]:
    """Metrics of the records of one level."""
    everyone = Groups.of(scores, pooled=how.pooled).resampling(how)
    kept, remark = _with_every_class(scores, chosen, everyone)
    # Decided as in the whole: a default of 0.5 must not hang on who is in a level.
    limit = threshold_of(scores, how.threshold)[0]
    part = scores.take(np.flatnonzero(kept))
    rows = model_rows(part, None if limit is None else limit[kept], everyone.of(kept), metrics)
    return [
        {
            "metric": row.name,
            "estimate": row.estimate,
            "low": row.low,
            "high": row.high,
            "method": row.method,
            "note": "; ".join(filter(None, (row.note, remark, *notes))),
        }
        for row in rows
        if "[" not in row.name
    ]


def _with_every_class(
    scores: Scores, chosen: NDArray[np.bool_], how: Resampling
) -> tuple[NDArray[np.bool_], str]:
    """Records of the folds in which a level has every class, and what to say of the others."""
    if how.cells is None or scores.kind == "regression":
        return chosen, ""
    classes = 2 if scores.kind == "binary" else len(scores.outputs)
    cells, labels = how.cells[chosen], scores.y[chosen, 0]
    names = np.unique(cells)
    whole = [cell for cell in names if len(np.unique(labels[cells == cell])) == classes]
    if len(whole) in {0, len(names)}:
        return chosen, ""
    remark = f"of {len(whole)} of {len(names)} folds, as the others lack a class"
    return chosen & np.isin(how.cells, whole), remark


def _subgroups(
    scores: Scores, by: Sequence[str]
) -> list[tuple[str, list[tuple[str, NDArray[np.bool_]]]]]:
    """Each column with its levels and their records."""
    found = []
    for name in by:
        labels = _labels(scores, name)
        order = _in_order(np.unique(labels).tolist())
        if len(order) > _MOST_LEVELS:
            raise EvaluationError(
                f"{scores.name}: column {name!r} has {len(order)} different values; needed at most "
                f"{_MOST_LEVELS} levels, such as a centre or an age band"
            )
        found.append((name, [(level, labels == level) for level in order]))
    return found


def _labels(scores: Scores, name: str) -> NDArray[np.str_]:
    if name == AGE_BAND and name not in scores.columns:
        ages = next((scores.column(age) for age in _AGE_COLUMNS if age in scores.columns), None)
        if ages is not None:
            return _age_bands(ages)
    found = scores.column(name)
    if found is None:
        there = ", ".join(map(str, scores.columns)) or "none beside id, label and score"
        made = f"; {AGE_BAND} is made from {' or '.join(_AGE_COLUMNS)}" * (name == AGE_BAND)
        raise EvaluationError(f"{scores.name}: no column {name!r}; there are {there}{made}")
    return np.array([UNKNOWN if text.lower() in _MISSING else text for text in found.tolist()])


def _age_bands(texts: NDArray[np.str_]) -> NDArray[np.str_]:
    ages = pd.to_numeric(pd.Series(texts.tolist(), dtype=object), errors="coerce").to_numpy(float)
    bands = np.full(len(ages), _OLDEST, dtype=object)
    for low, high, name in _AGE_BANDS:
        bands[(ages >= low) & (ages < high)] = name
    bands[np.isnan(ages)] = UNKNOWN
    return bands.astype(np.str_)


def _in_order(levels: list[str]) -> list[str]:
    """Age bands by age, others sorted; the unknown last."""
    bands = [name for *_, name in _AGE_BANDS] + [_OLDEST]
    place = {name: index for index, name in enumerate(bands)}
    return sorted(levels, key=lambda level: (level == UNKNOWN, place.get(level, 0), level))
