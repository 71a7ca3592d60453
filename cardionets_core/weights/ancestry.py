"""What the ancestors of a weights file were trained on, as far as is known here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cardionets_core.cohort.guard import Fingerprints, SimulatedRange
from cardionets_core.cohort.reader import Cohort, Rows
from cardionets_core.weights.header import WeightsHeader
from cardionets_core.weights.lineage import Lineage, LineageStep

FINGERPRINTS_FILE = "fingerprints.npz"
_RUN_FILE = "run.json"


def ancestry_of(path: Path, header: WeightsHeader) -> Fingerprints:
    """Fingerprints of every record that a weights file's lineage has seen.

    Published weights name the simulated subjects of their lineage alone; a run folder also holds
    the fingerprints of its patients.

    Args:
        path: The weights file.
        header: Its header.

    Raises:
        CohortError: If a run folder's fingerprints are missing or not readable.
    """
    seen = Fingerprints.empty()
    ranges = [SimulatedRange(*r) for step in header.lineage for r in step.simulated_ranges]
    public = Fingerprints(seen.signals, seen.subjects, tuple(ranges))
    beside = path.parent / FINGERPRINTS_FILE
    if not beside.exists() and not (path.parent / _RUN_FILE).exists():
        return public.merge(seen)
    # A run folder without them is not one that has seen nobody. It also tells what was trained on,
    # where the header's ranges hold those who only validated as well.
    return Fingerprints.load(beside).merge(replace(public, trained=seen))


def synthetic_parents(cohort: Cohort, rows: Rows) -> tuple[Lineage, ...]:
    """Lineage of the generator behind synthetic rows, or nothing where all rows are real.

    It is a parent of what is trained on them, which so inherits its licence, whether it comes from
    simulated subjects, and whom it has seen.
    """
    if not cohort.synthetic[np.asarray(rows, dtype=np.int64)].any():
        return ()
    steps = cohort.provenance["synthetic"]["lineage"]
    return (tuple(LineageStep.model_validate(step) for step in steps),)
