"""Conditions of cohort rows, as a loaded generator makes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.reader import Cohort
from cardionets_core.generate.loading import LoadedGenerator
from cardionets_core.train.arrays import cached_array
from cardionets_core.train.condition_source import phenotype_conditions
from cardionets_core.weights.atomic import sha256_of


def conditions_of(
    loaded: LoadedGenerator, cohort: Cohort, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Conditions by cohort row, (n, C); those not in ``rows`` mean nothing.

    An ECG's is the mean over the evaluation crops, computed once and kept in the cache; phenotypes
    are the true ones.
    """
    if loaded.transform is None:
        return phenotype_conditions(cohort)
    transform = loaded.transform

    def condition(block: NDArray[np.int64]) -> NDArray[np.float32]:
        prepared = transform.prepare(cohort.ecg_mv(block))
        found: NDArray[np.float32] = (
            loaded.conditions(prepared, cohort.lead_mask[block]).cpu().numpy()
        )
        return found

    return cached_array(
        "evaluation-conditions",
        [cohort.content_hash, sha256_of(loaded.path), loaded.condition],
        shape=(len(cohort), condition(rows[:1]).shape[1]),
        dtype=np.float32,
        fill=condition,
        rows=rows,
    )
