"""From what a user asks for to the study that is meant by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cardionets_core.errors import ConfigError, UsageError
from cardionets_core.registry import Registry
from cardionets_core.spec import TargetKind, VariantSpec
from cardionets_core.study.config import OwnRun, Setting, StudyConfig, TaskPlan
from cardionets_core.weights.atomic import sha256_of
from cardionets_core.weights.fetch import fetch

_TASKS = ("phenotypes", "cm")
_FULL_TASKS = (*_TASKS, "cad", "hf", "ph", "cm-subtype")
_VARIANTS = ("scratch", "ssl", "phen-sup", "cardionets", "cmr-ref")
# Another way of aligning, which the paper compares on the phenotypes alone.
_ON_NUMBERS_TOO = ("infonce",)
_CONTROLS = ("shuffled",)
_LABELS: tuple[int | None, ...] = (100, 300, None)
_FRACTIONS = (0.1, 0.25, 0.5, 0.75, 1.0)
# Of what a full study adds, the two ends alone: five folds of everything would take days.
_ENDS = (0.1, 1.0)
_NEGATIVES, _FULL_NEGATIVES = (1.0,), (1.0, 2.0, 5.0, 10.0)
_GROUPS = 5
# The paper joins the predictions of folds for its tests; elsewhere metrics are means over them.
_POOLED_PRESET = "paper"
_OPTIONS = ("train", "protocol")
# What a study varies itself, and the flag that says how.
_OWN_FLAGS = {
    "fold": "--folds",
    "folds": "--folds",
    "labels": "--label-counts",
    "label_fraction": "--label-fractions",
    "negatives": "--negatives",
}
# A trial of the machinery in minutes: its numbers mean nothing.
_SMOKE_OPTIONS = {"train": {"epochs": 2, "warmup_epochs": 0}}
_SMOKE_RESAMPLES = 100
_SMOKE_FRACTIONS = (0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asks a study for; what is empty follows from the defaults.

    Attributes:
        preset: Preset of every stage.
        tasks: Names of tasks, or columns of the cohort.
        variants: Names of variants.
        runs: Variant to weights of the user's: a run folder, zoo id, file or url.
        encoder: ECG encoder.
        head: Head.
        labels: Label counts of regressions; None for all.
        fractions: Shares of labels of the other tasks.
        negatives: Controls per case in training, of tasks with cases.
        seeds: How many.
        folds: Groups that are tested; 1 is one split of 60/20/20.
        full: Every task, ratio and fold of the paper.
        smoke: A trial with little of everything.
        options: Tables ``train`` and ``protocol``.
        offline: Never use the network.
    """

    preset: str
    tasks: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    runs: Mapping[str, str] = field(default_factory=dict)
    encoder: str | None = None
    head: str = "linear"
    labels: tuple[int | None, ...] = ()
    fractions: tuple[float, ...] = ()
    negatives: tuple[float, ...] = ()
    seeds: int | None = None
    folds: int | None = None
    full: bool = False
    smoke: bool = False
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    offline: bool = False

    @property
    def task_names(self) -> tuple[str, ...]:
        """The tasks, by name."""
        return self.tasks or (_FULL_TASKS if self.full else _TASKS)


def make_config(asked: Asked, targets: Mapping[str, TargetKind], registry: Registry) -> StudyConfig:
    """Settle everything that a study's numbers follow from.

    Args:
        asked: What the user asks for.
        targets: Kind of target of each task.
        registry: The plugins.

    Raises:
        ConfigError: For options that a study does not read, or has flags of its own for.
        UsageError: If a variant is unknown, nothing is left to compare, or a flag has no effect.
        WeightsError: If weights of the user's cannot be had.
    """
    _refuse_options(asked.options)
    _refuse_ignored(asked, [targets[name] for name in asked.task_names])
    chosen = [registry.variant(name).spec for name in (*_wanted(asked), *asked.runs)]
    groups, folds = _folds(asked)
    smoke = asked.smoke
    return StudyConfig(
        preset=asked.preset,
        encoder=asked.encoder,
        head=asked.head,
        tasks=tuple(_task_plan(task, targets[task], chosen, asked) for task in asked.task_names),
        seeds=tuple(range(asked.seeds or (1 if smoke else 3))),
        groups=groups,
        folds=folds,
        runs={name: _own_run(run, asked, registry) for name, run in asked.runs.items()},
        options=_options(asked),
        pooled=asked.preset == _POOLED_PRESET,
        smoke=smoke,
        **({"resamples": _SMOKE_RESAMPLES, "permutations": _SMOKE_RESAMPLES} if smoke else {}),
    )


def _own_run(run: str, asked: Asked, registry: Registry) -> OwnRun:
    fetched = fetch(run, offline=asked.offline or None, registry=registry)
    name = run if fetched.pinned else str(fetched.path.resolve())
    return OwnRun(weights=name, sha256=sha256_of(fetched.path))


def _wanted(asked: Asked) -> tuple[str, ...]:
    return asked.variants or (*_VARIANTS, *_ON_NUMBERS_TOO, *_CONTROLS)


def _refuse_options(options: Mapping[str, Mapping[str, Any]]) -> None:
    for name in options:
        if name not in _OPTIONS:
            raise ConfigError(
                f"--set {name}.…: a study reads the tables train, protocol and, where it prepares "
                "the cohort itself, dataset; change other options by training the variant with "
                "`cardionets train` and naming its run with --variant NAME=RUN"
            )
    for name in options.get("protocol", {}):
        if name in _OWN_FLAGS:
            raise ConfigError(
                f"--set protocol.{name}: a study sets it for each of its runs; give "
                f"{_OWN_FLAGS[name]} instead"
            )


def _refuse_ignored(asked: Asked, kinds: list[TargetKind]) -> None:
    """Refuse numbers of labels that no task of the study would be trained with."""
    asked_for = (
        ("--label-counts", asked.labels, "regression" in kinds, "a regression"),
        ("--label-fractions", asked.fractions, set(kinds) != {"regression"}, "of classes"),
        ("--negatives", asked.negatives, "binary" in kinds, "of cases and controls"),
    )
    for flag, values, is_read, needed in asked_for:
        if values and not is_read:
            raise UsageError(
                f"{flag}: no task of {', '.join(asked.task_names)} is {needed}, so that it would "
                "be ignored; leave it out, or add such a task with --tasks"
            )


def _folds(asked: Asked) -> tuple[int, tuple[int, ...]]:
    """Groups, and which of them are tested."""
    folds = asked.folds or (_GROUPS if asked.full and not asked.smoke else 1)
    if folds == 2:
        raise UsageError(
            "--folds 2: a test group, an inner validation group and a training group are needed; "
            "give 3 or more, or 1 for one split of 60/20/20"
        )
    return (_GROUPS, (0,)) if folds == 1 else (folds, tuple(range(folds)))


def _options(asked: Asked) -> dict[str, dict[str, Any]]:
    under = _SMOKE_OPTIONS if asked.smoke else {}
    names = [name for name in _OPTIONS if name in under or name in asked.options]
    return {name: {**under.get(name, {}), **asked.options.get(name, {})} for name in names}


def _task_plan(
    task: str, target: TargetKind, chosen: Iterable[VariantSpec], asked: Asked
) -> TaskPlan:
    specs = {spec.name: spec for spec in chosen if task not in spec.not_for}
    if not asked.variants and target != "regression":
        specs = {name: s for name, s in specs.items() if name not in _ON_NUMBERS_TOO}
    variants = tuple(name for name, spec in specs.items() if not spec.control)
    if not variants:
        raise UsageError(
            f"task {task!r}: no variant is left to compare; name more with --variants, or another "
            "task"
        )
    settings = _settings(task, target, asked)
    controls = tuple(name for name, spec in specs.items() if spec.control)
    return TaskPlan(
        task=task,
        variants=variants,
        settings=settings,
        controls=controls,
        control_settings=_scarce(settings) if controls else (),
    )


def _settings(task: str, target: TargetKind, asked: Asked) -> tuple[Setting, ...]:
    if target == "regression":
        labels = asked.labels or ((20, None) if asked.smoke else _LABELS)
        return tuple(Setting(labels=count) for count in labels)
    added = asked.full and not asked.tasks and task not in _TASKS
    fractions = asked.fractions or (_ENDS if added else _FRACTIONS)
    if asked.smoke:
        fractions = asked.fractions or _SMOKE_FRACTIONS
    if target != "binary":
        return tuple(Setting(fraction=share) for share in fractions)
    ratios = asked.negatives or (_FULL_NEGATIVES if asked.full and not added else _NEGATIVES)
    # Label fractions at the first ratio, the other ratios with all labels.
    many = [Setting(fraction=share, negatives=ratios[0]) for share in fractions]
    return (*many, *(Setting(fraction=max(fractions), negatives=ratio) for ratio in ratios[1:]))


def _scarce(settings: tuple[Setting, ...]) -> tuple[Setting, ...]:
    """Where an advantage of alignment is expected: with few labels.

    Counts but the largest, or the smallest share.
    """
    counts = tuple(setting for setting in settings if setting.labels is not None)
    return counts or (min(settings, key=lambda setting: setting.fraction),)
