"""How fast the simulated cohort is, per core and against a plain matrix product.

Run with one thread: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/simulated.py

Times are CPU seconds of this process, the best of several rounds: other work on the machine slows
both the simulator and the matrix product, so the ratio is what to compare between runs and
machines.
"""

import time
from collections.abc import Callable

import numpy as np

from cardionets_simulated.cine_time import TEN_FRAMES
from cardionets_simulated.subject import SubjectBatch, simulate
from cardionets_simulated.version import LABEL, SIMULATOR_VERSION

SEED = 0
ROUNDS = 5
# Subjects/s that the cohort must reach on one core.
GOALS = {
    "latents + phenotypes": 10_000,
    "ECG": 300,
    "cine, 50 frames": 20,
    "cine, 10 frames": 80,
}


def best_rate(work: Callable[[], int]) -> float:
    """Items per CPU second in the fastest round; work returns how many it made."""
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        made = work()
        rates.append(made / (time.process_time() - started))
    return max(rates)


def matrix_product_gflops(size: int = 1024, repeats: int = 5) -> float:
    rng = np.random.default_rng(0)
    one, other = rng.random((2, size, size), dtype=np.float32)
    one @ other

    def work() -> int:
        for _ in range(repeats):
            one @ other
        return repeats

    return best_rate(work) * 2 * size**3 / 1e9


def pieces() -> dict[str, Callable[[], int]]:
    batch = SubjectBatch(SEED, range(100))
    assert len(batch.phenotypes) == len(batch)
    assert batch.ecg_parameters.qrs_ms.shape == (len(batch),)
    few = range(30)

    def table() -> int:
        return len(SubjectBatch(SEED, range(10_000)).phenotypes)

    return {
        "latents + phenotypes": table,
        "ECG": lambda: len([batch.ecg(i) for i in range(len(batch))]),
        "cine, 50 frames": lambda: len([batch.cine(i) for i in few]),
        "cine, 10 frames": lambda: len([batch.cine(i, TEN_FRAMES) for i in few]),
        "whole subject, alone": lambda: len([simulate(SEED, i) for i in few]),
    }


def main() -> None:
    gflops = matrix_product_gflops()
    print(f"{LABEL} cohort, version {SIMULATOR_VERSION}; best of {ROUNDS} rounds, CPU time")
    print(f"float32 matrix product 1024 x 1024: {gflops:.1f} GFLOP/s\n")
    print(f"{'piece':<22}{'subjects/s':>12}{'goal':>9}{'per GFLOP/s':>14}")
    for name, work in pieces().items():
        rate = best_rate(work)
        goal = f"{GOALS[name]:,}" if name in GOALS else "-"
        print(f"{name:<22}{rate:>12,.0f}{goal:>9}{rate / gflops:>14,.2f}")


if __name__ == "__main__":
    main()
