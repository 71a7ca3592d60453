"""Ridge regression of the phenotypes on features, with a penalty chosen on other subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics import evaluate_metric

Floats = NDArray[np.float32]
# In units of the standardised features' own variance, times the number of training records.
PENALTIES = tuple(float(10.0**power) for power in np.arange(-3.0, 3.01, 0.5))
_FEWEST_VALUES = 10


@dataclass(frozen=True, slots=True, eq=False)
class PhenotypeRidge:
    """A fitted regression.

    Attributes:
        mean: Mean of each training feature, (P,).
        sd: SD of each, 1 where it is constant, (P,).
        weights: (P, 82), in the phenotypes' units per SD.
        intercept: (82,); NaN for a phenotype that too few training records have.
        penalty: The chosen one, per training record.
        val_r2: Mean R2 of the chosen one on the validation records.
    """

    mean: Floats
    sd: Floats
    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]
    penalty: float
    val_r2: float

    def predict(self, features: Floats) -> NDArray[np.float64]:
        """Phenotypes (n, 82) of features (n, P), in their units."""
        standard = (features - self.mean) / self.sd
        return np.asarray(standard @ self.weights + self.intercept)


def fit_ridge(
    train: tuple[Floats, Floats], val: tuple[Floats, Floats], *, what: str
) -> PhenotypeRidge:
    """Fit on training records with each of ``PENALTIES`` and keep the best on validation records.

    Args:
        train: Features (n, P) and phenotypes (n, 82), NaN where not measured.
        val: The same of validation records.
        what: What the features are of, for messages.

    Raises:
        EvaluationError: If features are not finite, or no phenotype has enough values.
    """
    features, targets = train
    if not (np.isfinite(features).all() and np.isfinite(val[0]).all()):
        raise EvaluationError(f"features of {what} are not finite; look at the weights named")
    mean, sd = features.mean(axis=0), features.std(axis=0)
    sd = np.where(sd > 0, sd, 1.0).astype(np.float32)
    scored = _scored(targets, val[1], what)
    best: PhenotypeRidge | None = None
    for penalty in PENALTIES:
        weights, intercept = _solve((features - mean) / sd, targets, penalty)
        fitted = PhenotypeRidge(mean, sd, weights, intercept, penalty, float("nan"))
        found = fitted.predict(val[0])[:, scored]
        r2 = evaluate_metric("r2", val[1][:, scored], found)
        if best is None or r2 > best.val_r2:
            best = PhenotypeRidge(mean, sd, weights, intercept, penalty, r2)
    assert best is not None  # noqa: S101 - there is a penalty
    return best


def learnable(targets: Floats) -> NDArray[np.bool_]:
    """Which phenotypes enough records have, (82,) of (n, 82)."""
    return np.asarray(np.isfinite(targets).sum(axis=0) >= _FEWEST_VALUES)


def _scored(targets: Floats, val_targets: Floats, what: str) -> NDArray[np.int64]:
    """Phenotypes that can be learnt from the training records and told apart on the others."""
    enough = learnable(targets)
    differ = np.array([len(np.unique(c[np.isfinite(c)])) > 1 for c in val_targets.T])
    scored = np.flatnonzero(enough & differ)
    if not len(scored):
        raise EvaluationError(
            f"no phenotype has {_FEWEST_VALUES} values among the training records and two among "
            f"the validation records with {what}; prepare more subjects with the role pretrain"
        )
    return scored


def _solve(
    standard: Floats, targets: Floats, penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (P, 82) and intercepts (82,); phenotypes known of the same records together."""
    weights = np.zeros((standard.shape[1], targets.shape[1]))
    intercept = np.full(targets.shape[1], np.nan)
    known = np.isfinite(targets)
    patterns, pattern = np.unique(known, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        rows = np.flatnonzero(patterns[:, number])
        columns = np.flatnonzero(pattern.reshape(-1) == number)
        if len(rows) < _FEWEST_VALUES:
            continue
        ridge = Ridge(alpha=penalty * len(rows))
        ridge.fit(
            standard[rows].astype(np.float64), targets[np.ix_(rows, columns)].astype(np.float64)
        )
        weights[:, columns] = np.atleast_2d(ridge.coef_).T
        intercept[columns] = ridge.intercept_
    return weights, intercept
