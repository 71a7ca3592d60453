"""The CMR encoder's feature space: how real and generated cines are distributed in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from cardionets_core.generate.evaluating.distances import (
    MOST_COMPONENTS,
    MOST_IN_KERNEL,
    SAMPLES_PER_COMPONENT,
    Spread,
    distances_over_halves,
    frechet_components,
    frechet_to,
    halvings,
    kernel_to,
)

Floats = NDArray[np.float64]
REAL = "real"
_TSNE_SEED, _TSNE_POINTS, _TSNE_COMPONENTS, _TSNE_PERPLEXITY = 0, 400, 50, 30


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSpace:
    """Standardisation and principal components of real training features.

    Attributes:
        mean: (P,).
        sd: (P,), 1 where a feature is constant.
        components: Principal axes of standardised features, (k, P).
        explained: Share of the variance that each explains, (k,).
    """

    mean: Floats
    sd: Floats
    components: Floats
    explained: Floats

    @classmethod
    def fit(cls, train: NDArray[np.float32]) -> FeatureSpace:
        """Fit to features of real training cines, (n, P)."""
        features = train.astype(np.float64)
        mean, sd = features.mean(axis=0), features.std(axis=0)
        sd = np.where(sd > 0, sd, 1.0)
        count = min(MOST_COMPONENTS, features.shape[1], len(features) // SAMPLES_PER_COMPONENT)
        pca = PCA(max(count, 2), svd_solver="randomized", random_state=0).fit(
            (features - mean) / sd
        )
        return cls(mean, sd, pca.components_, pca.explained_variance_ratio_)

    def standard(self, features: NDArray[np.float32]) -> Floats:
        """Features (n, P), each in SDs of the real training cines about their mean."""
        return np.asarray((features - self.mean) / self.sd)

    def scores(self, features: NDArray[np.float32]) -> Floats:
        """Principal component scores (n, k) of features (n, P)."""
        return np.asarray(self.standard(features) @ self.components.T)


def distance_rows(
    space: FeatureSpace,
    real: NDArray[np.float32],
    drawn: Mapping[str, NDArray[np.float32]],
    subjects: NDArray[np.str_],
    *,
    count: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Frechet distance and KID of each method's cines to real ones, with those of real to real.

    Args:
        space: Fitted on training cines.
        real: Features of the real test cines, (n, P).
        drawn: Method to features of its cines for the same rows, (n, P).
        subjects: Subject of each row, (n,).
        count: Halvings of the subjects.
        seed: Of the halvings.

    Returns:
        Rows ``method``, ``measure`` (``frechet`` or ``kid``), ``components``, ``samples`` (in
        each half), ``estimate`` (mean over halvings), ``low``, ``high`` (their middle 95 %) and
        ``excess``, the mean above that of real to real. No Frechet rows where samples are too few.
    """
    halves = halvings(subjects, count, seed)
    samples = min(min(len(first), len(second)) for first, second in halves)
    rows = []
    components = frechet_components(samples, len(space.components))
    if components:
        scores = {name: space.scores(f)[:, :components] for name, f in drawn.items()}
        base = space.scores(real)[:, :components]
        found = distances_over_halves(base, scores, halves, frechet_to)
        rows += _rows(found, "frechet", components, samples)
    standard = {name: space.standard(features) for name, features in drawn.items()}
    found = distances_over_halves(
        space.standard(real), standard, halves, kernel_to, most=MOST_IN_KERNEL
    )
    return rows + _rows(found, "kid", real.shape[1], samples)


def _rows(
    found: Mapping[str, Floats], measure: str, width: int, samples: int
) -> list[dict[str, Any]]:
    floor = found[REAL].mean()
    rows = []
    for method, values in found.items():
        spread = Spread.of(values)
        rows.append(
            {
                "method": method,
                "measure": measure,
                "components": width,
                "samples": samples,
                "estimate": spread.mean,
                "low": spread.low,
                "high": spread.high,
                "excess": float(values.mean() - floor),
            }
        )
    return rows


def neighbour_map(
    space: FeatureSpace, features: Mapping[str, NDArray[np.float32]], seed: int
) -> dict[str, Floats]:
    """Two-dimensional t-SNE of the same subsample of rows of each kind of cine.

    Args:
        space: Fitted on training cines.
        features: Kind, e.g. ``real``, to features (n, P) of the same rows.
        seed: Of the subsample.

    Returns:
        Kind to positions (m, 2).
    """
    rows = len(next(iter(features.values())))
    kept = np.random.default_rng(seed).permutation(rows)[:_TSNE_POINTS]
    scores = [space.scores(found[kept])[:, :_TSNE_COMPONENTS] for found in features.values()]
    joined = np.concatenate(scores)
    tsne = TSNE(
        2,
        perplexity=min(_TSNE_PERPLEXITY, (len(joined) - 1) / 3),
        init="pca",
        learning_rate="auto",
        random_state=_TSNE_SEED,
    )
    places = np.split(tsne.fit_transform(joined.astype(np.float64)), len(features))
    return dict(zip(features, places, strict=True))
