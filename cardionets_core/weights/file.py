"""Write and read the tensors of a weights file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from cardionets_core.errors import WeightsError
from cardionets_core.weights.atomic import atomic_file
from cardionets_core.weights.header import (
    PartHeader,
    WeightsHeader,
    read_header,
    safetensors_errors,
)
from cardionets_core.weights.lineage import LineageStep

__all__ = [
    "LineageStep",
    "PartHeader",
    "WeightsHeader",
    "load_tensors",
    "read_header",
    "save_weights",
    "tensors_of",
]


def tensors_of(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """State of several modules as one table, ``role.name`` to tensor."""
    return {
        f"{role}.{name}": tensor
        for role, module in modules.items()
        for name, tensor in module.state_dict().items()
    }


def save_weights(path: Path, tensors: Mapping[str, Tensor], header: WeightsHeader) -> None:
    """Write a weights file: in full, or not at all. Equal contents give equal bytes.

    Args:
        path: Where to; an existing file is replaced.
        tensors: ``role.name`` to tensor, each role a part of the header.
        header: What they are.

    Raises:
        WeightsError: If a tensor belongs to no part or is not finite, or the disk is full.
    """
    for name, tensor in tensors.items():
        role = name.partition(".")[0]
        if role not in header.parts:
            raise WeightsError(f"tensor {name!r} belongs to none of {', '.join(header.parts)}")
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WeightsError(f"{path}: tensor {name!r} holds NaN or infinity and is not saved")
    # A clone each: tied weights share memory, which the format cannot express.
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with atomic_file(path) as file:
        file.write(save(own, metadata=header.to_metadata()))


def load_tensors(path: Path, role: str | None = None) -> dict[str, Tensor]:
    """Read tensors, all under their full names or those of one part under their own.

    Raises:
        WeightsError: If the file is not sound or holds no such part.
    """
    header = read_header(path)
    prefix = ""
    if role is not None:
        header.part(role)
        prefix = f"{role}."
    with safetensors_errors(path), safe_open(path, framework="pt") as file:
        return {
            name.removeprefix(prefix): file.get_tensor(name)
            for name in file.keys()  # noqa: SIM118 - not a mapping
            if name.startswith(prefix)
        }
