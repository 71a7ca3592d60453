"""How fast the encoders are on this CPU, as ratios to a plain matrix product in the same run.

    python benchmarks/models.py [--quick] [--json OUT]

takes a few minutes on two cores. On a machine with other work, one thread and its CPU time
disturb less: ``--threads 1 --clock cpu``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from measuring import Product, Stopwatch, Timing, machine, timed_beside
from workloads import (
    BF16,
    BF16_WEIGHTS,
    FLOAT32,
    TASKS,
    EncoderName,
    Task,
    Workload,
    counted_flops,
    flops_per_sample,
    make_workload,
)

PRODUCT_SIZE = 1024
# Samples of a batch: ECG training at base keeps some 300 MB of activations a sample in float32.
BATCHES: dict[tuple[EncoderName, str], int] = {
    ("stmem", "tiny"): 64,
    ("stmem", "base"): 4,
    ("vit-cmr", "tiny"): 64,
    ("vit-cmr", "base"): 16,
}
# Rates of a public ST-MEM at base in float32 over that of a float32 product of the same machine,
# two idle cores at 173 GFLOP/s: 0.55 s a sample, 1.46 s, and 0.49 s, the last for the 63.9 GFLOP of
# a masked pass.
PUBLIC_RATIO: dict[Task, float] = {
    "inference": 0.74,
    "training": 0.84,
    "masked pre-training": 0.754,
}
# How much faster the same model was under bf16 autocast; in training from 4 to 6 times.
PUBLIC_BF16_GAIN: dict[Task, float] = {"inference": 3.5, "training": 5.0}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        encoder: Name and size.
        task: What one pass does.
        precision: Name of the precision.
        batch: Samples a pass.
        gflop_per_sample: By formula.
        seconds_per_sample: Median.
        samples_per_s: The inverse.
        gflops: Achieved, GFLOP/s.
        product_gflops: Rate of the product of the same type beside it.
        of_product: Ratio of the two, the median of ratios.
        of_float32_product: Ratio to the float32 product.
        faster_than_float32: Ratio to the same task in float32.
        ahead_of_public: Against the public float32 model, both as ratios to the float32 product.
        ahead_of_public_bf16: Against the public model under bf16 autocast.
    """

    encoder: str
    task: Task
    precision: str
    batch: int
    gflop_per_sample: float
    seconds_per_sample: float
    samples_per_s: float
    gflops: float
    product_gflops: float
    of_product: float
    of_float32_product: float
    faster_than_float32: float
    ahead_of_public: float | None
    ahead_of_public_bf16: float | None


class Bench:
    """Measures every encoder, task and precision on the CPU.

    Args:
        watch: What times.
        rounds: Rounds of each measurement.
        quick: Tiny encoders and small batches alone.
    """

    def __init__(self, watch: Stopwatch, rounds: int, *, quick: bool) -> None:
        self.watch, self.rounds, self.quick = watch, rounds, quick
        self.products = {
            dtype: Product(dtype, watch, PRODUCT_SIZE) for dtype in (torch.float32, torch.bfloat16)
        }

    def rows(self) -> Iterator[Row]:
        """Rows in the order of the table."""
        for (name, size), batch in BATCHES.items():
            if self.quick and size != "tiny":
                continue
            for task in TASKS:
                # Alignment trains the ECG encoder; the CMR encoder's features are cached.
                if task != "alignment step" or name == "stmem":
                    yield from self._task(name, size, task, min(batch, 8) if self.quick else batch)

    def _task(self, name: EncoderName, size: str, task: Task, batch: int) -> Iterator[Row]:
        float32_s: float | None = None
        weights = (BF16_WEIGHTS,) if task == "inference" else ()
        for precision in (FLOAT32, BF16, *weights):
            load = make_workload(
                name, size, task, batch=batch, precision=precision, device=self.watch.device
            )
            beside = (self.products[torch.float32], self.products[precision.product])
            timing = timed_beside(load.work, load.flops, beside, self.watch, self.rounds)
            float32_s = float32_s or timing.seconds
            public = PUBLIC_RATIO.get(task) if (name, size) == ("stmem", "base") else None
            yield Row(
                encoder=f"{name} {size}",
                task=task,
                precision=precision.name,
                faster_than_float32=float32_s / timing.seconds,
                **_rates(load, timing),
                **_against_public(timing, task, public, in_bf16=precision is not FLOAT32),
            )


def _rates(load: Workload, timing: Timing) -> dict[str, Any]:
    return {
        "batch": load.samples,
        "gflop_per_sample": load.flops / load.samples / 1e9,
        "seconds_per_sample": timing.seconds / load.samples,
        "samples_per_s": load.samples / timing.seconds,
        "gflops": load.flops / timing.seconds / 1e9,
        "product_gflops": timing.product_flops_per_s[1] / 1e9,
        "of_product": timing.ratios[1],
        "of_float32_product": timing.ratios[0],
    }


def _against_public(
    timing: Timing, task: Task, public: float | None, *, in_bf16: bool
) -> dict[str, Any]:
    gain = PUBLIC_BF16_GAIN.get(task) if in_bf16 else None
    ahead = timing.ratios[0] / public if public else None
    return {
        "ahead_of_public": ahead,
        "ahead_of_public_bf16": ahead / gain if ahead and gain else None,
    }


def check_formulas() -> None:
    """Stop if a formula of ``flops`` and torch's counter disagree."""
    for name, size in BATCHES:
        for task in TASKS:
            if task == "alignment step" and (name, size) != ("stmem", "tiny"):
                continue
            formula, counted = (f(name, size, task, 2) for f in (flops_per_sample, counted_flops))
            if abs(formula / counted - 1) > 1e-9:
                raise SystemExit(f"{name} {size} {task}: {formula} by formula, {counted} counted")


HEAD = (
    "| encoder | task | precision | GFLOP | ms a sample | samples/s | GFLOP/s "
    "| of the same product | of the float32 product "
    "| times float32 | times public float32 | times public bf16 |"
)


def line(row: Row) -> str:
    """One row of the printed table."""

    def times(value: float | None) -> str:
        return f"{value:.2f}" if value else "-"

    return (
        f"| {row.encoder} | {row.task} | {row.precision} | {row.gflop_per_sample:.3g} "
        f"| {1e3 * row.seconds_per_sample:.3g} | {row.samples_per_s:.4g} | {row.gflops:.3g} "
        f"| {row.of_product:.2f} | {row.of_float32_product:.2f} | {row.faster_than_float32:.2f} "
        f"| {times(row.ahead_of_public)} | {times(row.ahead_of_public_bf16)} |"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny encoders, one round")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the rows here, too")
    parser.add_argument("--threads", type=int, help="CPU threads; torch's choice if not given")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="what is counted")
    given = parser.parse_args()
    if given.clock == "cpu" and given.threads != 1:
        parser.error("--clock cpu adds up all threads; give --threads 1 with it")
    return given


def main() -> None:
    given = arguments()
    if given.threads:
        torch.set_num_threads(given.threads)
    check_formulas()
    about = machine()
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print(f"clock: {given.clock}; FLOP formulas agree with torch's counter\n")
    watch = Stopwatch(torch.device("cpu"), cpu_time=given.clock == "cpu")
    bench = Bench(watch, 1 if given.quick else 3, quick=given.quick)
    for dtype, product in bench.products.items():
        print(f"{dtype} product of {PRODUCT_SIZE}: {product.flops_per_s() / 1e9:.0f} GFLOP/s")
    print(f"\n{HEAD}\n|{'---|' * HEAD.count(' | ')}---|")
    rows = []
    for row in bench.rows():
        rows.append(row)
        print(line(row), flush=True)
    load = machine()["load_average"]
    print(f"\nload average at the end: {load} (other work on the machine disturbs)")
    if given.json:
        result = {"machine": about, "clock": given.clock, "load_average_at_end": load,
                  "rows": [asdict(row) for row in rows]}  # fmt: skip
        given.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
