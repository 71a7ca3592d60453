"""Which components a stage consists of, and what of a request it would not read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cardionets_core.errors import UsageError
from cardionets_core.options import component_options
from cardionets_core.registry import Component, Registry
from cardionets_core.spec import Need, VariantSpec
from cardionets_core.train.request import TrainRequest
from cardionets_core.weights.fetch import fetch
from cardionets_core.weights.header import read_header


@dataclass(frozen=True, slots=True)
class Role:
    """One component of a stage, and the need that asks for it, if one does."""

    name: str
    component: Component
    need: Need | None
    frozen: bool = False


def with_numbers(leading: Component, registry: Registry) -> Component:
    """The component whose presets serve: a head that brings none is trained as the default one.

    So is one whose presets hold options of its own alone.
    """
    if leading.spec.kind != "head":
        return leading
    own = any("train" in leading.preset(name) for name in leading.preset_names())
    return leading if own else registry.default("head")


def refuse_unread(request: TrainRequest, leading: Component) -> None:
    """Refuse what this stage would not read, and a head without a task."""
    if leading.spec.kind != "head":
        given = {
            "--task": request.task,
            "--labels": request.labels,
            "--target": request.target,
            "--variant": request.variant,
        }
        unread = [flag for flag, value in given.items() if value is not None]
        if unread:
            raise UsageError(
                f"{', '.join(unread)}: only a head is trained for a task; add --head linear, or "
                "drop it"
            )
    elif request.task is None:
        raise UsageError("--head needs to know what to predict: add --task, e.g. --task cm")
    if request.shuffle_pairs and leading.spec.kind != "aligner":
        raise UsageError("--shuffle-pairs is a control of an alignment; add --aligner, or drop it")


def variant_name(request: TrainRequest) -> str:
    """Name of the variant in tables; weights without one are the user's own."""
    return request.variant or "custom"


def head_roles(request: TrainRequest, registry: Registry, leading: Component) -> list[Role]:
    """The encoder, as the variant says, and the head."""
    unread = set(request.components) - {"encoder", "head"}
    if unread:
        raise UsageError(f"--{min(unread).replace('_', '-')} is not used by a head; drop it")
    component = _encoder(request.components.get("encoder"), registry)
    zoo: dict[str, str] = {}
    if request.variant is None:
        if "encoder" not in request.weights:
            names = ", ".join(v.name for v in registry.variants())
            raise UsageError(
                f"where does the encoder start from? Add --variant ({names}), or --weights "
                "encoder=RUN"
            )
    else:
        spec = registry.variant(request.variant).spec
        component = component if spec.encoder is None else registry.find("encoder", spec.encoder)
        _refuse_unfit(spec, component, request)
        zoo = _zoo_of(spec, component, request, registry)
        _refuse_start(spec, zoo, request)
    need = Need(role="encoder", kind="encoder", default=component.name, zoo=zoo)
    return [Role("encoder", component, need), Role("head", leading, None)]


def _refuse_unfit(spec: VariantSpec, component: Component, request: TrainRequest) -> None:
    """Refuse a variant that the task, or the encoder, makes nonsense of."""
    asked = {name.strip().rpartition(":")[2] for name in str(request.task).split(",")}
    if senseless := sorted(asked & set(spec.not_for)):
        raise UsageError(
            f"variant {spec.name!r} makes no sense for task {senseless[0]!r}: {spec.summary}; "
            "name another variant or task"
        )
    if component.spec.modality not in (None, spec.modality):
        raise UsageError(
            f"variant {spec.name!r} is one of an encoder that reads {spec.modality}, and "
            f"{component.name!r} reads {component.spec.modality}; name another encoder, or drop "
            "--variant and say with --weights encoder=RUN where it starts from"
        )


def _refuse_start(spec: VariantSpec, zoo: Mapping[str, str], request: TrainRequest) -> None:
    """Refuse weights that would make the variant's name in tables a lie."""
    given = request.weights.get("encoder")
    at_random = not spec.stages and not spec.zoo
    if at_random and given not in (None, "random"):
        raise UsageError(
            f"variant {spec.name!r} starts from random weights, and {given} was named; drop "
            "either, or name the variant that these weights are of"
        )
    if not at_random and given == "random":
        raise UsageError(
            f"variant {spec.name!r} does not start from random weights; drop --weights "
            "encoder=random, or name the variant scratch"
        )
    if not spec.stages and given is None and not at_random and request.given.preset not in zoo:
        raise UsageError(
            f"variant {spec.name!r} has no weights of this encoder for preset "
            f"{request.given.preset}, and no stages that make them; name some with --variant "
            f"{spec.name}=RUN"
        )


def _zoo_of(
    spec: VariantSpec, component: Component, request: TrainRequest, registry: Registry
) -> dict[str, str]:
    """The zoo entry of this preset that holds a variant's encoder, if it is one of this kind."""
    preset = request.given.preset
    name = spec.zoo.get(preset)
    entries = {entry.name for entry in registry.zoo_entries()}
    if name is None or name not in entries or "encoder" in request.weights:
        return {}
    header = read_header(fetch(name, offline=request.offline or None, registry=registry).path)
    fits = header.part(header.leading_role).component == component.qualified_name
    return {preset: name} if fits else {}


def _encoder(name: str | None, registry: Registry) -> Component:
    return registry.default("ecg_encoder") if name is None else registry.find("encoder", name)


def stage_roles(request: TrainRequest, registry: Registry, leading: Component) -> list[Role]:
    """The leading component's needs and itself; what is not trained is frozen."""
    roles = []
    needs = _active_needs(request, registry, leading)
    for need in needs:
        named = request.components.get(need.role)
        component = registry.find(need.kind, named or need.default)
        _refuse_modality(need, component, registry.find(need.kind, need.default), leading)
        trained = leading.spec.kind == "aligner" and need.role == "encoder"
        roles.append(Role(need.role, component, need, frozen=not trained))
    unread = set(request.components) - {need.role for need in needs}
    if unread - {leading.spec.kind}:
        flags = ", ".join(f"--{r.replace('_', '-')}" for r in sorted(unread - {leading.spec.kind}))
        raise UsageError(f"{flags} is not used by {leading.spec.kind} {leading.name!r}; drop it")
    return [*roles, Role(leading.spec.kind, leading, None)]


def _active_needs(
    request: TrainRequest, registry: Registry, leading: Component
) -> tuple[Need, ...]:
    """The needs that the leading component's options make needs."""
    if all(need.only_if is None for need in leading.spec.needs):
        return leading.spec.needs
    options = component_options(leading, leading.spec.kind, request.given).model_dump(mode="json")
    wanted = request.weights.get(leading.spec.kind, "random")
    if wanted not in ("random", "train"):
        header = read_header(fetch(wanted, offline=request.offline or None, registry=registry).path)
        options |= header.part(leading.spec.kind).config
    return tuple(
        need
        for need in leading.spec.needs
        if need.only_if is None or options.get(need.only_if[0]) == need.only_if[1]
    )


def _refuse_modality(
    need: Need, component: Component, default: Component, leading: Component
) -> None:
    """An encoder of the wrong kind of data would fail deep inside, or learn nonsense."""
    found, needed = component.spec.modality, default.spec.modality
    if found != needed:
        said = "does not say what it reads" if found is None else f"reads {found}"
        raise UsageError(
            f"encoder {component.name!r} {said}, but the role "
            f"{need.role} of {leading.spec.kind} {leading.name!r} needs one that reads {needed}, "
            f"such as {default.name!r}"
        )


def refuse_unknown_roles(request: TrainRequest, roles: list[Role]) -> None:
    """Refuse weights for a role that the stage does not have.

    Raises:
        UsageError: If there is one.
    """
    known = [role.name for role in roles]
    for name in request.weights:
        if name not in known:
            raise UsageError(f"--weights {name}=...: this stage's roles are {', '.join(known)}")
