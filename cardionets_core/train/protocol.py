"""Options of a downstream task: which subjects train, select and test, and how."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, FiniteFloat, PositiveFloat, model_validator

from cardionets_core.config import Options
from cardionets_core.errors import ConfigError
from cardionets_core.options import Given, stage_options
from cardionets_core.registry import Component


class ProtocolConfig(Options):
    """How a downstream task is learnt and tested; a preset's ``[HEAD.protocol]`` fills it."""

    folds: int = Field(5, ge=3, description="groups that the subjects are dealt into, by stratum")
    fold: int = Field(
        0,
        ge=0,
        description="group to test on; the next one is the inner validation split, the others "
        "train: one of 5 is 60/20/20",
    )
    labels: int | None = Field(
        None, ge=2, description="labelled subjects to train on; the inner split shrinks alike"
    )
    label_fraction: float = Field(
        1.0, gt=0, le=1, description="share of the training labels to use, or `labels`"
    )
    negatives: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="controls per case in training and inner split; all if none; never in the test",
    )
    probe: bool = Field(False, description="keep the encoder frozen and train the head alone")
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="factor of the learning rate from each layer to the one below"
    )
    head_start: Literal["closed-form", "random"] = Field(
        "closed-form",
        description="begin from ridge or logistic regression on the features of an encoder that "
        "has weights, where the head can; or at random",
    )
    lr_candidates: tuple[PositiveFloat, ...] = Field(
        (), description="learning rates tried, the best on the inner split kept; train.lr if none"
    )
    lr_candidates_random: tuple[PositiveFloat, ...] = Field(
        (), description="the same, for an encoder that starts at random"
    )
    average: Literal["probabilities", "logits"] = Field(
        "probabilities", description="what is averaged over the evaluation crops"
    )
    threshold: Literal["inner"] | FiniteFloat = Field(
        "inner", description="where cases begin: the best Youden index on the inner split, or fixed"
    )
    select_on: Literal["inner", "reported"] = Field(
        "inner",
        description="where training is stopped: on the inner split, or on the very subjects that "
        "are reported, as the released code does (optimistic)",
    )
    subjects: Literal["downstream", "pretrain", "all"] = Field(
        "downstream",
        description="whose labels are read; `all` lets pre-training and test overlap, and says so",
    )

    later_diagnoses: Literal["exclude", "negative"] = Field(
        "exclude",
        description="what a person is whose first code of the disease is dated after the visit: "
        "left out of the task, or a control; the paper does not say",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} of {self.folds}; needed 0 to {self.folds - 1}")
        if self.labels is not None and self.label_fraction != 1.0:
            raise ValueError("labels and label_fraction are both given; keep one")
        for rates in (self.lr_candidates, self.lr_candidates_random):
            if len(set(rates)) < len(rates):
                raise ValueError("a learning rate is tried twice; name each once")
        if self.subjects == "pretrain" and self.select_on == "reported":
            raise ValueError(
                "of subjects = pretrain nobody is reported, so that training cannot be stopped on "
                "them; set select_on = inner"
            )
        return self


def protocol_options(numbers: Component, given: Given) -> ProtocolConfig:
    """The protocol of a downstream task; a learning rate that the user names is the only one tried.

    Args:
        numbers: The component whose presets serve.
        given: Preset and options.

    Raises:
        ConfigError: For an unknown option or one out of range, or if one learning rate and several
            are given.
    """
    protocol = stage_options(ProtocolConfig, numbers, "protocol", given)
    if "lr" not in given.options("train"):
        return protocol
    several = [name for name in given.options("protocol") if name.startswith("lr_candidates")]
    if several:
        raise ConfigError(f"train.lr and protocol.{several[0]} are both given; keep one")
    return protocol.model_copy(update={"lr_candidates": (), "lr_candidates_random": ()})
