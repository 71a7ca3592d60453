"""How fast products, encoders and alignment are, and what reading prepared ECGs takes from that."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gpu_bench import Bench, Row
from measuring import Product, timed_beside
from numpy.typing import NDArray
from torch import Tensor
from workloads import (
    BF16,
    BF16_WEIGHTS,
    FLOAT32,
    TF32,
    EncoderName,
    Precision,
    Task,
    Workload,
    build_encoder,
    make_workload,
    stmem_config,
)

from cardionets_core.ecg.crops import random_crop_starts
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.train.order import epoch_order, prefetched, train_batches

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """One pass to be timed.

    Attributes:
        encoder: Encoder; under ``alignment step``, that of the ECG.
        size: Its size.
        task: What one pass does.
        batch: Samples a pass.
    """

    encoder: EncoderName
    size: str
    task: Task
    batch: int


FULL = (
    *(
        Case("stmem", size, task, batch)
        for size, batch in (("tiny", 1024), ("small", 256), ("base", 128))
        for task in ("inference", "training", "masked pre-training")
    ),
    *(Case("vit-cmr", "base", task, 256) for task in ("inference", "masked pre-training")),
    Case("stmem", "small", "alignment step", 256),
    Case("stmem", "small", "alignment step", 1024),
    Case("stmem", "base", "alignment step", 256),
    Case("stmem", "base", "alignment step", 1024),
)
# Compiling takes longer than measuring, so only what a long run consists of is compiled.
COMPILED = (
    Case("stmem", "base", "training", 128),
    Case("stmem", "base", "masked pre-training", 128),
    Case("stmem", "base", "alignment step", 256),
    Case("stmem", "base", "inference", 128),
    Case("vit-cmr", "base", "masked pre-training", 256),
)
SMALL = (
    Case("stmem", "tiny", "inference", 8),
    Case("stmem", "tiny", "training", 8),
    Case("stmem", "tiny", "masked pre-training", 8),
    Case("vit-cmr", "tiny", "masked pre-training", 8),
    Case("stmem", "tiny", "alignment step", 16),
)


def products(bench: Bench) -> Iterator[Row]:
    """Plain products in every precision; the bf16 one is the peak of an unknown device."""
    sizes = {FLOAT32: 4096, TF32: 8192, BF16: 8192} if bench.cuda else {FLOAT32: 512, BF16: 512}
    for precision, size in sizes.items():
        precision.set_tf32()
        product = Product(precision.product, bench.watch, size)
        rate = max(product.flops_per_s() for _ in range(ROUNDS))
        bench.products[precision.name] = product
        if precision is BF16:
            bench.peak_flops_per_s = bench.peak_flops_per_s or rate
        yield {
            "precision": precision.name,
            "size": size,
            "tflops": rate / 1e12,
            "of_bf16_peak": rate / bench.peak_flops_per_s if bench.peak_flops_per_s else None,
        }


def throughput(bench: Bench) -> Iterator[Row]:
    """Every pass as it is, in every precision; then the longest compiled, in bf16."""
    full = bench.cuda and not bench.quick
    for case in FULL if full else SMALL:
        for precision in _precisions(bench, case.task):
            if bench.time_left():
                yield _timed(bench, case, precision, compiled=False)
    for case in COMPILED if full else ():
        if bench.time_left():
            yield _timed(bench, case, BF16, compiled=True)


def _precisions(bench: Bench, task: Task) -> tuple[Precision, ...]:
    plain = (FLOAT32, TF32, BF16) if bench.cuda else (FLOAT32, BF16)
    return (*plain, BF16_WEIGHTS) if task == "inference" else plain


def _timed(bench: Bench, case: Case, precision: Precision, *, compiled: bool) -> Row:
    bench.forget()
    row: Row = {
        "encoder": f"{case.encoder} {case.size}",
        "task": case.task,
        "batch": case.batch,
        "precision": precision.name,
        "compiled": compiled,
        "samples_per_s": None,
        "tflops": None,
        "mfu": None,
        "of_product": None,
        "peak_memory_gib": None,
        "problem": "",
    }

    def make() -> Workload:
        return make_workload(
            case.encoder,
            case.size,
            case.task,
            batch=case.batch,
            precision=precision,
            device=bench.device,
            compiled=compiled,
        )

    return row | measured(bench, BF16 if precision is BF16_WEIGHTS else precision, make)


def measured(bench: Bench, precision: Precision, make: Callable[[], Workload]) -> Row:
    """Build a pass and time it beside the product of a precision; what went wrong, if it did."""
    row: Row = {}
    try:
        load = make()
        load.work()
        product = bench.products[precision.name]
        timing = timed_beside(load.work, load.flops, (product,), bench.watch, ROUNDS)
        rate = load.flops / timing.seconds
        row = {
            "samples_per_s": load.samples / timing.seconds,
            "tflops": rate / 1e12,
            "mfu": rate / bench.peak_flops_per_s,
            "of_product": timing.ratios[0],
        }
    except torch.OutOfMemoryError:
        row["problem"] = "out of memory"
    except RuntimeError as error:  # a compiler's failure must not take the other rows down
        row["problem"] = str(error).strip().splitlines()[0][:200]
    return row | {"peak_memory_gib": bench.peak_memory_gib()}


def feeding(bench: Bench) -> Iterator[Row]:
    """Training in bf16 from prepared ECGs on disk, as ``train`` reads them, and from memory."""
    full = bench.cuda and not bench.quick
    sizes = {"tiny": 1024, "small": 256, "base": 128} if full else {"tiny": 8}
    for size, batch in sizes.items():
        if bench.time_left():
            bench.forget()
            yield _fed(bench, size, batch, records=4096 if full else 32)


def _fed(bench: Bench, size: str, batch: int, records: int) -> Row:
    config = stmem_config(size)
    step = _training_step(bench, size)
    x = torch.randn(batch, 12, config.num_samples, device=bench.device)
    step(x)
    synthetic_s = bench.watch.seconds(lambda: step(x), times=max(1, records // batch)) / batch
    with tempfile.TemporaryDirectory() as folder:
        crops = _PreparedCrops(
            Path(folder) / "prepared.npy", records, config.sampling_rate_hz, config.num_samples
        )
        read_s = crops.epoch(batch, lambda _: None) / records
        fed_s = crops.epoch(batch, lambda crop: step(crop.to(bench.device, non_blocking=True)))
    return {
        "encoder": f"stmem {size}",
        "batch": batch,
        "synthetic_per_s": 1 / synthetic_s,
        "read_per_s": 1 / read_s,
        "fed_per_s": records / fed_s,
        "fed_of_synthetic": records / fed_s * synthetic_s,
        "peak_memory_gib": bench.peak_memory_gib(),
    }


def _training_step(bench: Bench, size: str) -> Callable[[Tensor], None]:
    BF16.set_tf32()
    encoder = build_encoder(stmem_config(size)).to(bench.device)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1e-6)

    def step(x: Tensor) -> None:
        with BF16.context(bench.device):
            pooled = encoder(x).pooled
        # As in training, the loss of each step is read back for the log.
        loss = pooled.float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    return step


class _PreparedCrops:
    """Noise in the form of prepared ECGs, memory-mapped and cropped at random in a thread."""

    def __init__(self, path: Path, records: int, sampling_rate_hz: int, crop_samples: int) -> None:
        transform = EcgTransform(
            EcgTransformConfig(sampling_rate_hz=sampling_rate_hz, crop_samples=crop_samples)
        )
        shape = (records, 12, transform.config.prepared_samples)
        np.save(path, np.random.default_rng(0).standard_normal(shape, dtype=np.float32))
        self._prepared: NDArray[np.float32] = np.load(path, mmap_mode="r")
        self._transform = transform.fit([self._prepared[:256]])

    def epoch(self, batch: int, use: Callable[[Tensor], None]) -> float:
        """Seconds of one epoch in which ``use`` gets every batch (B, 12, crop)."""
        order = epoch_order(np.arange(len(self._prepared)), seed=0, epoch=0)
        batches = train_batches(order, batch, world_size=1, whole_only=False)
        started = time.perf_counter()
        for crops in prefetched(self._crops, batches):
            use(crops)
        return time.perf_counter() - started

    def _crops(self, rows: NDArray[np.int64]) -> Tensor:
        config = self._transform.config
        starts = random_crop_starts(
            rows, seed=0, epoch=0, length=config.prepared_samples, crop=config.crop_samples
        )
        return torch.from_numpy(self._transform.train_crops(self._prepared[rows], starts))
