"""Read tensors from a checkpoint that somebody else wrote, without running anything in it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from cardionets_core.errors import WeightsError
from cardionets_core.weights.header import safetensors_errors

_TORCH_SUFFIXES = {".pt", ".pth"}


def load_untrusted(path: Path) -> dict[str, Tensor]:
    """Tensors of a ``.safetensors``, ``.pth`` or ``.pt`` file, by name.

    A training checkpoint that keeps them under ``model`` is opened; whatever else it holds is left.

    Args:
        path: The file.

    Returns:
        Name to tensor, on the CPU.

    Raises:
        WeightsError: If the file is missing, broken, of another kind, or holds objects that only
            unpickling could make, which could run any code.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; give the checkpoint as it was downloaded")
    if path.suffix == ".safetensors":
        with safetensors_errors(path):
            return load_file(path)
    if path.suffix not in _TORCH_SUFFIXES:
        raise WeightsError(
            f"{path}: a file ending in {path.suffix or 'nothing'!r} found, but .safetensors, .pth "
            "or .pt is needed; give the checkpoint as it was downloaded"
        )
    return _tensors_in(_load_restricted(path), path)


def _load_restricted(path: Path) -> Any:
    """Open a torch file with the loader that knows tensors and plain values only."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: not read, because it is broken or holds more than tensors and plain values, "
            "and opening those could run any code; ask its author for safetensors"
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path}: cut short, or not a torch file ({type(error).__name__}); fetch it anew"
        ) from error


def _tensors_in(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dict of a loaded file, be it bare or under ``model``."""
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(
            f"{path}: holds {type(content).__name__}, but tensors by name are needed, bare or "
            "under 'model'"
        )
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsError(
                f"{path}: {name!r} is {type(value).__name__}, but tensors by name are needed, bare "
                "or under 'model'"
            )
    return dict(content)
