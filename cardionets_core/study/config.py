"""What a study compares: tasks, variants, label counts, folds and seeds. Imports no torch."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from cardionets_core.config import Options


class Setting(Options):
    """How many labels a downstream run learns from."""

    labels: int | None = Field(None, ge=2, description="training labels; all if none")
    fraction: float = Field(1.0, gt=0, le=1, description="share of the training labels")
    negatives: float | None = Field(None, gt=0, description="controls per case; all if none")

    @property
    def amount(self) -> str:
        """The number of labels, for people: ``100 labels``, ``10 % of labels``, ``all labels``."""
        if self.labels is not None:
            return f"{self.labels} labels"
        return "all labels" if self.fraction == 1 else f"{100 * self.fraction:g} % of labels"

    @property
    def ratio(self) -> str:
        """Cases to controls in training, for people; nothing where all controls are kept."""
        return "" if self.negatives is None else f"1 : {self.negatives:g}"

    @property
    def text(self) -> str:
        """Both, for people."""
        return f"{self.amount}, {self.ratio}" if self.ratio else self.amount

    @property
    def key(self) -> str:
        """Both, for a folder's name and for the column ``setting`` of the scores."""
        amount = f"{self.labels}-labels" if self.labels is not None else f"{self.fraction:g}"
        amount = "all" if amount == "1" else amount
        return amount if self.negatives is None else f"{amount}-1to{self.negatives:g}"

    def options(self) -> dict[str, Any]:
        """As options of the protocol."""
        amount: dict[str, Any] = {"label_fraction": self.fraction}
        if self.labels is not None:
            amount = {"labels": self.labels}
        return amount if self.negatives is None else {**amount, "negatives": self.negatives}


class TaskPlan(Options):
    """One task of a study: who is compared on it, and with how many labels."""

    task: str = Field(description="name of the task, or a column of the cohort")
    variants: tuple[str, ...] = Field(min_length=1, description="in the order of the tables")
    settings: tuple[Setting, ...] = Field(min_length=1, description="label counts and ratios")
    controls: tuple[str, ...] = Field((), description="negative controls, on the first seed alone")
    control_settings: tuple[Setting, ...] = Field((), description="what they are tested with")


class OwnRun(Options):
    """Weights of the user's that stand for a variant, whatever the seed."""

    weights: str = Field(description="zoo id, url or file")
    sha256: str = Field(description="of the file")


class StudyConfig(Options):
    """Everything that decides the numbers of a study; study.json keeps it."""

    preset: str = Field(description="numbers of every stage")
    encoder: str | None = Field(None, description="ECG encoder; the default one if none")
    head: str = Field("linear", description="head of every task")
    tasks: tuple[TaskPlan, ...] = Field(min_length=1, description="what is predicted")
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1, description="each a whole lineage")
    groups: int = Field(5, ge=3, description="groups that subjects are dealt into")
    folds: tuple[int, ...] = Field((0,), min_length=1, description="groups that are tested")
    runs: dict[str, OwnRun] = Field(
        default_factory=dict, description="variant to the user's weights that hold its encoder"
    )
    options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="options of the stages: tables train and protocol"
    )
    reference: str = Field("cardionets", description="variant that the others are compared with")
    order: tuple[str, ...] = Field(
        ("cmr-ref", "cardionets", "ssl", "scratch"), description="the order that is claimed"
    )
    resamples: int = Field(10_000, ge=20, description="of every bootstrap interval")
    permutations: int = Field(10_000, ge=20, description="of every permutation test")
    confidence: float = Field(0.95, gt=0, lt=1, description="of every interval")
    pooled: bool = Field(False, description="pool the folds of a seed, as the paper does")
    smoke: bool = Field(False, description="a trial of the machinery, whose numbers say nothing")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if max(self.folds) >= self.groups:
            raise ValueError(f"fold {max(self.folds)} of {self.groups}")
        for named in (self.seeds, self.folds, tuple(plan.task for plan in self.tasks)):
            if len(set(named)) < len(named):
                raise ValueError(f"{named}: one of them is named twice")
        return self

    @property
    def variants(self) -> tuple[str, ...]:
        """Every variant that is no control, in the order of the tables."""
        return tuple(dict.fromkeys(name for plan in self.tasks for name in plan.variants))

    @property
    def controls(self) -> tuple[str, ...]:
        """Every negative control."""
        return tuple(dict.fromkeys(name for plan in self.tasks for name in plan.controls))
