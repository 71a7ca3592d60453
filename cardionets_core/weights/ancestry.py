"""What the ancestors of a weights file were trained on, as far as is known here."""

from __future__ import annotations

from pathlib import Path

from cardionets_core.cohort.guard import Fingerprints, SimulatedRange
from cardionets_core.weights.header import WeightsHeader

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
    # A run folder without them is not one that has seen nobody.
    return public.merge(Fingerprints.load(beside))
