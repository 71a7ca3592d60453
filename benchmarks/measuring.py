"""Times of work as ratios to a plain matrix product that is timed right before and after it.

Other work on a machine slows both, so the ratio is what to compare between runs and machines.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

Work = Callable[[], object]
# Shorter blocks are lost in the cost of starting and waiting.
SHORTEST_BLOCK_S = 0.05


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Times work on a device, waiting for it to finish.

    Attributes:
        device: Where the work runs.
        cpu_time: Count this process's CPU seconds instead of the wall's; for one thread alone.
    """

    device: torch.device
    cpu_time: bool = False

    def seconds(self, work: Work, times: int = 1) -> float:
        """Seconds of one run of ``work``, the mean of several in a row."""
        clock = time.process_time if self.cpu_time else time.perf_counter
        self._wait()
        started = clock()
        for _ in range(times):
            work()
        self._wait()
        return (clock() - started) / times

    def times_per_block(self, work: Work) -> int:
        """How often ``work`` has to run to fill a block; it is warm afterwards."""
        work()
        return max(1, round(SHORTEST_BLOCK_S / max(self.seconds(work), 1e-6)))

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class Product:
    """A plain product of two square matrices: what this machine can do.

    Args:
        dtype: Type of both factors and of the result.
        watch: What times it.
        size: Rows and columns.
    """

    def __init__(self, dtype: torch.dtype, watch: Stopwatch, size: int) -> None:
        self._left, self._right = torch.randn(2, size, size, device=watch.device).to(dtype)
        self._watch, self._flops = watch, 2.0 * size**3
        self._times = watch.times_per_block(self._multiply)

    def flops_per_s(self) -> float:
        """Floating-point operations a second, timed now."""
        return self._flops / self._watch.seconds(self._multiply, self._times)

    def _multiply(self) -> object:
        return self._left @ self._right


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians over rounds.

    Attributes:
        seconds: One run of the work.
        product_flops_per_s: Rate of each product around it, in the order given.
        ratios: Rate of the work over that of each product.
    """

    seconds: float
    product_flops_per_s: tuple[float, ...]
    ratios: tuple[float, ...]


def timed_beside(
    work: Work, flops: float, products: tuple[Product, ...], watch: Stopwatch, rounds: int
) -> Timing:
    """Time ``work`` of ``flops`` operations between products, in rounds."""
    times = watch.times_per_block(work)
    before = [product.flops_per_s() for product in products]
    seconds, rates, ratios = [], [], []
    for _ in range(rounds):
        seconds.append(watch.seconds(work, times))
        after = [product.flops_per_s() for product in products]
        around = [(a + b) / 2 for a, b in zip(before, after, strict=True)]
        rates.append(around)
        ratios.append([flops / seconds[-1] / rate for rate in around])
        before = after
    return Timing(statistics.median(seconds), _medians(rates), _medians(ratios))


def _medians(rows: list[list[float]]) -> tuple[float, ...]:
    return tuple(statistics.median(column) for column in zip(*rows, strict=True))


def machine() -> dict[str, Any]:
    """What a reader needs to judge the numbers by."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "started": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
