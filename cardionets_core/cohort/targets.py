"""A task's targets: what each record of a cohort has to be predicted as."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cmr.phenotypes import FIELD_IDS
from cardionets_core.cohort.columns import CohortColumns
from cardionets_core.cohort.label_values import Column, classes_of, meaning_of, numbers_of
from cardionets_core.cohort.labels import Labels, read_labels
from cardionets_core.cohort.task_columns import (
    LaterDiagnoses,
    cohort_column,
    cohort_column_names,
    diagnosed,
)
from cardionets_core.errors import LabelsError, UnknownNameError, UsageError
from cardionets_core.registry import Registry, unknown
from cardionets_core.spec import TargetKind, TaskSpec


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Targets of every record of a cohort.

    Attributes:
        task: What they are targets of.
        values: (n, T) float32: 0 and 1, (n, 1), of a binary task and (n, outputs) of a multi-label
            one; the number of the class, (n, 1); quantities in their units, (n, outputs). NaN where
            unknown.
        notes: What the user should know about how labels were read.
    """

    task: TaskSpec
    values: NDArray[np.float32]
    notes: tuple[str, ...] = ()

    @property
    def known(self) -> NDArray[np.bool_]:
        """True where there is anything to learn or to score, (n,)."""
        return np.asarray(~np.isnan(self.values).all(axis=1))

    def strata(self) -> NDArray[np.str_]:
        """Class of each record for stratified splits, (n,).

        ``0`` or ``1``, the name of the class, or the labels one after another with ``?`` for
        unknown ones; empty where nothing is known, and for a regression.
        """
        if self.task.target == "regression":
            return np.full(len(self.values), "", dtype=np.str_)
        names = np.array(["?", "0", "1"])
        if self.task.target == "multiclass":
            names = np.array(["?", *self.task.outputs])
        texts = names[np.where(np.isnan(self.values), 0, self.values + 1).astype(np.int64)]
        joined = texts[:, 0]
        for column in texts.T[1:]:
            joined = np.char.add(joined, column)
        return np.where(self.known, joined, "")


def task_targets(
    task: TaskSpec, cohort: CohortColumns, *, later_diagnoses: LaterDiagnoses = "exclude"
) -> Targets:
    """Targets of a declared task.

    A diagnosis counts for a record if it is dated on or before the visit or has no date, unless
    the task takes all. Everybody else is a negative, but for records whose source has no diagnoses
    at all. A record is of a class if the codes of exactly one class are found.

    Args:
        task: The task.
        cohort: The cohort.
        later_diagnoses: What a person is whose first code is dated after the visit: of no known
            target, or a negative. The paper does not say.

    Returns:
        A row per row of the cohort; nothing is known of synthetic records.

    Raises:
        UsageError: If the cohort lacks a column that the task names.
        LabelsError: If such a column does not fit the task.
    """
    if task.codes:
        targets = Targets(task, diagnosed(task, cohort, later_diagnoses))
    elif task.field_ids:
        fields = [FIELD_IDS.index(field_id) for field_id in task.field_ids]
        targets = Targets(task, cohort.phenotypes[:, fields].astype(np.float32))
    else:
        targets = _from_columns(task, cohort)
    return _of_people(targets, cohort)


def require_two_classes(
    targets: Targets, rows: NDArray[np.integer] | None = None, *, where: str = "the cohort"
) -> None:
    """Refuse targets from which nothing can be learnt or scored.

    Args:
        targets: The targets.
        rows: Rows that are to be used; all by default.
        where: What to call them in the message, e.g. ``the test fold 3``.

    Raises:
        LabelsError: If a binary label, or a multi-class target, has one class only, or if no
            target is known.
    """
    values = targets.values if rows is None else targets.values[rows]
    names = targets.task.outputs
    for place, column in enumerate(values.T):
        found = np.unique(column[~np.isnan(column)])
        if targets.task.target == "regression" or len(found) > 1:
            continue
        label = targets.task.name if targets.task.target == "multiclass" else names[place]
        told = "one class only" if len(found) else "no known label"
        raise LabelsError(
            f"task {targets.task.name!r}: found {told} of {label!r} in {where}; needed two: use "
            "another task, more records or other splits"
        )
    if np.isnan(values).all():
        raise LabelsError(
            f"task {targets.task.name!r}: found no known value in {where}; needed some: use "
            "another task or a cohort that has them"
        )


def find_task(
    names: str,
    *,
    registry: Registry,
    cohort: CohortColumns,
    labels: Path | None = None,
    target: TargetKind | None = None,
    later_diagnoses: LaterDiagnoses = "exclude",
) -> Targets:
    """Targets of a task, of a column, or of several of them joined by commas.

    A name is a column of ``labels``, a registered task, or a column of the cohort, in this order;
    several binary ones are a multi-label task, several numbers a regression with several outputs.

    Args:
        names: Name, or names joined by commas.
        registry: Where tasks are looked up.
        cohort: The cohort.
        labels: A CSV of labels, as ``read_labels`` takes it.
        target: What columns are to be read as, instead of what their values look like.
        later_diagnoses: As ``task_targets`` takes it.

    Returns:
        The targets, with notes on how labels were read.

    Raises:
        UnknownNameError: If a name is none of these.
        UsageError: If a name is two of them, if ``labels`` or ``target`` would not be used, or if
            names of different kinds are joined.
        LabelsError: If the labels cannot be read, or tell no two records apart.
    """
    asked = [name.strip() for name in names.split(",")]
    if len(set(asked)) < len(asked) or not all(asked):
        raise UsageError(f"task {names!r}: found an empty or repeated name; needed each name once")
    table = None if labels is None else read_labels(labels, cohort)
    sources = _Sources(registry, cohort, table, later_diagnoses)
    if sources.labels is not None and not set(asked) & set(sources.labels.table):
        raise UnknownNameError(
            f"{sources.labels.path}: {unknown('column', names, sources.labels.table)} Name one of "
            "its columns as the task, or leave the labels out."
        )
    found = sources.one(asked[0], target) if len(asked) == 1 else sources.joined(asked, target)
    found = _of_people(found, cohort)
    require_two_classes(found)
    if sources.labels is None:
        return found
    return Targets(found.task, found.values, (sources.labels.note, *found.notes))


@dataclass(frozen=True, slots=True)
class _Sources:
    """Where names are looked up."""

    registry: Registry
    cohort: CohortColumns
    labels: Labels | None
    later_diagnoses: LaterDiagnoses

    def one(self, name: str, target: TargetKind | None) -> Targets:
        """Targets of one name."""
        if (column := self._column(name)) is not None:
            return _of_column(column, target)
        task = self.registry.task(name).spec
        if target not in (None, task.target):
            raise UsageError(
                f"task {name!r} is {task.target}, and target {target} was asked for; leave it "
                "out, which is for columns"
            )
        return task_targets(task, self.cohort, later_diagnoses=self.later_diagnoses)

    def joined(self, names: list[str], target: TargetKind | None) -> Targets:
        """Targets of several names: one output each."""
        if target not in (None, "multilabel", "regression"):
            raise UsageError(
                f"{len(names)} names are a multilabel or regression target, and {target} was asked "
                "for; name one task or leave it out"
            )
        of_each = "binary" if target == "multilabel" else target
        parts = [self.one(name, of_each) for name in names]
        kinds = {part.task.target for part in parts}
        if kinds not in ({"binary"}, {"regression"}):
            told = ", ".join(f"{part.task.name} is {part.task.target}" for part in parts)
            raise UsageError(
                f"found {told}; joined names must all be binary or all be numbers: name them one "
                "by one, or say with --target how columns are meant"
            )
        return _joined(",".join(names), parts)

    def _column(self, name: str) -> Column | None:
        """The column of this name, or None if a task is meant."""
        short = {task.name for task in self.registry.tasks()}
        tasks = short | {task.qualified_name for task in self.registry.tasks()}
        if self.labels is not None and name in self.labels.table:
            if name in tasks:
                raise UsageError(
                    f"{name!r} is a task and a column of {self.labels.path} as well; rename the "
                    "column, or leave the labels out to predict the task"
                )
            return self.labels.column(name)
        if name in tasks:
            return None
        if name in cohort_column_names(self.cohort):
            return cohort_column(self.cohort, name)
        columns = () if self.labels is None else tuple(self.labels.table)
        known = {*short, *columns, *cohort_column_names(self.cohort)}
        broken = "".join(f"\n{failed}" for failed in self.registry.discovery.failed)
        raise UnknownNameError(unknown("task or column", name, known) + broken)


def _of_people(targets: Targets, cohort: CohortColumns) -> Targets:
    """The same without those of synthetic records: what a generator drew is no outcome."""
    if not cohort.synthetic.any():
        return targets
    values = np.where(cohort.synthetic[:, None], np.float32(np.nan), targets.values)
    return replace(targets, values=values)


def _of_column(column: Column, target: TargetKind | None) -> Targets:
    if target == "multilabel":
        raise UsageError(
            f"{column.told} is one label; a multilabel target needs two names or more, joined by "
            "commas"
        )
    meaning = meaning_of(column, target)
    task = TaskSpec(
        name=column.name,
        summary=column.told,
        target=meaning.target,
        outputs=meaning.outputs,
        columns=(column.name,),
    )
    return Targets(task, meaning.values, (meaning.note,) if meaning.note else ())


def _joined(name: str, parts: list[Targets]) -> Targets:
    outputs = tuple(output for part in parts for output in part.task.outputs)
    if len(set(outputs)) < len(outputs):
        raise UsageError(f"task {name!r}: found an output twice in {', '.join(outputs)}")
    task = TaskSpec(
        name=name,
        summary="; ".join(part.task.summary for part in parts),
        target="multilabel" if parts[0].task.target == "binary" else "regression",
        outputs=outputs,
        columns=outputs,
        units=_units(parts),
    )
    values = np.concatenate([part.values for part in parts], axis=1)
    return Targets(task, values, tuple(note for part in parts for note in part.notes))


def _units(parts: list[Targets]) -> tuple[str, ...]:
    """Units of joined regressions, empty texts where columns have none; () if none has any."""
    units = [unit for p in parts for unit in (p.task.units or ("",) * len(p.task.outputs))]
    return tuple(units) if any(units) else ()


def _from_columns(task: TaskSpec, cohort: CohortColumns) -> Targets:
    columns = [cohort_column(cohort, name) for name in task.columns]
    if task.target == "regression":
        return Targets(task, np.concatenate([numbers_of(column) for column in columns], axis=1))
    if task.target == "multiclass":
        return Targets(task, classes_of(columns[0], task.outputs))
    meanings = [meaning_of(column, "binary") for column in columns]
    values = np.concatenate([meaning.values for meaning in meanings], axis=1)
    return Targets(task, values, tuple(meaning.note for meaning in meanings if meaning.note))
