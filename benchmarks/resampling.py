"""How fast 10,000 bootstrap resamples and permutations are, beside a loop over scikit-learn.

Run::

    OMP_NUM_THREADS=1 python benchmarks/resampling.py [--n 5000] [--resamples 10000]

The loop is timed over a few hundred rounds and its time for all of them is extrapolated. Both take
turns, so that other work slows both, and the fastest turn of each counts. Wall seconds are those a
user waits (ours uses two threads, the loop one); CPU seconds are what the work costs. In the same
run the vectorised limits and p-values are compared with those that scikit-learn gives on the same
draws.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from cardionets_core.evaluate.statistics import bootstrap_ci, paired_permutation_test

LOOP_ROUNDS = 100
TURNS = 3
CHECKED = 100
GOAL, AIM = 25, 100
SAME = 1e-12

Score = Callable[..., float]


def balanced_accuracy(
    y: NDArray[Any], score: NDArray[Any], sample_weight: NDArray[Any] | None = None
) -> float:
    return balanced_accuracy_score(y, score >= 0.5, sample_weight=sample_weight)


SCIKIT: dict[str, Score] = {
    "auc": roc_auc_score,
    "balanced_accuracy": balanced_accuracy,
    "map": average_precision_score,
}


@dataclass(frozen=True, slots=True)
class Seconds:
    """Shortest of a few turns."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Cases:
    """Labels and probabilities of two models."""

    y: NDArray[np.int64]
    a: NDArray[np.float64]
    b: NDArray[np.float64]


def made_up_cases(count: int) -> Cases:
    rng = np.random.default_rng(0)
    y = (rng.random(count) < 0.3).astype(np.int64)
    logits = [rng.normal(effect * (y - 0.5), 1) for effect in (1.0, 0.9)]
    a, b = (1 / (1 + np.exp(-logit)) for logit in logits)
    return Cases(y, a, b)


def loop_of_resamples(score: Score, cases: Cases, rounds: int) -> list[float]:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(rounds):
        drawn = rng.integers(0, len(cases.y), len(cases.y))
        found.append(score(cases.y[drawn], cases.a[drawn]))
    return found


def loop_of_exchanges(score: Score, cases: Cases, rounds: int) -> list[float]:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(rounds):
        exchange = rng.random(len(cases.y)) < 0.5
        a, b = np.where(exchange, cases.b, cases.a), np.where(exchange, cases.a, cases.b)
        found.append(score(cases.y, a) - score(cases.y, b))
    return found


def taken(work: Callable[[], object]) -> Seconds:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu)


def in_turns(*works: Callable[[], object]) -> list[Seconds]:
    """Shortest time of each, after one turn to warm up."""
    for work in works:
        work()
    turns = [[taken(work) for work in works] for _ in range(TURNS)]
    return [
        Seconds(min(t.wall for t in times), min(t.cpu for t in times))
        for times in zip(*turns, strict=True)
    ]


def report(name: str, ours: Seconds, loop: Seconds, times: float) -> float:
    """Print one line; the ratio of wall seconds."""
    wall, cpu = times * loop.wall, times * loop.cpu
    print(
        f"  {name:<34}{ours.wall:>8.2f} s {wall:>8.1f} s {wall / ours.wall:>8.0f} x"
        f"{ours.cpu:>9.2f} s {cpu / ours.cpu:>8.0f} x"
    )
    return wall / ours.wall


def compare(cases: Cases) -> None:
    """Check that the vectorised results are those of scikit-learn on the same draws.

    Raises:
        SystemExit: If one is not.
    """
    y, a, b = cases.y, cases.a, cases.b
    for name, score in SCIKIT.items():

        def weighted(y: Any, s: Any, w: Any, score: Score = score) -> float:
            return score(y, s, sample_weight=w)

        fast, slow = (bootstrap_ci(m, y, a, b, resamples=CHECKED) for m in (name, weighted))
        tests = [
            paired_permutation_test(m, y, a, b, permutations=CHECKED) for m in (name, weighted)
        ]
        gaps = [fast.low - slow.low, fast.high - slow.high, tests[0].p - tests[1].p]
        largest = max(map(abs, gaps))
        print(f"  {name:<34}largest difference {largest:.1e} over {CHECKED} resamples")
        if largest > SAME:
            raise SystemExit(f"{name}: differs from scikit-learn by {largest}")


def measure(cases: Cases, resamples: int) -> float:
    """Print all ratios; that of the bootstrap of AUC."""
    times, ratios = resamples / LOOP_ROUNDS, {}
    for name, score in SCIKIT.items():
        ours, loop = in_turns(
            lambda name=name: bootstrap_ci(name, cases.y, cases.a, resamples=resamples),
            lambda score=score: loop_of_resamples(score, cases, LOOP_ROUNDS),
        )
        ratios[name] = report(f"bootstrap, {name}", ours, loop, times)
    for name, score in SCIKIT.items():
        ours, loop = in_turns(
            lambda name=name: paired_permutation_test(
                name, cases.y, cases.a, cases.b, permutations=resamples
            ),
            lambda score=score: loop_of_exchanges(score, cases, LOOP_ROUNDS),
        )
        report(f"permutation test, {name}", ours, loop, times)
    return ratios["auc"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=5_000, help="cases")
    parser.add_argument("--resamples", type=int, default=10_000)
    given = parser.parse_args()
    cases = made_up_cases(given.n)
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"{given.resamples:,} resamples of {given.n:,} cases; load average before: {load}")
    print(f"equal to scikit-learn within {SAME:g}")
    compare(cases)
    print(f"loop over scikit-learn extrapolated from {LOOP_ROUNDS} rounds, best of {TURNS} turns")
    print(f"  {'':<34}{'ours':>10} {'loop':>10} {'ratio':>10}{'our CPU':>11} {'ratio':>10}")
    ratio = measure(cases, given.resamples)
    print(f"bootstrap of AUC: {ratio:.0f} x (at least {GOAL}, aim {AIM})")


if __name__ == "__main__":
    main()
