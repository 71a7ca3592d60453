"""The plan of a stage: every option resolved, and where each need comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from cardionets_core.config import Options
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.errors import ConfigError, UsageError
from cardionets_core.options import Given, OptionsT, component_options, stage_options
from cardionets_core.registry import Component, Registry
from cardionets_core.spec import TargetKind
from cardionets_core.train.config import TrainConfig
from cardionets_core.train.protocol import ProtocolConfig, protocol_options
from cardionets_core.train.request import TrainRequest, stage_name
from cardionets_core.train.roles import (
    Role,
    head_roles,
    refuse_unknown_roles,
    refuse_unread,
    stage_roles,
    variant_name,
    with_numbers,
)
from cardionets_core.weights.atomic import sha256_of
from cardionets_core.weights.fetch import fetch
from cardionets_core.weights.header import PartHeader, read_header
from cardionets_core.weights.load import check_transform, transform_of

Source = Literal["random", "train", "weights"]
NEEDS_FOLDER = "needs"
_LENGTHS = {"sampling_rate_hz": "sampling_rate_hz", "num_samples": "crop_samples"}


class PartPlan(Options):
    """One component of a stage and where its weights come from."""

    kind: str = Field(description="kind of the component")
    component: str = Field(description="plugin:name")
    options: dict[str, Any] = Field(description="all options")
    source: Source = Field(description="random weights, training it first, or a weights file")
    weights: str | None = Field(None, description="the file, as named by user or zoo")
    sha256: str | None = Field(None, description="its hash")
    file_role: str | None = Field(None, description="which part of the file")
    frozen: bool = Field(False, description="not trained in this stage")
    variant: str | None = Field(None, description="variant whose stages train it first")
    beside: str | None = Field(None, description="role whose weights file holds it too")


class Plan(Options):
    """A stage as it will run; run.json keeps it, and ``--resume`` reads it back."""

    stage: str
    preset: str
    seed: int
    parts: dict[str, PartPlan]
    train: TrainConfig
    data: EcgTransformConfig | None = Field(None, description="transform to fit, unless inherited")
    transform: dict[str, Any] | None = Field(None, description="inherited transform state")
    cohort: str = Field("", description="path of the cohort, once it is there")
    offline: bool = False
    new_transform: bool = False
    command: str = ""
    protocol: ProtocolConfig | None = Field(None, description="of a downstream task")
    task: str | None = Field(None, description="what is predicted")
    labels: str | None = Field(None, description="CSV of labels")
    target: TargetKind | None = Field(None, description="what columns are read as")
    variant: str | None = Field(None, description="how the encoder is initialised")
    shuffle_pairs: bool = Field(False, description="negative control of an alignment")

    def lines(self) -> list[str]:
        """What is going to happen, for a person."""
        said = {
            "random": "random weights",
            "train": "no weights for this preset: trained first",
        }
        told = [] if self.task is None else [f"task: {self.task}, variant {self.variant}"]
        if self.shuffle_pairs:
            told.append("negative control: every ECG is paired with another subject's CMR")
        return told + [
            f"{role}: {part.component}, {said.get(part.source, f'from {part.weights}')}"
            + (", frozen" if part.frozen else "")
            for role, part in self.parts.items()
        ]

    def given_for(self, role: str) -> Given:
        """What a user would give to train a need by itself, in the same place.

        Its options and those of the transform are this plan's; how long it is trained is a matter
        of its own preset.
        """
        where = self.train.model_dump(include={"accelerator", "devices", "threads"})
        part = self.parts[role]
        tables: dict[str, dict[str, Any]] = {part.kind: part.options, "train": where}
        if role == "encoder" and self.data is not None:
            tables["data"] = self.data.model_dump(mode="json")
        return Given(self.preset, explicit=tables)

    def inherit_transform(self, registry: Registry) -> Plan:
        """This plan with the transform of its ECG encoder's weights, unless a new one is wanted."""
        part = self.parts.get("encoder")
        if part is None or part.source != "weights" or self.new_transform:
            return self
        path = fetch(str(part.weights), offline=self.offline or None, registry=registry).path
        return replace_options(self, transform=read_header(path).transform)


def make_plan(request: TrainRequest, registry: Registry) -> Plan:
    """Resolve every option and need of a stage; only the cohort is still missing.

    Args:
        request: What the user asks for.
        registry: The plugins.

    Raises:
        UsageError: For unknown names and options, or options that the weights contradict.
        WeightsError: If weights cannot be had.
    """
    leading = request.leading(registry)
    downstream = leading.spec.kind == "head"
    refuse_unread(request, leading)
    roles = (head_roles if downstream else stage_roles)(request, registry, leading)
    known = [*(r.name for r in roles), "train", "data", "dataset", *["protocol"] * downstream]
    request.given.refuse_unknown(known)
    refuse_unknown_roles(request, roles)
    parts = {role.name: _plan_part(role, request, registry) for role in roles}
    numbers = with_numbers(leading, registry)
    plan = Plan(
        stage=stage_name(leading),
        preset=request.given.preset,
        seed=request.seed,
        parts=parts,
        train=stage_options(TrainConfig, numbers, "train", request.given),
        protocol=protocol_options(numbers, request.given) if downstream else None,
        task=request.task,
        labels=None if request.labels is None else str(request.labels.resolve()),
        target=request.target,
        variant=variant_name(request) if downstream else None,
        shuffle_pairs=request.shuffle_pairs,
        offline=request.offline,
        new_transform=request.new_transform,
        command=request.command,
    )
    if plan.train.accumulate > 1 and leading.spec.kind == "aligner":
        raise ConfigError(
            "train.accumulate > 1: the samples of an alignment batch are each other's negatives "
            "and cannot be split; lower train.batch_size or use more devices"
        )
    return _with_transform(plan, request, numbers, registry) if _reads_ecg(roles) else plan


def _plan_part(role: Role, request: TrainRequest, registry: Registry) -> PartPlan:
    beside = role.need.beside if role.need is not None else None
    wanted = request.weights.get(role.name) or _zoo_weights(role, request, registry)
    if wanted is None and beside is not None:
        wanted = _beside(role, beside, request, registry)
    options = component_options(role.component, role.name, request.given)
    part = PartPlan(
        kind=role.component.spec.kind,
        component=role.component.qualified_name,
        options=options.model_dump(mode="json"),
        source="random",
        frozen=role.frozen,
        variant=None if role.need is None else role.need.variant,
        beside=beside,
    )
    needed = role.need is not None
    if request.variant is not None and not registry.variant(request.variant).spec.stages:
        needed = False
    wanted = wanted or ("train" if needed else "random")
    if wanted == "train" and not needed:
        raise UsageError(
            f"--weights {role.name}=train: {role.name} is what this stage trains; leave it out, "
            "or name weights to start from"
        )
    if wanted in ("random", "train"):
        return replace_options(part, source=wanted)
    return _from_weights(part, role, wanted, request, registry)


def _beside(role: Role, other: str, request: TrainRequest, registry: Registry) -> str:
    """The weights of another role, whose file has to hold this part too."""
    roles = stage_roles(request, registry, request.leading(registry))
    holder = next(found for found in roles if found.name == other)
    wanted = request.weights.get(other) or _zoo_weights(holder, request, registry) or "train"
    if wanted == "random":
        raise UsageError(
            f"--weights {other}=random: {role.name} would have to come from the same run; name "
            f"weights that hold both, or one of its own with --weights {role.name}=RUN"
        )
    return wanted


def replace_options(options: OptionsT, /, **changes: Any) -> OptionsT:
    """A copy of frozen options with some of them changed, checked again."""
    return type(options).model_validate({**options.model_dump(), **changes})


def _zoo_weights(role: Role, request: TrainRequest, registry: Registry) -> str | None:
    """The zoo entry that a need names for this preset, for its default component alone."""
    if role.need is None or role.component.name != role.need.default:
        return None
    name = role.need.zoo.get(request.given.preset)
    return name if name in {entry.name for entry in registry.zoo_entries()} else None


def _from_weights(
    part: PartPlan, role: Role, wanted: str, request: TrainRequest, registry: Registry
) -> PartPlan:
    """Options of a component with weights are those it was trained with."""
    fetched = fetch(wanted, offline=request.offline or None, registry=registry)
    header = read_header(fetched.path)
    file_role = role.name if role.name in header.parts else header.leading_role
    saved = header.part(file_role)
    if saved.component != part.component:
        raise UsageError(
            f"--weights {role.name}={wanted} holds {saved.component}, but {part.component} is "
            f"asked for; name other weights or the other component"
        )
    _refuse_contradiction(saved, request.given.options(role.name), role.name, wanted)
    return replace_options(
        part,
        options=saved.config,
        source="weights",
        weights=wanted if fetched.pinned else str(fetched.path.resolve()),
        sha256=sha256_of(fetched.path),
        file_role=file_role,
    )


def _refuse_contradiction(
    saved: PartHeader, given: Mapping[str, Any], role: str, wanted: str
) -> None:
    for name, value in given.items():
        if saved.config.get(name) != value:
            raise ConfigError(
                f"{role}.{name} = {value!r}, but the weights {wanted} were trained with "
                f"{saved.config.get(name)!r}; leave it out, or start anew with "
                f"--weights {role}=train"
            )


def _reads_ecg(roles: list[Role]) -> bool:
    return any(role.component.spec.modality == "ecg" for role in roles)


def _with_transform(
    plan: Plan, request: TrainRequest, leading: Component, registry: Registry
) -> Plan:
    """The transform belongs to the weights: inherited if there are any, else to be fitted."""
    part = plan.parts["encoder"]
    data = stage_options(EcgTransformConfig, leading, "data", request.given)
    plan = replace_options(plan, data=data.model_dump()).inherit_transform(registry)
    if plan.transform is None:
        if part.source != "train":
            _check_fit(part, data)
        return plan
    for name, value in request.given.options("data").items():
        if plan.transform["config"].get(name) != value:
            raise ConfigError(
                f"data.{name} = {value!r}, but the weights {part.weights} were trained with "
                f"{plan.transform['config'].get(name)!r}; leave it out, or replace the "
                "preprocessing with --new-transform"
            )
    _check_aligner(plan, registry)
    return plan


def _check_aligner(plan: Plan, registry: Registry) -> None:
    """An aligner's weights are used with the preprocessing that they were trained behind."""
    part = plan.parts.get("aligner")
    if part is None or part.source != "weights" or plan.transform is None:
        return
    path = fetch(str(part.weights), offline=plan.offline or None, registry=registry).path
    check_transform(transform_of(read_header(path)), EcgTransform.from_state(plan.transform))


def _check_fit(part: PartPlan, data: EcgTransformConfig) -> None:
    """The encoder must take what the transform makes; only options that it declares are held."""
    for option, of_data in _LENGTHS.items():
        needed = getattr(data, of_data)
        if part.options.get(option, needed) != needed:
            raise ConfigError(
                f"encoder.{option} = {part.options[option]}, but data.{of_data} = {needed}; "
                "set both to the same"
            )
