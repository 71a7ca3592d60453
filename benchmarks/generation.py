"""How fast cines are drawn, stage by stage, beside a plain matrix product of the same run.

    python benchmarks/generation.py [--quick] [--batch 8] [--json OUT]
    python benchmarks/generation.py --weights DIFFUSION_RUN FLOW_RUN --cohort COHORT

At the paper's size with random weights, which takes as long as with trained ones. ``naive`` rows
draw one cine at a time in float32 and share nothing (``naive_generation.py``). ``times public``
compares with a public implementation of the 100-step sampler as ratios to the float32 product: 26 s
a cine without and 35 s with guidance, beside a product of 138 GFLOP/s. Decoding a latent is no part
of these rows and has one of its own. With ``--weights`` the trained generators are compared too.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import generation_quality
import torch
from generation_flops import StageFlops, generation
from generation_models import build_mar, build_vae, mar_options, vae_flops
from generation_stages import STAGES, Stages, staged_latents
from measuring import Product, Stopwatch, Work, machine
from naive_generation import naive_latent
from torch import Tensor
from workloads import BF16, FLOAT32

from cardionets_mar3d.mar import Mar

PRODUCT_SIZE = 1024
PUBLIC_PRODUCT_FLOPS_PER_S = 138e9
# Seconds a cine by guidance on two idle cores; its condition fills 64 slots.
PUBLIC_S = {1.0: 26.0, 3.0: 35.0}
PUBLIC_SLOTS = 64


@dataclass(frozen=True, slots=True)
class Row:
    """One way to draw cines.

    Attributes:
        way: ``naive``, ``diffusion`` or ``flow``.
        slots: Tokens that hold the condition.
        guidance: Strength of the guidance; 1 is none.
        precision: What the matrix products compute in.
        batch: Cines at a time.
        tflop: Operations of a cine.
        seconds: Of a cine.
        stages: Of them by stage.
        product_gflops: Rate of the product of the same type around it.
        of_product: How near it comes to that rate.
        float32_gflops: Rate of the float32 product around it.
        times_public: Against the public implementation, both as ratios to the float32 product.
    """

    way: str
    slots: int
    guidance: float
    precision: str
    batch: int
    tflop: float
    seconds: float
    stages: dict[str, float]
    product_gflops: float
    of_product: float
    float32_gflops: float
    times_public: float | None


class Timed(NamedTuple):
    """Seconds of some work, and the rate of each product around it in operations a second."""

    seconds: float
    rates: dict[torch.dtype, float]


class Bench:
    """Times every way.

    Args:
        device: Where everything runs.
        size: Size of the generator.
        batch: Cines at a time, halved under guidance, which doubles the work.
        cpu_time: Count this process's CPU seconds instead of the wall's.
    """

    def __init__(self, device: torch.device, size: str, batch: int, *, cpu_time: bool) -> None:
        self.device, self.size, self.batch = device, size, batch
        self.watch = Stopwatch(device, cpu_time)
        self.products = {
            dtype: Product(dtype, self.watch, PRODUCT_SIZE)
            for dtype in (torch.float32, torch.bfloat16)
        }

    def rows(self, slots: tuple[int, ...], *, naive: bool) -> Iterator[Row]:
        """Rows in the order of the table."""
        for number in slots:
            for sampler in ("diffusion", "flow"):
                model = build_mar(self.size, sampler, number, self.device)
                for guidance in PUBLIC_S:
                    if naive and sampler == "diffusion" and number == slots[0]:
                        yield self._naive(model, guidance)
                    yield self._drawn(model, guidance)

    def _stages(self) -> Stages:
        return Stages(self.device, self.watch.cpu_time)

    def _naive(self, model: Mar, guidance: float) -> Row:
        condition, stages = self._condition(model, 1), self._stages()
        flops = generation(model.config, guided=guidance != 1.0, shared=False)
        timed = self._timed(lambda: naive_latent(model, condition, guidance, stages))
        return _row(
            "naive", model, guidance,
            dtype=torch.float32, flops=flops, stages=stages, timed=timed, batch=1,
        )  # fmt: skip

    def _drawn(self, model: Mar, guidance: float) -> Row:
        batch = self.batch if guidance == 1.0 else max(1, self.batch // 2)
        condition, stages = self._condition(model, batch), self._stages()
        # Once for memory and kernels.
        staged_latents(model, condition[:1], guidance, self._stages(), steps=2)
        flops = generation(model.config, guided=guidance != 1.0)
        timed = self._timed(lambda: staged_latents(model, condition, guidance, stages))
        return _row(
            model.config.sampler, model, guidance,
            dtype=torch.bfloat16, flops=flops, stages=stages, timed=timed, batch=batch,
        )  # fmt: skip

    def _condition(self, model: Mar, batch: int) -> Tensor:
        return torch.randn(batch, model.config.width, device=self.device)

    def _timed(self, work: Work) -> Timed:
        before = {dtype: product.flops_per_s() for dtype, product in self.products.items()}
        seconds = self.watch.seconds(work)
        rates = {
            dtype: (product.flops_per_s() + before[dtype]) / 2
            for dtype, product in self.products.items()
        }
        return Timed(seconds, rates)

    def decoding(self) -> Iterator[dict[str, Any]]:
        """Rows of the autoencoder: one latent to a cine."""
        vae = build_vae(self.size, self.device)
        latent = torch.randn(1, *vae.latent_shape, device=self.device)
        flops = vae_flops(self.size, "decoding")
        for precision in (BF16, FLOAT32):

            @torch.no_grad()
            def work(precision: Any = precision) -> None:
                with precision.context(self.device):
                    vae.decode(latent)

            timed = self._timed(work)
            rate = timed.rates[precision.product]
            yield {
                "precision": precision.name,
                "tflop": flops / 1e12,
                "seconds": timed.seconds,
                "product_gflops": rate / 1e9,
                "of_product": flops / timed.seconds / rate,
            }


def _row(
    way: str,
    model: Mar,
    guidance: float,
    *,
    dtype: torch.dtype,
    flops: StageFlops,
    stages: Stages,
    timed: Timed,
    batch: int,
) -> Row:
    seconds, config = timed.seconds / batch, model.config
    float32 = timed.rates[torch.float32]
    public = PUBLIC_S[guidance] * PUBLIC_PRODUCT_FLOPS_PER_S / (seconds * float32)
    return Row(
        way=way,
        slots=config.buffer_tokens,
        guidance=guidance,
        precision=str(dtype).removeprefix("torch."),
        batch=batch,
        tflop=flops.total / 1e12,
        seconds=seconds,
        stages={name: spent / batch for name, spent in stages.seconds.items()},
        product_gflops=timed.rates[dtype] / 1e9,
        of_product=flops.total / seconds / timed.rates[dtype],
        float32_gflops=float32 / 1e9,
        times_public=public if config.size == "base" else None,
    )


HEAD = (
    "| way | slots | guidance | precision | batch | TFLOP | s a cine | cines/s | "
    + " | ".join(f"{stage} s" for stage in STAGES)
    + " | product GFLOP/s | of product | times naive | times public |"
)


def line(row: Row, naive: Row | None) -> str:
    """One row of the table."""
    slower = naive.seconds * naive.float32_gflops / row.float32_gflops if naive else None
    cells = (
        row.way, row.slots, f"{row.guidance:g}", row.precision, row.batch, f"{row.tflop:.3g}",
        f"{row.seconds:.3g}", f"{1 / row.seconds:.3g}",
        *(f"{row.stages[stage]:.3g}" for stage in STAGES), f"{row.product_gflops:.0f}",
        f"{row.of_product:.2f}", f"{slower / row.seconds:.2f}" if slower else "-",
        f"{row.times_public:.2f}" if row.times_public else "-",
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def print_table(head: str, lines: Iterator[str]) -> None:
    """Print a table row by row."""
    print(f"\n{head}\n|{'---|' * (head.count('|') - 1)}")
    for text in lines:
        print(text, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the tiny generator alone")
    parser.add_argument("--batch", type=int, default=8, help="cines at a time, 8 if not given")
    parser.add_argument(
        "--slots", type=int, nargs="+", default=(PUBLIC_SLOTS, 1), help="condition tokens"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, help="CPU threads; torch's choice if not given")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="what is counted")
    parser.add_argument("--no-naive", action="store_true", help="leave the slow rows out")
    parser.add_argument("--no-decoding", action="store_true", help="leave the autoencoder out")
    parser.add_argument("--weights", nargs="+", default=(), metavar="RUN", help="trained ones")
    parser.add_argument("--cohort", type=Path, help="whose downstream ECGs they draw from")
    parser.add_argument("--subjects", type=int, default=200, help="how many of them")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the rows here, too")
    given = parser.parse_args()
    if given.clock == "cpu" and given.threads != 1:
        parser.error("--clock cpu adds up all threads; give --threads 1 with it")
    if given.weights and given.cohort is None:
        parser.error("--weights needs a --cohort to draw for")
    return given


def speed(given: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Measure and print rows of drawing and decoding."""
    size, cpu_time = "tiny" if given.quick else "base", given.clock == "cpu"
    bench = Bench(device, size, given.batch, cpu_time=cpu_time)
    slots = (mar_options("tiny")["buffer_tokens"],) if given.quick else tuple(given.slots)
    rows: list[Row] = []
    decoding: list[dict[str, Any]] = []

    def lines() -> Iterator[str]:
        for row in bench.rows(slots, naive=not given.no_naive and device.type == "cpu"):
            rows.append(row)
            naive = [one for one in rows if one.way == "naive" and one.slots == row.slots]
            yield line(row, next((one for one in naive if one.guidance == row.guidance), None))

    def decoded() -> Iterator[str]:
        for row in bench.decoding():
            decoding.append(row)
            yield "| " + " | ".join(f"{v:.3g}" if v != str(v) else v for v in row.values()) + " |"

    print_table(HEAD, lines())
    if not given.no_decoding:
        print_table("| decoding | TFLOP | s a cine | product GFLOP/s | of product |", decoded())
    return {"rows": [asdict(row) for row in rows], "decoding": decoding}


def main() -> None:
    given = arguments()
    torch.set_float32_matmul_precision("highest")
    if given.threads:
        torch.set_num_threads(given.threads)
    about = machine()
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    device = torch.device(given.device)
    started = time.perf_counter()
    result = {"machine": about, **speed(given, device)}
    if given.weights:
        found = list(generation_quality.rows(given.weights, given.cohort, given.subjects, device))
        print_table(generation_quality.HEAD, map(generation_quality.line, found))
        result["quality"] = found
    load = machine()["load_average"]
    print(f"\n{time.perf_counter() - started:.0f} s; load average at the end: {load}")
    if given.json:
        given.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
