"""Synthetic subjects out of random numbers, and cohorts that are augmented with them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from cardionets_core.cohort import layout
from cardionets_core.cohort.augmenting import AugmentReport, augment_cohort
from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.synthetic import SyntheticSource

STEP = {
    "command": "cardionets train --generator cpgg", "stage": "generation", "preset": "tiny",
    "seed": 0, "dataset": "made-up", "data_hash": "ab", "simulated": True,
    "simulated_ranges": [[77, 0, 5]], "parents": [], "licence": "CC-BY-NC-4.0",
}  # fmt: skip
SEEN = Fingerprints(np.array([70, 71], np.uint64), np.array([72], np.uint64))


def source(records: int = 5, **changes: object) -> SyntheticSource:
    told = {
        "weights": "run", "weights_sha256": "a1" * 32, "generator": "tests:made-up",
        "licence": "CC-BY-NC-4.0", "lineage": (STEP,), "seed": 0, "steps": None, "guidance": 2.5,
        "factor": 2, "records": records,
    }  # fmt: skip
    return SyntheticSource(**{**told, **changes})


class Draw:
    """Draws a subject from its number, and remembers whom it drew."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.drawn: list[int] = []
        self._stop_at = stop_at

    def __call__(self, numbers):
        if self._stop_at in numbers:
            raise KeyboardInterrupt
        self.drawn += numbers
        every = [np.random.default_rng(number) for number in numbers]
        return (
            np.array([rng.normal(100, 5, 82) for rng in every], dtype=np.float32),
            np.array([rng.integers(0, 256, (50, 96, 96), dtype=np.uint8) for rng in every]),
        )


def augmented(base: Path, out: Path, *, draw: Draw | None = None, **options) -> AugmentReport:
    """The cohort at ``base`` with five synthetic subjects."""
    wanted = {"source": source(), "seen": SEEN, "block_records": 2, **options}
    with open_cohort(base) as cohort:
        return augment_cohort(
            cohort, out, wanted.pop("source"), wanted.pop("seen"), draw or Draw(), **wanted
        )


def arrays_of(path: Path, rows: slice = slice(None)) -> dict[str, np.ndarray]:
    """Every dataset of a file; rows of those that have one per record."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            per_record = item.shape[:1] == (count,) and name not in layout.DIAGNOSES
            found[name] = item[rows] if per_record else item[:]

    with h5py.File(path) as file:
        count = len(file["subject/record_id"])
        file.visititems(visit)
    return found
