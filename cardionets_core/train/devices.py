"""Where a stage runs: device, precision, threads and processes."""

from __future__ import annotations

import platform
import warnings
from importlib.metadata import version
from typing import Any, Literal

import torch
from lightning_fabric import Fabric

from cardionets_core.errors import ConfigError
from cardionets_core.train.config import TrainConfig

_FABRIC_PRECISION: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "32": "32-true",
    "bf16": "bf16-mixed",
    "16": "16-mixed",
}


def default_preset() -> str:
    """``recommended`` with a CUDA device, ``tiny`` without."""
    return "recommended" if torch.cuda.is_available() else "tiny"


def settle(train: TrainConfig) -> TrainConfig:
    """Replace what is automatic by what this machine has, so that a resume finds it said.

    Raises:
        ConfigError: If a device or precision is asked for that is not there.
    """
    cuda = torch.cuda.is_available()
    if train.accelerator == "cuda" and not cuda:
        raise ConfigError("train.accelerator = 'cuda', but no CUDA device is found; use 'cpu'")
    accelerator = "cuda" if cuda and train.accelerator != "cpu" else "cpu"
    if accelerator == "cuda" and train.devices > torch.cuda.device_count():
        raise ConfigError(
            f"train.devices = {train.devices}, but {torch.cuda.device_count()} CUDA devices "
            "are found"
        )
    return train.model_copy(
        update={
            "accelerator": accelerator,
            "precision": _precision(train, accelerator),
            "threads": train.threads or torch.get_num_threads(),
        }
    )


def _precision(train: TrainConfig, accelerator: str) -> str:
    """Mixed precision where the device has it: on a CPU and on older GPUs float32 serves."""
    has_bf16 = accelerator == "cuda" and torch.cuda.is_bf16_supported()
    if train.precision == "auto":
        return "bf16" if has_bf16 else "32"
    if accelerator == "cpu" and train.precision == "16":
        raise ConfigError("train.precision = '16' needs a CUDA device; use '32' or 'bf16'")
    if accelerator == "cuda" and train.precision == "bf16" and not has_bf16:
        raise ConfigError("train.precision = 'bf16', but this GPU has no bf16; use '16' or '32'")
    return train.precision


def make_fabric(train: TrainConfig) -> Fabric:
    """Start the processes of a settled stage; the others begin here too under torchrun."""
    if train.threads is not None:
        torch.set_num_threads(train.threads)
    many = train.devices > 1 or _launched_outside()
    fabric = Fabric(
        accelerator=train.accelerator,
        devices=train.devices,
        strategy="ddp" if many else "auto",
        precision=_FABRIC_PRECISION[train.precision],
    )
    with warnings.catch_warnings():
        # Lightning advises on cluster settings here; the choice was made above.
        warnings.simplefilter("ignore")
        fabric.launch()
    return fabric


def _launched_outside() -> bool:
    return torch.distributed.is_torchelastic_launched()


def describe_machine(train: TrainConfig) -> dict[str, Any]:
    """Device, precision, threads and versions, for run.json."""
    device = torch.cuda.get_device_name() if train.accelerator == "cuda" else "CPU"
    return {
        "device": device,
        "machine": f"{platform.system()} {platform.machine()}",
        "devices": train.devices,
        "precision": train.precision,
        "threads": train.threads,
        "compile": train.compile,
    }


def versions() -> dict[str, str]:
    """Versions that decide whether a resume can be bit for bit."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("cardionets", "torch", "numpy", "scipy", "timm")},
    }
