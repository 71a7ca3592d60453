"""Where a stage runs: device, precision, threads and processes."""

from __future__ import annotations

import logging
import os
import platform
import warnings
from datetime import timedelta
from importlib.metadata import version
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

from cardionets_core.errors import ConfigError
from cardionets_core.train.config import TrainConfig
from cardionets_core.train.processes import fail_together

_FABRIC_PRECISION: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "32": "32-true",
    "bf16": "bf16-mixed",
    "16": "16-mixed",
}
_LONGEST_WAIT = timedelta(days=7)


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
    """Start the processes of a settled stage; those that torchrun or SLURM started join here."""
    if train.accelerator == "cuda":
        _be_deterministic()
    # It announces every process; what runs where is said by the first one.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    devices, nodes = _layout(train)
    # The others may wait long for the first one to prepare a cohort.
    strategy = DDPStrategy(timeout=_LONGEST_WAIT) if devices * nodes > 1 else "auto"
    fabric = Fabric(
        accelerator=train.accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy=strategy,
        precision=_FABRIC_PRECISION[train.precision],
    )
    with warnings.catch_warnings():
        # Lightning advises on cluster settings here; the choice was made above.
        warnings.simplefilter("ignore")
        fabric.launch()
    if train.threads is not None:
        torch.set_num_threads(train.threads)
    return fabric


def _be_deterministic() -> None:
    """Have CUDA give the same bits each time, which a resume relies on."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)


def _layout(train: TrainConfig) -> tuple[int, int]:
    """Processes per machine, and machines: as launched from outside, else as the options say."""
    if torch.distributed.is_available() and torch.distributed.is_torchelastic_launched():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        return devices, int(os.environ["WORLD_SIZE"]) // devices
    if SLURMEnvironment.detect() and int(os.environ["SLURM_NTASKS"]) > 1:
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return int(os.environ["SLURM_NTASKS"]) // nodes, nodes
    return train.devices, 1


def check_batch_size(train: TrainConfig, fabric: Fabric) -> None:
    """Refuse a batch that the processes cannot share.

    Raises:
        ConfigError: If there is one process too many, or the shares would differ.
    """
    processes = fabric.world_size
    # Below two samples a process, a validation batch could leave one without any.
    if processes > 1 and (train.batch_size % processes or train.batch_size < 2 * processes):
        error = ConfigError(
            f"train.batch_size = {train.batch_size} cannot be shared by {processes} processes; use "
            f"a multiple of {processes}, {2 * processes} or more"
        )
        fail_together(fabric, error)


def describe_machine(train: TrainConfig, processes: int) -> dict[str, Any]:
    """Device, processes, precision and threads, for run.json; a resume compares them."""
    device = torch.cuda.get_device_name() if train.accelerator == "cuda" else "CPU"
    return {
        "device": device,
        "machine": f"{platform.system()} {platform.machine()}",
        "processes": processes,
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
