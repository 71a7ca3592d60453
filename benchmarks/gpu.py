"""Correctness and speed on a CUDA device in one go of a few minutes; JSON and tables.

    python benchmarks/gpu.py --out gpu.json [--minutes 6]

From an unpacked source tree that is not installed, put the four source folders on the path:
``PYTHONPATH=.:plugins:cli:model_zoo``. ``--device cpu --quick`` shows within seconds that it works.
Exits with 1 if a result differs from float64 by more than its tolerance.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import gpu_correctness
import gpu_generation
import gpu_throughput
import torch
from gpu_bench import Bench, Row, Stage, describe, known_peak

# In the order in which they run; the products must come before what is compared with them.
STAGES: list[Stage] = [
    Stage("products", gpu_throughput.products),
    Stage("correctness", gpu_correctness.rows),
    Stage("feeding", gpu_throughput.feeding),
    Stage("throughput", gpu_throughput.throughput),
    Stage("generation correctness", gpu_generation.correctness),
    Stage("generation speed", gpu_generation.speed),
]


def cell(value: Any) -> str:
    """A value as the tables show it."""
    if value is None or value == "":
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def head(row: Row) -> str:
    """Heading of a table of such rows."""
    return f"| {' | '.join(row)} |\n|{'---|' * len(row)}"


def line(row: Row) -> str:
    """One row of a table."""
    return f"| {' | '.join(cell(value) for value in row.values())} |"


def run_stage(stage: Stage, bench: Bench) -> list[Row]:
    """Measure and print a stage's rows as they come."""
    print(f"\n### {stage.name}\n", flush=True)
    rows: list[Row] = []
    started = time.perf_counter()
    for row in stage.rows(bench):
        if not rows:
            print(head(row))
        print(line(row), flush=True)
        rows.append({"stage": stage.name, **row})
    seconds = time.perf_counter() - started
    late = "" if bench.time_left() else "; no time left for the rest, give more --minutes"
    print(f"\n{len(rows)} rows in {seconds:.0f} s{late}")
    return rows


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--minutes", type=float, default=6.0, help="begin no row after these")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument(
        "--quick", action="store_true", help="smallest sizes; they are all that a CPU gets"
    )
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device is found; --device cpu --quick shows that the program works")
    return given


def main() -> int:
    given = arguments()
    device = torch.device(given.device)
    about = describe(device)
    peak = known_peak(about["device"])
    bench = Bench(device, given.quick, time.monotonic() + 60 * given.minutes)
    bench.peak_flops_per_s = 1e12 * (peak or 0.0)
    print("\n".join(f"{name}: {value}" for name, value in about.items()))
    rows = [row for stage in STAGES for row in run_stage(stage, bench)]
    about["bf16_peak_tflops"] = bench.peak_flops_per_s / 1e12
    about["bf16_peak_source"] = "data sheet" if peak else "measured product"
    print(f"\nbf16 peak {about['bf16_peak_tflops']:.4g} TFLOP/s ({about['bf16_peak_source']})")
    result = {"machine": about, "rows": rows}
    given.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    failed = [row for row in rows if row.get("passed") is False]
    for row in failed:
        print(f"FAILED: {row}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
