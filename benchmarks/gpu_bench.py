"""What the stages of ``gpu.py`` share: the device, its peak, the time left, and what a row is."""

from __future__ import annotations

import gc
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from measuring import Product, Stopwatch, machine

Row = dict[str, Any]

# Dense bf16 peaks in TFLOP/s by data sheet; every word must be in the device's name.
KNOWN_PEAKS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("B200",), 2250.0),
    (("H200",), 989.0),
    (("H100", "PCIe"), 756.0),
    (("H100", "NVL"), 835.0),
    (("H100",), 989.0),
    (("H800",), 989.0),
    (("A100",), 312.0),
    (("A800",), 312.0),
    (("L40S",), 362.0),
    (("A30",), 165.0),
    (("A10",), 125.0),
    (("L4",), 121.0),
    (("4090",), 165.0),
)


def known_peak(device_name: str) -> float | None:
    """Dense bf16 peak in TFLOP/s, or None for a device that is not in the table."""
    words = set(device_name.replace("-", " ").split())
    for needed, peak in KNOWN_PEAKS:
        if words.issuperset(needed):
            return peak
    return None


@dataclass(slots=True)
class Bench:
    """One run of the program.

    Attributes:
        device: Where everything runs.
        quick: Smallest sizes alone, to see that the program works.
        deadline: ``time.monotonic`` after which no row is begun.
        watch: Times work on the device.
        peak_flops_per_s: The bf16 peak, by the data sheet or measured.
        products: Plain products by name of precision, put here by the first stage.
    """

    device: torch.device
    quick: bool
    deadline: float
    watch: Stopwatch = field(init=False)
    peak_flops_per_s: float = 0.0
    products: dict[str, Product] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.watch = Stopwatch(self.device)

    @property
    def cuda(self) -> bool:
        """Whether this is a CUDA device."""
        return self.device.type == "cuda"

    def time_left(self) -> bool:
        """Whether another row may begin."""
        return time.monotonic() < self.deadline

    def forget(self) -> None:
        """Free what earlier rows held, and count memory and compiled code from nothing."""
        gc.collect()
        torch.compiler.reset()
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_memory_gib(self) -> float | None:
        """Most memory that tensors took since ``forget``; None on a CPU."""
        return torch.cuda.max_memory_allocated(self.device) / 2**30 if self.cuda else None


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the program; a later stage of training adds its own to ``gpu.STAGES``.

    Attributes:
        name: Heading of its table, and ``stage`` of its rows.
        rows: Yields rows as they are measured; all have the same keys. A row with ``passed`` False
            makes the program fail.
    """

    name: str
    rows: Callable[[Bench], Iterator[Row]]


def describe(device: torch.device) -> dict[str, Any]:
    """Device, driver and versions."""
    about = machine()
    about["node"] = platform.system()
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        about |= {
            "device": properties.name,
            "memory_gib": round(properties.total_memory / 2**30, 1),
            "multiprocessors": properties.multi_processor_count,
            "capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "driver": _driver(),
        }
    else:
        about["device"] = "CPU"
    return about


def _driver() -> str | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - a fixed command
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout else None
