"""Build components from weights files, with strict checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from cardionets_core.ecg.transform import EcgTransform, explain_mismatch
from cardionets_core.errors import TransformMismatchError, UnknownNameError, WeightsError
from cardionets_core.options import construct, make_options
from cardionets_core.registry import Registry, default_registry
from cardionets_core.weights.fetch import resolve
from cardionets_core.weights.file import load_tensors
from cardionets_core.weights.header import PartHeader, WeightsHeader, read_header

_SHOWN = 3


def load(
    name: str | Path,
    role: str | None = None,
    *,
    expect_transform_hash: str | None = None,
    offline: bool | None = None,
    registry: Registry | None = None,
) -> Any:
    """Build a component with trained weights.

    Args:
        name: A zoo id, ``hf://`` or ``https://`` url, ``package:PKG/PATH``, run folder or file.
        role: Which part, if not the leading one, e.g. ``"aligner"``.
        expect_transform_hash: Refuse weights whose preprocessing has another hash.
        offline: Refuse the network; None asks ``CARDIONETS_OFFLINE``.
        registry: Where names are looked up; None for the installed plugins.

    Returns:
        The module in evaluation mode, on the CPU, with ``transform`` (``EcgTransform`` or None)
        and ``header`` (``WeightsHeader``) as attributes.

    Raises:
        WeightsError: If the file is not sound, or does not fit the component.
        TransformMismatchError: If the preprocessing is not the one expected.
        UnknownNameError: If the name, or the component the weights are for, is not known.
    """
    path = resolve(name, offline=offline, registry=registry)
    header = read_header(path)
    if expect_transform_hash is not None and header.transform_hash != expect_transform_hash:
        raise TransformMismatchError(
            f"{name}: preprocessing {header.transform_hash} found, {expect_transform_hash} "
            "expected; name the weights that were used before, or leave the expected hash out"
        )
    role = role or header.leading_role
    module: Any = load_part(path, role, registry=registry)
    module.eval()
    _give_parts(module, path, header, role, registry or default_registry())
    module.transform = None if header.transform is None else transform_of(header)
    module.header = header
    return module


def _give_parts(
    module: Any, path: Path, header: WeightsHeader, role: str, registry: Registry
) -> None:
    """Give a generator the autoencoder that it draws with, from the same file."""
    part = header.part(role)
    if part.kind != "generator":
        return
    spec = registry.find(part.kind, part.component).spec
    for need in spec.needs:
        if need.kind == "autoencoder":
            module.use(**{need.role: load_part(path, need.role, registry=registry).eval()})


def load_part(path: Path, role: str, *, registry: Registry | None = None) -> nn.Module:
    """Build the component of one role from a local weights file; see ``load``.

    Returns:
        The module in training mode, as its constructor leaves it.
    """
    part = read_header(path).part(role)
    module = build_part(part, registry or default_registry())
    fill(module, load_tensors(path, role), f"{path}, part {role!r}")
    return module


def build_part(part: PartHeader, registry: Registry) -> nn.Module:
    """Build a part's component with random weights.

    Raises:
        UnknownNameError: If its plugin is not installed.
        ConfigError: If the installed version does not know its options.
    """
    try:
        component = registry.find(part.kind, part.component)
    except UnknownNameError as error:
        raise UnknownNameError(
            f"these weights need {part.kind} {part.component!r} of {part.distribution} "
            f"{part.version}; install that. {error}"
        ) from error
    config = make_options(component.load_config(), part.config, part.kind)
    module: nn.Module = construct(component, config, **part.arguments)
    return module


def fill(module: nn.Module, tensors: Mapping[str, Tensor], shown: str) -> None:
    """Load tensors into a module: every name and shape has to fit.

    Args:
        module: Receives them.
        tensors: Its state.
        shown: What to call the source in a message.

    Raises:
        WeightsError: Naming the first tensors that do not fit.
    """
    try:
        module.load_state_dict(dict(tensors), strict=True)
    except RuntimeError as error:
        raise WeightsError(
            f"{shown} does not fit {type(module).__name__}: {_misfit(module, tensors) or error}; "
            "the options differ from those it was trained with, or the component has changed"
        ) from error


def _misfit(module: nn.Module, tensors: Mapping[str, Tensor]) -> str:
    """The first differences between what a module needs and what there is, or nothing."""
    needed = module.state_dict()
    missing = [name for name in needed if name not in tensors]
    unexpected = [name for name in tensors if name not in needed]
    shapes = [
        f"{name} is {tuple(tensor.shape)}, needed {tuple(needed[name].shape)}"
        for name, tensor in tensors.items()
        if name in needed and tensor.shape != needed[name].shape
    ]
    kinds = {"missing": missing, "not known": unexpected, "of another shape": shapes}
    return "; ".join(
        f"{len(found)} {kind}: {', '.join(found[:_SHOWN])}{', ...' if len(found) > _SHOWN else ''}"
        for kind, found in kinds.items()
        if found
    )


def transform_of(header: WeightsHeader) -> EcgTransform:
    """The preprocessing that belongs to the weights.

    Raises:
        WeightsError: If they carry none.
    """
    if header.transform is None:
        raise WeightsError(
            "these weights carry no ECG transform; name weights of an ECG encoder, or pass "
            "--new-transform to fit one"
        )
    return EcgTransform.from_state(header.transform)


def check_transform(
    expected: EcgTransform, found: EcgTransform, *, new_transform: bool = False
) -> None:
    """Refuse to feed weights with a preprocessing that they were not trained with.

    Args:
        expected: The transform in the weights.
        found: The one about to be used.
        new_transform: The user's ``--new-transform``; the caller records it in the lineage.

    Raises:
        TransformMismatchError: If they differ, with the two side by side.
    """
    if new_transform or expected.hash == found.hash:
        return
    table = explain_mismatch(expected, found)
    raise TransformMismatchError(
        f"the weights were trained with preprocessing {expected.hash[:12]}, not {found.hash[:12]}; "
        "leave the differing options out to inherit theirs, or pass --new-transform to override. "
        f"Option, weights, here:\n{table}"
    )
