"""The leakage guard: what a run and all its ancestors have seen."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.files import write_whole
from cardionets_core.cohort.layout import NO_FINGERPRINT
from cardionets_core.cohort.reader import Cohort, Rows
from cardionets_core.errors import CohortError, LeakageError

_ORIGIN = re.compile(r"simulated/(\d+)/(\d+)")
_TRAINED = "trained_"


class Overlap(NamedTuple):
    """What a lineage and some rows of a cohort have in common.

    Attributes:
        rows: Rows that were seen, in the order asked.
        by_signal: How many of them by an identical ECG.
        by_subject: How many of them by their person.
        by_simulation: How many of them by seed and index of a simulated subject.
    """

    rows: NDArray[np.int64]
    by_signal: int
    by_subject: int
    by_simulation: int


class SimulatedRange(NamedTuple):
    """Simulated subjects ``first`` to ``stop - 1`` of a seed."""

    seed: int
    first: int
    stop: int


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """What a run was trained on, its ancestors' training included.

    Attributes:
        signals: Fingerprints of ECGs, sorted, (n,) uint64.
        subjects: HMAC ids of persons as numbers, sorted, (m,) uint64. They name the same person
            only among cohorts made with the same key.
        simulated: Simulated subjects, by seed and range.
        trained: The part of it that parameters were fitted to, where the rest only validated; None
            if that is all of it, or not known.
    """

    signals: NDArray[np.uint64]
    subjects: NDArray[np.uint64]
    simulated: tuple[SimulatedRange, ...] = ()
    trained: Fingerprints | None = None

    @classmethod
    def empty(cls) -> Self:
        """A lineage that has seen nobody."""
        return cls(np.empty(0, np.uint64), np.empty(0, np.uint64))

    @classmethod
    def of(
        cls, cohort: Cohort, rows: Rows | None = None, *, validated: Rows | None = None
    ) -> Fingerprints:
        """What training on rows of a cohort (all by default) makes a run have seen.

        Behind synthetic rows stands everything that their generator has seen.

        Args:
            cohort: The cohort.
            rows: Every row that is used.
            validated: Those of them that only validate or stop training.
        """
        chosen = np.arange(len(cohort)) if rows is None else np.asarray(rows, dtype=np.int64)
        signals = np.unique(cohort.fingerprints(chosen))
        simulated = [SimulatedRange(s, i, i + 1) for s, i in _simulated(cohort, chosen) if i >= 0]
        own: Fingerprints = cls(
            signals[signals != NO_FINGERPRINT],
            np.unique(_subjects(cohort, chosen)),
            _joined(simulated),
        )
        if validated is not None and len(validated):
            own = replace(own, trained=cls.of(cohort, np.setdiff1d(chosen, validated)))
        if cohort.synthetic[chosen].any():
            own = own.merge(cls.from_arrays(cohort.behind_synthetic))
        return own

    @property
    def trained_on(self) -> Fingerprints:
        """What parameters were fitted to: everything, where nothing else is known."""
        return self if self.trained is None else self.trained

    def merge(self, *others: Fingerprints) -> Fingerprints:
        """Everything that any of several lineages has seen."""
        lineages = (self, *others)
        trained = None
        if any(lineage.trained is not None for lineage in lineages):
            trained = _union([lineage.trained_on for lineage in lineages])
        return replace(_union(lineages), trained=trained)

    def to_public(self) -> Fingerprints:
        """What may be published with weights: simulated subjects only."""
        return Fingerprints(np.empty(0, np.uint64), np.empty(0, np.uint64), self.simulated)

    def overlap(self, cohort: Cohort, rows: Rows | None = None) -> Overlap:
        """Which rows of a cohort (all by default) this lineage has seen."""
        chosen = np.arange(len(cohort)) if rows is None else np.asarray(rows, dtype=np.int64)
        by_signal = np.isin(cohort.fingerprints(chosen), self.signals)
        by_subject = np.isin(_subjects(cohort, chosen), self.subjects)
        by_simulation = self._simulates(_simulated(cohort, chosen))
        return Overlap(
            chosen[by_signal | by_subject | by_simulation],
            int(by_signal.sum()),
            int(by_subject.sum()),
            int(by_simulation.sum()),
        )

    def meets(self, other: Fingerprints) -> bool:
        """Whether two have a signal, a person or a simulated subject in common."""
        return bool(
            np.isin(other.signals, self.signals).any()
            or np.isin(other.subjects, self.subjects).any()
            or any(
                a.seed == b.seed and a.first < b.stop and b.first < a.stop
                for a in other.simulated
                for b in self.simulated
            )
        )

    def _simulates(self, people: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which simulated subjects (seed, index) lie in a range; ranges are sorted and disjoint."""
        seen = np.zeros(len(people), dtype=bool)
        ranges = np.array(self.simulated, dtype=np.int64).reshape(-1, 3)
        for seed in np.unique(ranges[:, 0]):
            _, first, stop = ranges[ranges[:, 0] == seed].T
            place = np.searchsorted(first, people[:, 1], side="right") - 1
            seen |= (people[:, 0] == seed) & (place >= 0) & (people[:, 1] < stop[place])
        return seen

    def save(self, path: Path) -> None:
        """Write to an ``.npz`` file, whole or not at all."""
        buffer = io.BytesIO()
        stored: dict[str, Any] = self.arrays()
        np.savez_compressed(buffer, **stored)
        write_whole(path, buffer.getvalue())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as plain arrays by name; see ``from_arrays``."""
        found: dict[str, NDArray[Any]] = {
            "signals": self.signals,
            "subjects": self.subjects,
            "simulated": np.array(self.simulated, dtype=np.int64).reshape(-1, 3),
        }
        if self.trained is not None:
            trained = self.trained.arrays()
            found |= {f"{_TRAINED}{name}": array for name, array in trained.items()}
        return found

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> Self:
        """What ``arrays`` gave.

        Raises:
            KeyError: If an array is missing.
        """
        trained = f"{_TRAINED}signals" in arrays and not prefix
        return cls(
            np.asarray(arrays[f"{prefix}signals"], dtype=np.uint64),
            np.asarray(arrays[f"{prefix}subjects"], dtype=np.uint64),
            tuple(SimulatedRange(*map(int, row)) for row in arrays[f"{prefix}simulated"]),
            cls.from_arrays(arrays, _TRAINED) if trained else None,
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote; nothing in the file is executed.

        Raises:
            CohortError: If it is missing or is no such file.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls.from_arrays(dict(stored))
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise CohortError(
                f"{path} does not hold the fingerprints of a run ({type(error).__name__}); the "
                f"leakage guard needs them: copy the run folder again, or train anew"
            ) from error


def refuse_overlap(
    lineage: Fingerprints, cohort: Cohort, rows: Rows, *, purpose: str, allow: bool = False
) -> Overlap:
    """Refuse to use rows that a lineage has seen.

    Args:
        lineage: What the run and its ancestors were trained on.
        cohort: The cohort.
        rows: Rows about to be used.
        purpose: What for, e.g. ``"evaluate on"``; stands in the message.
        allow: True to be told instead of refused; what is made must then be stamped with it.

    Returns:
        What was found: nothing, unless ``allow``.

    Raises:
        LeakageError: If a row's person or identical signal was seen.
    """
    found = lineage.overlap(cohort, rows)
    if allow or not len(found.rows):
        return found
    raise LeakageError(
        f"cannot {purpose} {cohort.path}: the weights or their ancestors were trained on "
        f"{len(found.rows)} of its {len(rows)} records ({found.by_signal} with the identical ECG, "
        f"{found.by_subject} of the same person, {found.by_simulation} of the same simulated "
        f"subject), record {cohort.record_ids[found.rows[0]]} first; use rows with another role "
        f"or split, another cohort or simulator seed, or weights that have not seen them"
    )


def _union(lineages: Sequence[Fingerprints]) -> Fingerprints:
    return Fingerprints(
        np.unique(np.concatenate([lineage.signals for lineage in lineages])),
        np.unique(np.concatenate([lineage.subjects for lineage in lineages])),
        _joined(r for lineage in lineages for r in lineage.simulated),
    )


def _subjects(cohort: Cohort, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """HMAC ids as numbers, (n,)."""
    return np.array([int(subject, 16) for subject in cohort.subject_ids[rows]], dtype=np.uint64)


def _simulated(cohort: Cohort, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Seed and index of each row's simulated subject, (n, 2); -1 for others."""
    found = np.full((len(rows), 2), -1, dtype=np.int64)
    for place, origin in enumerate(cohort.origins[rows].tolist()):
        if match := _ORIGIN.fullmatch(origin):
            found[place] = int(match[1]), int(match[2])
    return found


def _joined(ranges: Iterable[SimulatedRange]) -> tuple[SimulatedRange, ...]:
    """Ranges, sorted, with those that touch or overlap made one."""
    joined: list[SimulatedRange] = []
    for seed, first, stop in sorted(ranges):
        if joined and joined[-1].seed == seed and first <= joined[-1].stop:
            joined[-1] = SimulatedRange(seed, joined[-1].first, max(stop, joined[-1].stop))
        else:
            joined.append(SimulatedRange(seed, first, stop))
    return tuple(joined)
