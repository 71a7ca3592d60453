"""What all figures of one task share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cardionets_core.spec import TargetKind
from cardionets_core.study.config import Setting, TaskPlan
from cardionets_core.study.jobs import slug
from cardionets_core.study.tables.results import Results, main_setting

# File name without suffix, and caption.
Drawn = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """The figures of one task.

    Attributes:
        results: The study.
        plan: The task.
        frames: Its tables by name.
        folder: Where figures go.
    """

    results: Results
    plan: TaskPlan
    frames: Mapping[str, pd.DataFrame]
    folder: Path

    @property
    def slug(self) -> str:
        """The task in names of files."""
        return slug(self.plan.task)

    @property
    def metric(self) -> str:
        """The task's primary metric."""
        return self.results.primary(self.plan.task)

    @property
    def setting(self) -> Setting:
        """The one that details are drawn of."""
        return main_setting(self.plan)

    @property
    def target(self) -> TargetKind:
        """Kind of the task's target."""
        return self.results.tasks[self.plan.task].target

    @property
    def stamps(self) -> dict[str, Any]:
        """What every figure says of its data."""
        stamp = self.results.stamp
        return {"simulated": stamp.simulated, "overlap": stamp.overlap}

    @property
    def told(self) -> dict[str, Any]:
        """The same, and what intervals are."""
        interval = f"{100 * self.results.config.confidence:g} % CI over subjects and seeds"
        return {**self.stamps, "interval": interval}

    @property
    def looks(self) -> dict[str, Any]:
        """All variants of the study, for the same colours everywhere."""
        return {"variants": self.results.labels()}

    def at(self, name: str) -> dict[str, Any]:
        """Where a figure goes and what it is headed."""
        return {"path": self.folder / self.name(name), "title": self.plan.task}

    def name(self, name: str) -> str:
        """File name of a figure, without suffix."""
        return f"{name}-{self.slug}"

    def primary(self, table: str) -> pd.DataFrame | None:
        """Rows of a table that are about the primary metric."""
        frame = self.frames.get(f"{table}-{self.slug}")
        return None if frame is None else defined(frame[frame["metric"] == self.metric])


def defined(frame: pd.DataFrame | None) -> pd.DataFrame | None:
    """Rows that have an estimate and limits; None if there is none."""
    if frame is None:
        return None
    kept = frame[frame[["estimate", "low", "high"]].notna().all(axis=1)]
    return None if kept.empty else kept
