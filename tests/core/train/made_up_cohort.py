"""A cohort in memory, of any size and with any labels, for what needs no signals."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cardionets_core.cohort.targets import Targets
from cardionets_core.spec import TaskSpec


@dataclass
class MadeUpCohort:
    """The first ``pretrain`` subjects are to pre-train on; each has ``records`` records."""

    subjects: int = 100
    pretrain: int = 0
    records: int = 1
    without_cine: tuple[int, ...] = ()
    without_ecg: tuple[int, ...] = ()
    path: Path = Path("made-up.h5")
    signals: np.ndarray = field(init=False)

    def __post_init__(self):
        # Ids that do not sort as subjects are numbered.
        person = np.arange(self.subjects).repeat(self.records)
        self.subject_ids = np.array([f"{(p * 7919) % 2**16:016x}" for p in person.tolist()])
        self.record_ids = np.array([f"record-{i}" for i in range(len(person))])
        self.roles = np.where(person < self.pretrain, "pretrain", "downstream")
        self.splits = np.where(person % 5 == 0, "val", "train")
        self.origins = np.full(len(person), "")
        self.synthetic = np.zeros(len(person), dtype=bool)
        self.signals = np.arange(1, len(person) + 1, dtype=np.uint64)
        rows = np.arange(len(person))
        self.has_cine = ~np.isin(rows, self.without_cine)
        self.has_ecg = ~np.isin(rows, self.without_ecg)

    def __len__(self):
        return len(self.subject_ids)

    def fingerprints(self, rows):
        return self.signals[rows]

    def select(self, *, role, with_ecg, with_cine):
        chosen = (self.roles == role) | (role is None)
        chosen &= self.has_ecg | (not with_ecg)
        return np.flatnonzero(chosen & (self.has_cine | (not with_cine)))


def binary(cases, cohort, name="made-up"):
    """Targets that are 1 where ``cases`` is; NaN is unknown."""
    task = TaskSpec(name=name, summary="", target="binary", outputs=(name,))
    values = np.asarray(cases, dtype=np.float32)
    assert len(values) == len(cohort)
    return Targets(task, values[:, None])


def classes(numbers):
    """Targets of three classes."""
    task = TaskSpec(name="kind", summary="", target="multiclass", outputs=("a", "b", "c"))
    return Targets(task, np.asarray(numbers, dtype=np.float32)[:, None])


def quantities(values):
    """Targets of one quantity per column."""
    values = np.asarray(values, dtype=np.float32)
    names = tuple(f"q{i}" for i in range(values.shape[1]))
    task = TaskSpec(name="numbers", summary="", target="regression", outputs=names)
    return Targets(task, values)
