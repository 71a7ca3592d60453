"""Counting records and persons by group: a person with ten ECGs is still one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.reporting.window import CohortWindow


class People:
    """Which person each row of a cohort belongs to.

    Args:
        subject_ids: HMAC id of each row's person, (n,).
    """

    def __init__(self, subject_ids: NDArray[np.bytes_]) -> None:
        self.ids, person = np.unique(subject_ids, return_inverse=True)
        self.person = person.astype(np.int32)

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, window: CohortWindow) -> NDArray[np.int32]:
        """Number of the person of each row of a window."""
        return self.person[window.rows]


class Tally:
    """Records and persons by group; takes a bit per group and person.

    Args:
        people: Whom the rows belong to.
        groups: How many groups there are.
    """

    def __init__(self, people: People, groups: int) -> None:
        self._people = people
        self._records = np.zeros(groups, dtype=np.int64)
        self._seen = np.zeros(((groups + 7) // 8, len(people)), dtype=np.uint8)

    def add(self, window: CohortWindow, group: int, chosen: NDArray[np.bool_]) -> None:
        """Count the chosen rows of a window into a group."""
        self._records[group] += int(chosen.sum())
        persons = self._people.of(window)[chosen]
        # The same bit is set at every one of them, so that repeated persons do no harm.
        self._seen[group // 8, persons] |= np.uint8(1 << group % 8)

    def records(self, group: int) -> int:
        """Records in a group."""
        return int(self._records[group])

    def persons(self, group: int) -> int:
        """Persons with a record in a group."""
        return int(np.count_nonzero(self._seen[group // 8] & np.uint8(1 << group % 8)))
