"""The test scores of a study, by task and setting, and paired between variants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cardionets_core.spec import TaskSpec
from cardionets_core.study.config import Setting

_COLUMNS = (
    "subject_id", "record_id", "variant", "fold", "seed", "labels", "sex", "age_years",
    "target", "score", "threshold",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class TestScores:
    """Test scores of one variant at one setting of one task, all seeds and folds.

    Attributes:
        task: The task.
        subject: Subject of each record, (n,).
        record: Record, (n,).
        seed: Seed of the run, (n,).
        fold: Its fold, (n,).
        labels: Labels that it was trained on, (n,).
        sex: ``female``, ``male`` or empty, (n,).
        age_years: NaN where unknown, (n,).
        target: (n, T).
        score: (n, K).
        threshold: (n, K), NaN where there is none.
    """

    # pytest takes any class called Test... for one of tests.
    __test__ = False

    task: TaskSpec
    subject: NDArray[np.str_]
    record: NDArray[np.str_]
    seed: NDArray[np.int64]
    fold: NDArray[np.int64]
    labels: NDArray[np.int64]
    sex: NDArray[np.str_]
    age_years: NDArray[np.float64]
    target: NDArray[np.float64]
    score: NDArray[np.float64]
    threshold: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.subject)

    @cached_property
    def y(self) -> NDArray[np.float64]:
        """Targets as the statistics take them: (n,) where there is one, else (n, T)."""
        return self.target[:, 0] if self.target.shape[1] == 1 else self.target

    @property
    def limit(self) -> NDArray[np.float64] | None:
        """Thresholds as the statistics take them, or None where scores need none."""
        return self.threshold if self.task.target in ("binary", "multilabel") else None

    @property
    def runs(self) -> NDArray[np.str_]:
        """Seed and fold of each record, (n,)."""
        return np.char.add(np.char.add(self.seed.astype(str), "/"), self.fold.astype(str))

    @property
    def mean_labels(self) -> float:
        """Training labels, the mean over runs."""
        _, first = np.unique(self.runs, return_index=True)
        return float(self.labels[first].mean())

    def take(self, rows: NDArray[Any]) -> Self:
        """Some of the records, by number or mask."""
        chosen = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "task"}
        return type(self)(task=self.task, **chosen)

    def of_seeds(self, seeds: NDArray[np.int64]) -> Self:
        """The records of some seeds."""
        return self.take(np.isin(self.seed, seeds))

    @property
    def keys(self) -> NDArray[np.str_]:
        """Run and record, (n,): what two variants are paired by."""
        return np.char.add(np.char.add(self.runs, "/"), self.record)


class StudyScores:
    """``scores.parquet`` of a study, read a task and setting at a time.

    Args:
        path: The file.
        tasks: Tasks by name.
    """

    def __init__(self, path: Path, tasks: Mapping[str, TaskSpec]) -> None:
        self.path, self.tasks = path, tasks
        self._kept: tuple[tuple[str, str], dict[str, TestScores]] | None = None

    def of(self, task: str, setting: Setting) -> dict[str, TestScores]:
        """Test scores by variant; a variant without a finished run is not there."""
        key = (task, setting.key)
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, self._read(*key))
        return self._kept[1]

    def _read(self, task: str, setting: str) -> dict[str, TestScores]:
        table = pq.read_table(
            self.path,
            columns=list(_COLUMNS),
            filters=[
                ("task", "==", self.tasks[task].name),
                ("setting", "==", setting),
                ("split", "==", "test"),
            ],
        )
        variant = np.asarray(table["variant"].to_pylist(), dtype=np.str_)
        if not len(variant):
            return {}
        everything = TestScores(
            task=self.tasks[task],
            subject=np.asarray(table["subject_id"].to_pylist(), dtype=np.str_),
            record=np.asarray(table["record_id"].to_pylist(), dtype=np.str_),
            seed=table["seed"].to_numpy(),
            fold=table["fold"].to_numpy().astype(np.int64),
            labels=table["labels"].to_numpy(),
            sex=np.asarray([sex or "" for sex in table["sex"].to_pylist()], dtype=np.str_),
            age_years=table["age_years"].to_numpy().astype(np.float64),
            target=_matrix(table["target"]),
            score=_matrix(table["score"]),
            threshold=_matrix(table["threshold"]),
        )
        return {str(name): everything.take(variant == name) for name in np.unique(variant)}


def paired(a: TestScores, b: TestScores) -> tuple[TestScores, TestScores]:
    """The records that both have, in one order."""
    _, of_a, of_b = np.intersect1d(a.keys, b.keys, return_indices=True)
    return a.take(of_a), b.take(of_b)


def _matrix(column: Any) -> NDArray[np.float64]:
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float64).reshape(len(column), -1)
