"""Which subjects of a task train, select and test: functions of (seed, task, protocol) alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.guard import Fingerprints, refuse_overlap
from cardionets_core.cohort.reader import Cohort
from cardionets_core.cohort.splits import subject_folds
from cardionets_core.cohort.targets import Targets
from cardionets_core.errors import LeakageError, TrainingError
from cardionets_core.train.order import seed_of
from cardionets_core.train.protocol import ProtocolConfig

Rows = NDArray[np.int64]
_CASE = "1"


@dataclass(frozen=True, slots=True, eq=False)
class Subsets:
    """Cohort rows of a downstream run.

    Attributes:
        train: Rows whose labels are trained on; scaler and head start are fitted on them alone.
        val: The inner validation split: early stopping, learning rate and threshold.
        test: Rows that are reported, all of them that the task knows.
        available: Training rows that labels were drawn from, after controls were left out.
    """

    train: Rows
    val: Rows
    test: Rows
    available: int

    def told(self) -> str:
        """How many records are in which part."""
        return (
            f"records: {len(self.train)} to train on, {len(self.val)} in the inner validation "
            f"split, {len(self.test)} to test on"
        )

    @property
    def fraction(self) -> float:
        """Share of the training labels that is used."""
        return len(self.train) / max(self.available, 1)


def task_rows(cohort: Cohort, targets: Targets, protocol: ProtocolConfig, *, modality: str) -> Rows:
    """Rows that a task can use: usable, with the modality, labelled, of the role asked for."""
    role = None if protocol.subjects == "all" else protocol.subjects
    rows = cohort.select(role=role, with_ecg=modality == "ecg", with_cine=modality == "cmr")
    return rows[targets.known[rows]]


def draw_subsets(
    cohort: Cohort, targets: Targets, protocol: ProtocolConfig, *, modality: str, seed: int
) -> Subsets:
    """Deal the subjects of a task into training, inner validation and test.

    Groups are dealt by subject and class over everybody whom the task knows, whatever the
    modality, so that an ECG and a CMR model are tested on the same people. Smaller label counts
    are subsets of larger ones.

    Args:
        cohort: The cohort.
        targets: The task's targets.
        protocol: What to draw.
        modality: ``ecg`` or ``cmr``.
        seed: Seed of the run.

    Raises:
        TrainingError: If a part is empty, or lacks a class.
        LeakageError: If a test record's ECG is also among those trained or selected on.
    """
    usable = task_rows(cohort, targets, protocol, modality=modality)
    seed = seed_of(seed, "subsets", targets.task.name)
    if protocol.subjects == "pretrain":
        train, val = (usable[cohort.splits[usable] == split] for split in ("train", "val"))
        test = np.empty(0, dtype=np.int64)
    else:
        train, val, test = _dealt(cohort, targets, protocol, usable, seed)
    draw = _Draw(_people(cohort), targets.strata(), seed)
    if protocol.negatives is not None:
        _require_binary(targets)
        train, val = (draw.controls(rows, protocol.negatives) for rows in (train, val))
    share = protocol.label_fraction
    if protocol.labels is not None:
        share = _share_of(protocol.labels, draw.people[train])
    subsets = Subsets(draw.share(train, share), draw.share(val, share), test, len(train))
    _check_parts(subsets, targets, protocol)
    _refuse_leak(subsets, cohort)
    return subsets


def _dealt(
    cohort: Cohort, targets: Targets, protocol: ProtocolConfig, usable: Rows, seed: int
) -> tuple[Rows, Rows, Rows]:
    role = None if protocol.subjects == "all" else protocol.subjects
    known = np.flatnonzero(targets.known & ((cohort.roles == role) | (role is None)))
    people = _people(cohort)[known]
    found = len(np.unique(people))
    if found < protocol.folds:
        raise TrainingError(
            f"task {targets.task.name}: {found} labelled subjects with the role "
            f"{protocol.subjects} in {cohort.path.name}, at least {protocol.folds} needed; prepare "
            "more, or look with `cardionets inspect`"
        )
    group = np.full(len(cohort), -1)
    classes = _classes(people, targets.strata()[known])
    group[known] = subject_folds(people, protocol.folds, seed, strata=classes)
    test, val = protocol.fold, (protocol.fold + 1) % protocol.folds
    of = group[usable]
    return usable[(of != test) & (of != val)], usable[of == val], usable[of == test]


@dataclass(frozen=True, slots=True, eq=False)
class _Draw:
    """Draws subjects in an order of the seed, so that less is always a part of more."""

    people: NDArray[np.str_]
    strata: NDArray[np.str_]
    seed: int

    def share(self, rows: Rows, share: float) -> Rows:
        """This share of the subjects, of each class alike and one of each at least."""
        if share >= 1:
            return rows
        people, classes = self._ordered(rows)
        place, size = _places(classes)
        # The first of every class, then as an even walk through all classes would meet them.
        order = sorted(range(len(people)), key=lambda i: (place[i] > 0, (place[i] + 0.5) / size[i]))
        count = max(len(set(classes)), round(share * len(people)))
        return self._records(rows, [people[i] for i in order[:count]])

    def controls(self, rows: Rows, per_case: float) -> Rows:
        """All cases, and this many controls for each, or all controls if there are fewer."""
        people, classes = self._ordered(rows)
        cases = [p for p, c in zip(people, classes, strict=True) if c == _CASE]
        controls = [p for p, c in zip(people, classes, strict=True) if c != _CASE]
        return self._records(rows, cases + controls[: max(1, round(per_case * len(cases)))])

    def _ordered(self, rows: Rows) -> tuple[list[str], list[str]]:
        """Subjects in the order of the seed, and each one's class."""
        people, first = np.unique(self.people[rows], return_index=True)
        classes = _classes(self.people[rows], self.strata[rows])[first]
        order = sorted(range(len(people)), key=lambda i: seed_of(self.seed, "labels", people[i]))
        return [str(people[i]) for i in order], [str(classes[i]) for i in order]

    def _records(self, rows: Rows, people: list[str]) -> Rows:
        return rows[np.isin(self.people[rows], people)]


def _people(cohort: Cohort) -> NDArray[np.str_]:
    """Name of each record's subject to draw by, (n,): the id, or where a simulation has it from.

    Ids follow from a cohort's own key, so that drawing a simulated cohort by them would give
    everybody who prepares it other subsets.
    """
    _, first, person = np.unique(cohort.subject_ids, return_index=True, return_inverse=True)
    origins = cohort.origins[first]
    return np.where(origins == "", cohort.subject_ids[first], origins)[person]


def _classes(people: NDArray[np.str_], strata: NDArray[np.str_]) -> NDArray[np.str_]:
    """Class of each record's subject, (n,): who is a case in any record is one."""
    _, person = np.unique(people, return_inverse=True)
    order = np.lexsort((strata, person))
    last = np.flatnonzero(np.append(np.diff(person[order]) > 0, True))
    return strata[order[last]][person]


def _places(classes: list[str]) -> tuple[list[int], list[int]]:
    """Place of each subject within its class, counted from 0, and the size of that class."""
    size = Counter(classes)
    met: Counter[str] = Counter()
    places = []
    for name in classes:
        places.append(met[name])
        met[name] += 1
    return places, [size[name] for name in classes]


def _share_of(labels: int, people: NDArray[np.str_]) -> float:
    found = len(np.unique(people))
    if labels > found:
        raise TrainingError(
            f"protocol.labels = {labels}, but {found} labelled subjects are there to train on; "
            "ask for fewer, or leave it out for all"
        )
    return labels / found


def _require_binary(targets: Targets) -> None:
    if targets.task.target != "binary":
        raise TrainingError(
            f"protocol.negatives: task {targets.task.name} is {targets.task.target}, and only a "
            "binary one has cases and controls; leave it out"
        )


def _check_parts(subsets: Subsets, targets: Targets, protocol: ProtocolConfig) -> None:
    parts = {"training": subsets.train, "inner validation": subsets.val, "test": subsets.test}
    if protocol.subjects == "pretrain":
        del parts["test"]
    strata = targets.strata()
    discrete = targets.task.target in ("binary", "multiclass")
    for name, rows in parts.items():
        if len(rows) < 2:
            raise TrainingError(
                f"task {targets.task.name}: {len(rows)} labelled records in the {name} part, at "
                "least 2 needed; prepare more subjects or use more of the labels"
            )
        if discrete and len(set(strata[rows])) < 2:
            raise TrainingError(
                f"task {targets.task.name}: the {name} part of fold {protocol.fold} has one class "
                f"only ({len(rows)} records); needed two: use fewer folds, more subjects, or more "
                "of the labels"
            )


def _refuse_leak(subsets: Subsets, cohort: Cohort) -> None:
    """A copy of a test record under another id would be trained on without anybody noticing."""
    for name, rows in (("trained", subsets.train), ("selected", subsets.val)):
        try:
            refuse_overlap(
                Fingerprints.of(cohort, rows), cohort, subsets.test, purpose="evaluate on"
            )
        except LeakageError as error:
            raise LeakageError(
                f"records of the test part are also {name} on: {error}; leave one of the two out "
                "of the cohort"
            ) from error
