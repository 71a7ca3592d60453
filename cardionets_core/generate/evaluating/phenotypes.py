"""How much of the phenotypes generated cines carry: R2 of what a CMR-based regression reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics import bootstrap_ci, per_output

Floats = NDArray[np.float64]
ONE_DRAW, MEAN_OF_DRAWS = "one draw", "mean of draws"

WHY_ONE_DRAW_IS_LOWER = (
    "A calibrated sampler spreads its draws about the conditional mean as widely as the truth is "
    "spread about it, so that the squared error of one draw is on average twice that of the mean "
    "of many: with a perfect reading of the cines its R2 is 2 R2 - 1, where R2 is that of the "
    "mean. The mean over draws approaches the conditional mean, which is what a direct "
    "regression predicts, and is the number to hold against it."
)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """True phenotypes of the test rows that can be scored.

    Attributes:
        values: (n, k), NaN where not measured.
        columns: Which of the 82 phenotypes, (k,).
        subjects: Subject of each row, (n,).
    """

    values: Floats
    columns: NDArray[np.int64]
    subjects: NDArray[np.str_]

    @classmethod
    def of(
        cls,
        phenotypes: NDArray[np.float32],
        subjects: NDArray[np.str_],
        learnt: NDArray[np.bool_],
    ) -> Truth:
        """Choose the phenotypes that were learnt and that have two values or more.

        Args:
            phenotypes: All 82 of the test rows, (n, 82), NaN where not measured.
            subjects: Subject of each row, (n,).
            learnt: Which of the 82 can be predicted, (82,).

        Raises:
            EvaluationError: If there is none.
        """
        values = phenotypes.astype(np.float64)
        differ = [len(np.unique(column[np.isfinite(column)])) > 1 for column in values.T]
        columns = np.flatnonzero(np.array(differ) & learnt)
        if not len(columns):
            raise EvaluationError(
                "no phenotype differs among the test subjects, so that no R2 can be computed; "
                "evaluate more subjects"
            )
        return cls(values[:, columns], columns, subjects)

    def structures(self) -> dict[str, NDArray[np.int64]]:
        """Structure to the places of its phenotypes among ``columns``."""
        names = np.array([PHENOTYPES[column].structure for column in self.columns])
        return {str(name): np.flatnonzero(names == name) for name in dict.fromkeys(names)}


def r2_rows(
    truth: Truth, predicted: Mapping[tuple[str, str], Floats], *, resamples: int, seed: int
) -> list[dict[str, Any]]:
    """R2 of every method: the mean over phenotypes, and over those of each structure.

    Args:
        truth: The truth.
        predicted: Method and what was predicted from (``ONE_DRAW``, ``MEAN_OF_DRAWS``) to
            predictions of all 82, (n, 82).
        resamples: Of the bootstrap over subjects.
        seed: Of the bootstrap.

    Returns:
        Rows ``method``, ``from``, ``structure`` (``all`` for the mean over phenotypes),
        ``phenotypes``, ``estimate``, ``low`` and ``high``.
    """
    rows = []
    for (method, source), values in predicted.items():
        found = values[:, truth.columns]
        every = np.arange(len(truth.columns))
        for structure, places in {"all": every, **truth.structures()}.items():
            interval = bootstrap_ci(
                "r2",
                truth.values[:, places],
                found[:, places],
                resamples=resamples,
                seed=seed,
                clusters=truth.subjects,
            )
            rows.append(
                {
                    "method": method,
                    "from": source,
                    "structure": structure,
                    "phenotypes": len(places),
                    "estimate": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                }
            )
    return rows


def phenotype_table(truth: Truth, predicted: Mapping[tuple[str, str], Floats]) -> pd.DataFrame:
    """R2 and MAE of each phenotype by each method, with units; one row per phenotype."""
    shown = [PHENOTYPES[column] for column in truth.columns]
    columns: dict[str, Any] = {
        "field_id": [phenotype.field_id for phenotype in shown],
        "phenotype": [phenotype.name for phenotype in shown],
        "structure": [phenotype.structure for phenotype in shown],
        "unit": [phenotype.unit for phenotype in shown],
        "sd": np.nanstd(truth.values, axis=0),
    }
    for metric in ("r2", "mae"):
        for (method, source), values in predicted.items():
            found = values[:, truth.columns]
            columns[f"{metric}: {method}, {source}"] = per_output(metric, truth.values, found)
    return pd.DataFrame(columns)
