"""The control that breaks the link of ECG and cine: everybody gets somebody else's ECG."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardionets_core.errors import EvaluationError


def derangement(subjects: NDArray[np.str_], seed: int) -> NDArray[np.int64]:
    """Place whose condition each place is given: that of another subject, everybody's once around.

    The subjects stand in one random circle, each taking from the next.

    Args:
        subjects: Subject of each place, (n,); several places may be one subject's.
        seed: Of the order in the circle.

    Returns:
        (n,) places.

    Raises:
        EvaluationError: If all places are one subject's.
    """
    people, person = np.unique(subjects, return_inverse=True)
    if len(people) < 2:
        raise EvaluationError(
            f"{len(people)} subject to shuffle; a control needs the ECG of somebody else: "
            "evaluate two subjects or more"
        )
    circle = np.random.default_rng(seed).permutation(len(people))
    follower = np.empty(len(people), np.int64)
    follower[circle] = np.roll(circle, -1)
    places = [np.flatnonzero(person == number) for number in range(len(people))]
    found = np.empty(len(subjects), np.int64)
    for number, own in enumerate(places):
        given = places[follower[number]]
        # Who has more records than the other takes some of theirs twice.
        found[own] = given[np.arange(len(own)) % len(given)]
    return found
