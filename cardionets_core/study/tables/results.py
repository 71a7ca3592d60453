"""What all tables of a study are made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cardionets_core.spec import TaskSpec, VariantSpec
from cardionets_core.study.config import Setting, StudyConfig, TaskPlan
from cardionets_core.study.measures import METRICS_OF, Rules
from cardionets_core.study.scores import StudyScores, TestScores
from cardionets_core.study.tables.table import Stamp


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """The scores of a study and how to read them.

    Attributes:
        config: The study.
        scores: Its scores.
        tasks: Tasks by name.
        variants: Variants and controls by name.
        stamp: What every table says.
        nobody: The study's own subjects are all simulated, whatever its weights have seen, so that
            small groups of them need not be hidden.
        protocols: How the finished fits of each task were stopped and tested.
    """

    config: StudyConfig
    scores: StudyScores
    tasks: Mapping[str, TaskSpec]
    variants: Mapping[str, VariantSpec]
    stamp: Stamp
    nobody: bool = False
    protocols: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)

    @property
    def rules(self) -> Rules:
        """How numbers are found."""
        return Rules.of(self.config)

    def label(self, variant: str) -> str:
        """Name of a variant in tables and figures."""
        return self.variants[variant].label

    def labels(self) -> list[str]:
        """Labels of all variants and controls, for the same colours in every figure."""
        return [spec.label for spec in self.variants.values()]

    def primary(self, task: str) -> str:
        """The metric that findings and figures of a task speak of."""
        return METRICS_OF[self.tasks[task].target][0]

    def of(self, plan: TaskPlan, setting: Setting) -> Iterator[tuple[str, TestScores]]:
        """Variants with scores at a setting, in the order of the tables, controls last."""
        found = self.scores.of(plan.task, setting)
        for name in (*plan.variants, *plan.controls):
            if name in found:
                yield name, found[name]

    def summary(self) -> str:
        """What an estimate and its interval are, for the notes of a table."""
        config = self.config
        cells = "1 seed" if len(config.seeds) == 1 else f"{len(config.seeds)} seeds"
        if len(config.folds) > 1:
            cells += f" x {len(config.folds)} folds"
        how = "folds of a seed pooled" if config.pooled else "each run evaluated by itself"
        return (
            f"Estimates are means over {cells}, {how}, a seed being a whole lineage; intervals "
            f"are {100 * config.confidence:g} % bootstrap intervals over subjects and seeds "
            f"together ({config.resamples} resamples)"
        )


def main_setting(plan: TaskPlan) -> Setting:
    """The setting with most labels, at the first ratio: what details are told of."""

    def size(setting: Setting) -> tuple[bool, float, float]:
        return (setting.labels is None, setting.fraction, float(setting.labels or 0))

    first = plan.settings[0].negatives
    return max((s for s in plan.settings if s.negatives == first), key=size)


def prevalence(scores: TestScores) -> float:
    """Share of cases among the test records; NaN of anything but one finding."""
    return float(scores.target.mean()) if scores.task.target == "binary" else np.nan
