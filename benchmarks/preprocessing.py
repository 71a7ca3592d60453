"""How fast ECGs are read, prepared and cropped, as rates and as ratios to this machine's matmul.

Run with one thread, so that rates are per core::

    OMP_NUM_THREADS=1 python benchmarks/preprocessing.py

``CARDIONETS_SAMPLE_DATA`` names a folder whose ``ecg_wfdb`` holds WFDB records; without it the
signals are simulated noise and reading is left out.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cardionets_core.ecg.crops import random_crop_starts
from cardionets_core.ecg.resampling import canonicalise
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_wfdb.wfdb_reader import read

RECORDS = 256
BATCH = 64
MATMUL_SIZE = 1024
TRANSFORMS = {
    "100 Hz, 500 samples, filter-then-crop": EcgTransformConfig(
        sampling_rate_hz=100, crop_samples=500
    ),
    "250 Hz, 2250 samples, filter-then-crop": EcgTransformConfig(),
    "250 Hz, 2250 samples, crop-then-filter (released code)": EcgTransformConfig(
        resampling="fourier",
        assumed_source_rate_hz=500,
        filter_order="crop-then-filter",
        standardise="crop-zscore",
        eval_crop_rule="released-code",
    ),
}


def best_seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Shortest of a few runs: the others were disturbed."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def matmuls_per_second() -> float:
    """Plain float32 products of two 1024 x 1024 matrices a second."""
    left = np.random.default_rng(0).normal(size=(MATMUL_SIZE, MATMUL_SIZE)).astype(np.float32)
    return 1.0 / best_seconds(lambda: left @ left, repeats=10)


def sample_headers() -> list[Path]:
    root = os.environ.get("CARDIONETS_SAMPLE_DATA")
    return sorted((Path(root) / "ecg_wfdb").glob("*.hea")) if root else []


def canonical_signals(headers: list[Path]) -> NDArray[np.float32]:
    """(RECORDS, 12, 5000) in mV: the records at hand over and over, or noise."""
    if headers:
        signals = np.stack([canonicalise(read(header)).signal_mv for header in headers])
        return signals[np.arange(RECORDS) % len(signals)]
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.2, (RECORDS, 12, 5000)).astype(np.float32)


def report(name: str, per_second: float, unit: str, matmuls: float) -> None:
    print(f"  {name:<34}{per_second:>12,.0f} {unit}/s {per_second / matmuls:>10.2f} per matmul")


def train_on(fitted: EcgTransform, cached: NDArray[np.float32]) -> None:
    """Cut every record once, in random order, as an epoch of training does."""
    config = fitted.config
    order = np.random.default_rng(1).permutation(len(cached))
    for first in range(0, len(cached), BATCH):
        rows = order[first : first + BATCH]
        starts = random_crop_starts(
            rows, seed=0, epoch=1, length=config.prepared_samples, crop=config.crop_samples
        )
        fitted.train_crops(cached[rows], starts)


def measure(
    config: EcgTransformConfig, signals: NDArray[np.float32], folder: Path, matmuls: float
) -> None:
    """Print the first pass and the epochs that follow from the cache."""
    transform = EcgTransform(config)
    prepare_s = best_seconds(lambda: transform.prepare(signals))
    path = folder / "prepared.npy"
    np.save(path, transform.prepare(signals))
    cached: NDArray[np.float32] = np.load(path, mmap_mode="r")
    fitted = transform.fit([cached])
    epoch_s = best_seconds(lambda: train_on(fitted, cached))
    eval_s = best_seconds(lambda: fitted.eval_crops(np.asarray(cached[:BATCH])))
    report("prepare, first pass", RECORDS / prepare_s, "records", matmuls)
    report("epoch from the cache", RECORDS / epoch_s, "crops", matmuls)
    with_first_pass = 30 * RECORDS / (prepare_s + 30 * epoch_s)
    report("30 epochs with the first pass", with_first_pass, "crops", matmuls)
    eval_crops = BATCH * len(fitted.eval_starts)
    report("evaluation crops from the cache", eval_crops / eval_s, "crops", matmuls)


def main() -> None:
    matmuls = matmuls_per_second()
    gigaflops = 2e-9 * MATMUL_SIZE**3 * matmuls
    print(f"float32 matmul of {MATMUL_SIZE}: {matmuls:,.1f}/s ({gigaflops:,.0f} GFLOP/s)")
    headers = sample_headers()
    if headers:
        seconds = best_seconds(lambda: [read(header) for header in headers])
        print(f"reading ({len(headers)} WFDB records)")
        report("read, checked, in mV", len(headers) / seconds, "records", matmuls)
    signals = canonical_signals(headers)
    with tempfile.TemporaryDirectory() as folder:
        for name, config in TRANSFORMS.items():
            print(name)
            measure(config, signals, Path(folder), matmuls)


if __name__ == "__main__":
    main()
