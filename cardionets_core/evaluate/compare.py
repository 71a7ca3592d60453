"""Compare two models on the same records, or report one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cardionets_core.errors import EvaluationError, UsageError
from cardionets_core.evaluate.compare_groups import Groups
from cardionets_core.evaluate.compare_pair import Difference, ModelPair
from cardionets_core.evaluate.losses import effect_of_loss, loss_name
from cardionets_core.evaluate.metric_rows import MetricRow, Resampling
from cardionets_core.evaluate.model_rows import METRICS_OF, model_rows, threshold_of
from cardionets_core.evaluate.scores import ScoreKind, Scores, paired
from cardionets_core.evaluate.statistics import holm


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """How to compare.

    Attributes:
        threshold: Scores from here on are cases; None for the files' own, else 0.5.
        confidence: Of every interval.
        resamples: Of the bootstrap.
        permutations: Of the permutation tests.
        seed: Of both.
        pooled: Take the records of all folds as one, instead of means over folds.
        metrics: Which; empty for all of the kind.
    """

    threshold: float | None = None
    confidence: float = 0.95
    resamples: int = 10_000
    permutations: int = 10_000
    seed: int = 0
    pooled: bool = False
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComparedMetric:
    """One line of the table: a metric of A, of B and of A minus B."""

    name: str
    a: MetricRow
    b: MetricRow | None = None
    difference: Difference | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ModelComparison:
    """What is known of one model or two.

    Attributes:
        a: Scores of A.
        b: Scores of B in A's order, or None.
        options: How it was made.
        metrics: Lines of the table.
        subjects: Number of people.
        folds: Number of folds that metrics are means over; 0 where records are pooled.
        thresholds: Threshold of each record of A and of B; None where none is known.
        threshold_sources: Where they come from.
        loss: Mean loss per subject of A and B, and Cohen's d_z of their difference (positive where
            A's is smaller), as rows.
        notes: What a reader has to know.
    """

    a: Scores
    b: Scores | None
    options: CompareOptions
    metrics: tuple[ComparedMetric, ...]
    subjects: int
    folds: int
    thresholds: tuple[NDArray[np.float64] | None, ...]
    threshold_sources: tuple[str, ...]
    loss: tuple[MetricRow, ...]
    notes: tuple[str, ...]

    @property
    def loss_name(self) -> str:
        """What is averaged per subject."""
        return loss_name(self.a)


def compare_scores(
    a: Scores, b: Scores | None = None, options: CompareOptions | None = None
) -> ModelComparison:
    """Compare two models' scores of the same records, or report one model's.

    Metrics are means over folds where the file has a column ``fold``; resamples and exchanges
    stay within folds, and keep a subject's records together where there is a column ``subject``.

    Args:
        a: Scores of model A.
        b: Scores of model B, in any order.
        options: How; the defaults if not given.

    Raises:
        EvaluationError: If the records do not pair up, or lack a class, overall or in a fold.
        UsageError: If a metric is not one of this kind of target.
    """
    how = options or CompareOptions()
    # A metric that is named twice is one test, not two, of Holm's.
    how = replace(how, metrics=tuple(dict.fromkeys(how.metrics)))
    _check(how, a.kind)
    first, second = _known(*((a, None) if b is None else paired(a, b)))
    groups = Groups.of(first, pooled=how.pooled)
    resampling = groups.resampling(how)
    _require_classes(first, resampling)
    models = [model for model in (first, second) if model is not None]
    decided = [threshold_of(model, how.threshold) for model in models]
    thresholds = tuple(limit for limit, _ in decided)
    rows = [
        model_rows(model, limit, resampling, how.metrics)
        for model, limit in zip(models, thresholds, strict=True)
    ]
    lines = [ComparedMetric(row.name, row) for row in rows[0]]
    if second is not None:
        pair = ModelPair(first, second, thresholds[0], thresholds[1], resampling, how.permutations)
        pairs = zip(*rows, strict=True)
        lines = _with_holm([ComparedMetric(r.name, r, s, pair.difference(r, s)) for r, s in pairs])
    return ModelComparison(
        a=first,
        b=second,
        options=how,
        metrics=tuple(lines),
        subjects=len(np.unique(groups.people)),
        folds=groups.fold_count,
        thresholds=thresholds,
        threshold_sources=tuple(source for _, source in decided),
        loss=effect_of_loss(first, second, groups.people),
        notes=tuple(_notes(models, groups)),
    )


def _check(how: CompareOptions, kind: ScoreKind) -> None:
    known = METRICS_OF[kind]
    unknown = [name for name in how.metrics if name not in known]
    if unknown:
        raise UsageError(
            f"no metric {unknown[0]!r} for {kind} targets; there are {', '.join(known)}"
        )
    if how.threshold is not None and not math.isfinite(how.threshold):
        raise UsageError(f"threshold {how.threshold:g}: needed a finite number")
    if how.threshold is not None and kind != "binary":
        raise UsageError(
            f"threshold {how.threshold:g}: {kind} targets are decided without one; leave it out"
        )
    if not 0 < how.confidence < 1:
        raise UsageError(f"confidence {how.confidence:g}: needed a number between 0 and 1")


def _known(a: Scores, b: Scores | None) -> tuple[Scores, Scores | None]:
    """Without records of unknown targets, and without quantities that never differ."""
    spread = np.array([len(np.unique(column[~np.isnan(column)])) > 1 for column in a.y.T])
    if a.kind != "regression" or (len(spread) == 1 and spread[0]):
        spread = np.ones(a.y.shape[1], dtype=bool)
    if not spread.any():
        raise EvaluationError(f"{a.name}: every label is the same; R2 needs labels that differ")
    rows = np.flatnonzero(~np.isnan(a.y[:, spread]).all(axis=1))
    kept = [None if model is None else model.take(rows).of_outputs(spread) for model in (a, b)]
    return kept[0] or a, kept[1]


def _require_classes(scores: Scores, how: Resampling) -> None:
    """Refuse classes that are missing, before any metric says so in its own words."""
    if scores.kind == "regression":
        return
    classes = ("controls", "cases") if scores.kind == "binary" else scores.outputs
    labels = scores.y[:, 0]
    everyone = np.zeros(len(labels)) if how.cells is None else how.cells
    for cell in np.unique(everyone):
        own = labels[everyone == cell]
        lacking = [name for index, name in enumerate(classes) if not (own == index).any()]
        if lacking and how.cells is None:
            raise EvaluationError(
                f"{scores.name}: {len(own)} records without {', '.join(lacking)}; one class only "
                "tells nothing about telling classes apart, so add records of the others"
            )
        if lacking:
            raise EvaluationError(
                f"{scores.name}: the {len(own)} records of fold {cell} are without "
                f"{', '.join(lacking)}, so that the fold has no AUC; use stratified folds, or "
                "--pooled to take the records of all folds as one"
            )


def _with_holm(lines: list[ComparedMetric]) -> list[ComparedMetric]:
    adjusted = holm([line.difference.p if line.difference else math.nan for line in lines])
    return [
        replace(line, difference=replace(line.difference, p_holm=float(p)))
        if line.difference
        else line
        for line, p in zip(lines, adjusted, strict=True)
    ]


def _notes(models: list[Scores], groups: Groups) -> list[str]:
    notes = [note for model in models for note in model.notes]
    notes += [f"{model.name}: simulated subjects" for model in models if model.simulated]
    if groups.fold_count:
        notes.append(
            f"metrics are means over {groups.fold_count} folds; sensitivity, specificity, PPV, NPV "
            "and accuracy count the records of all folds"
        )
    elif groups.pooled_folds:
        notes.append(
            f"the records of {groups.pooled_folds} folds are pooled, although their models need "
            "not be calibrated alike"
        )
    if groups.repeats:
        notes.append(
            "subjects repeat: bootstrap and permutations keep a subject's records together; DeLong "
            "cannot and is left out; Wilson's intervals take records for independent"
        )
    return notes
