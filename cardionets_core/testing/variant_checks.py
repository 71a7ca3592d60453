"""The promises of a variant: ``cardionets_core.spec.VariantSpec``.

What it names is looked up among the installed plugins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cardionets_core.errors import CardionetsError
from cardionets_core.registry import default_registry
from cardionets_core.spec import KINDS, USERS_ENCODER, Kind, LineageStage, VariantSpec
from cardionets_core.testing.requirement import ConformanceError, require


def check_is_declared_in_words(variant: VariantSpec) -> None:
    """A label for tables and a summary, of one line each."""
    for name in ("label", "summary"):
        text = getattr(variant, name)
        require(
            bool(text.strip()) and "\n" not in text,
            f"the {name} is empty or has several lines; needed one line",
        )
    require(
        variant.modality in ("ecg", "cmr"), f"modality is {variant.modality!r}; needed ecg or cmr"
    )


def check_stages_are_named_once(variant: VariantSpec) -> None:
    """Stages of one name are one run, so a variant has a name once."""
    names = [stage.name for stage in variant.stages]
    require(all(names), "a stage has no name")
    twice = sorted({name for name in names if names.count(name) > 1})
    require(not twice, f"stages {', '.join(twice)} are there twice; needed each name once")


def check_stages_start_from_earlier_ones(variant: VariantSpec) -> None:
    """Weights of a role come from a stage that has been trained by then."""
    earlier: list[str] = []
    for stage in variant.stages:
        for role, start in stage.starts.items():
            _kind_of(role, stage)
            require(
                start in earlier,
                f"stage {stage.name!r} starts {role} from {start!r}, which is no earlier stage; "
                f"those are: {', '.join(earlier) or 'none'}",
            )
        earlier.append(stage.name)


def check_stages_are_used(variant: VariantSpec) -> None:
    """No stage is trained for nothing."""
    started = {start for stage in variant.stages for start in stage.starts.values()}
    unused = [stage.name for stage in variant.stages[:-1] if stage.name not in started]
    require(
        not unused,
        f"no later stage starts from {', '.join(unused)}; name it in starts or take it out",
    )


def check_components_are_there(variant: VariantSpec) -> None:
    """Every component that a stage names is of the role's kind and installed."""
    for stage in variant.stages:
        require(bool(stage.components), f"stage {stage.name!r} names no component")
        for role, name in stage.components.items():
            kind = _kind_of(role, stage)
            if name == USERS_ENCODER:
                require(
                    kind == "encoder",
                    f"stage {stage.name!r}: {USERS_ENCODER} stands for an encoder, not for {role}",
                )
            else:
                _is_there(default_registry().find, kind, name)


def check_last_stage_makes_the_encoder(variant: VariantSpec) -> None:
    """The encoder that is handed on is trained, and reads what the variant says."""
    if variant.encoder is not None:
        _require_modality(variant, variant.encoder)
    if not variant.stages:
        return
    name = variant.stages[-1].components.get("encoder")
    require(name is not None, f"the last stage, {variant.stages[-1].name!r}, trains no encoder")
    needed = variant.encoder or USERS_ENCODER
    require(
        name == needed,
        f"the last stage trains encoder {name!r}, but the variant's is {needed!r}; name it in "
        "VariantSpec.encoder",
    )


def check_stages_have_what_they_train_for(variant: VariantSpec) -> None:
    """A task goes with a head, and shuffled pairs with an aligner."""
    for stage in variant.stages:
        require(
            (stage.task is None) == ("head" not in stage.components),
            f"stage {stage.name!r} has a task without a head, or a head without a task",
        )
        require(
            not stage.shuffle_pairs or "aligner" in stage.components,
            f"stage {stage.name!r} shuffles pairs without an aligner; there are none",
        )
        require(
            not stage.shuffle_pairs or variant.control,
            f"stage {stage.name!r} shuffles pairs; needed control=True, as this is no method",
        )


def check_tasks_are_there(variant: VariantSpec) -> None:
    """Tasks that it is not meant for are installed, or are what it was trained on."""
    trained_on = {stage.task for stage in variant.stages}
    for name in variant.not_for:
        if name not in trained_on:
            _is_there(default_registry().task, name)


def check_zoo_entries_are_there(variant: VariantSpec) -> None:
    """Zoo entries that hold its encoder are installed."""
    for name in variant.zoo.values():
        _is_there(default_registry().zoo_entry, name)


def _kind_of(role: str, stage: LineageStage) -> Kind:
    """Kind of component that a role takes: ``encoder`` for ``cmr_encoder``."""
    for kind in KINDS:
        if role == kind or role.endswith(f"_{kind}"):
            return kind
    raise ConformanceError(
        f"stage {stage.name!r} has a role {role!r}; needed one of {', '.join(KINDS)}, or one that "
        "ends in it, e.g. cmr_encoder"
    )


def _require_modality(variant: VariantSpec, name: str) -> None:
    component = _is_there(default_registry().find, "encoder", name)
    found = component.spec.modality
    require(
        found == variant.modality,
        f"encoder {name!r} reads {found}, but the variant reads {variant.modality}",
    )


def _is_there(look_up: Callable[..., Any], *names: str) -> Any:
    try:
        return look_up(*names)
    except CardionetsError as error:
        raise ConformanceError(str(error)) from error
