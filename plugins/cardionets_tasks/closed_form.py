"""Closed-form starts of a linear head: ridge, or logistic regression, on frozen features.

Features are standardised, and rotated onto their principal components by the smaller of the two
Gram matrices, so that 2,304 features of some hundred records cost little. Both solutions are given
back as weight and bias on the features as they are.

Sources: ridge with generalised cross-validation, Golub, Heath and Wahba 1979; logistic regression
is scikit-learn's, its penalty chosen by log loss in an inner cross-validation.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from cardionets_core.errors import TrainingError
from cardionets_core.spec import TargetKind

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Solution = tuple[Array, Array]
_REMEDY = "or set protocol.head_start=random"
# Ridge penalties, as parts of the features' whole sum of squares.
_PENALTIES = np.logspace(-7, 1, 49)
# Prior variances of a record's logit.
_VARIANCES = np.logspace(-2, 3, 6)
# Logistic regression reads so many principal components: what is left is far below its penalty.
_COMPONENTS = 256
_FOLDS = 5
# Features come in float32; components below its noise are none.
_RANK_TOLERANCE = 1e-10


def closed_form(
    kind: TargetKind, features: Array, target: Array, *, classes: int, seed: int
) -> Solution:
    """Weight (outputs, P) and bias (outputs,) of the best linear start.

    Args:
        kind: Kind of the target.
        features: One row per training record, (n, P).
        target: As ``cohort.targets.Targets`` has them, (n, T), NaN where unknown; quantities of a
            regression in any scale.
        classes: Number of outputs.
        seed: Seed of the inner cross-validation.

    Raises:
        TrainingError: If the features are not finite or do not vary, or if a target names one
            class only.
    """
    components = _components(features)
    if kind == "regression":
        return components.unrotate(*_ridge(components, target))
    if kind == "multiclass":
        return components.unrotate(*_softmax(components, target[:, 0], classes, seed))
    found = [_logistic(components, labels, output, seed) for output, labels in enumerate(target.T)]
    return components.unrotate(
        np.concatenate([weight for weight, _ in found]), np.concatenate([bias for _, bias in found])
    )


@dataclass(frozen=True, slots=True)
class _Components:
    """Principal components of standardised features, the largest first.

    Attributes:
        mean: Of the features, (P,).
        sd: Of the features, 1 where they do not vary, (P,).
        left: Unit-norm scores, (n, k).
        lengths: Norms of the scores, (k,).
        directions: Unit-norm directions, (P, k).
    """

    mean: Array
    sd: Array
    left: Array
    lengths: Array
    directions: Array

    def unrotate(self, weight: Array, bias: Array) -> Solution:
        """Weight (T, j) on the first j scores and bias (T,), as weight and bias on features."""
        on_features = weight @ self.directions[:, : weight.shape[1]].T / self.sd
        return on_features, bias - on_features @ self.mean


def _components(features: Array) -> _Components:
    if not np.isfinite(features).all():
        raise TrainingError(
            f"{int((~np.isfinite(features)).sum())} pooled features are not finite; needed numbers "
            f"for a closed-form start: check the encoder's weights, {_REMEDY}"
        )
    mean, sd = features.mean(axis=0), features.std(axis=0)
    # The mean of equal numbers is rounded, so that their SD is small and not 0.
    constant = np.ptp(features, axis=0) == 0
    mean[constant], sd[constant] = features[0, constant], 1.0
    standardised = (features - mean) / sd
    few_rows = len(features) <= features.shape[1]
    gram = standardised @ standardised.T if few_rows else standardised.T @ standardised
    squares, vectors = np.linalg.eigh(gram)
    kept = np.flatnonzero(squares > _RANK_TOLERANCE * max(squares[-1], 1.0))[::-1]
    if not len(kept):
        raise TrainingError(
            f"the pooled features of {len(features)} records do not vary; a closed-form start "
            f"needs some that do: use an encoder with weights, {_REMEDY}"
        )
    lengths, vectors = np.sqrt(squares[kept]), vectors[:, kept]
    if few_rows:
        return _Components(mean, sd, vectors, lengths, standardised.T @ vectors / lengths)
    return _Components(mean, sd, standardised @ vectors / lengths, lengths, vectors)


def _ridge(components: _Components, target: Array) -> Solution:
    """Ridge with one penalty per column; an unknown target counts as the column's mean."""
    known = ~np.isnan(target)
    mean = np.where(known, target, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, target - mean, 0.0)
    along = components.left.T @ centred
    squares = components.lengths**2
    left_out = 1 / (1 + squares / (_PENALTIES[:, None] * squares.sum()))
    beyond = (centred**2).sum(axis=0) - (along**2).sum(axis=0)
    residual = left_out**2 @ along**2 + np.maximum(beyond, 0.0)
    # Generalised cross-validation; the intercept takes one degree of freedom.
    freedom = len(target) - 1 - (1 - left_out).sum(axis=1)
    best = (residual / freedom[:, None] ** 2).argmin(axis=0)
    weight = (1 - left_out[best]) / components.lengths * along.T
    return weight, mean


def _logistic(components: _Components, labels: Array, output: int, seed: int) -> Solution:
    """Logistic regression of one finding: weight (1, j) and bias (1,)."""
    known = ~np.isnan(labels)
    _refuse_one_class(labels[known], f"training labels of output {output}")
    return _fit(components, known, labels[known].astype(np.int64), seed)


def _softmax(components: _Components, labels: Array, classes: int, seed: int) -> Solution:
    """Multinomial regression: weight (classes, j) and bias (classes,).

    A class without a training record gets no weight, and the probability of half a record.
    """
    known = ~np.isnan(labels)
    _refuse_one_class(labels[known], "classes of the training records")
    numbers = labels[known].astype(np.int64)
    some_weight, some_bias = _fit(components, known, numbers, seed)
    if len(some_weight) == 1:
        # Of two classes scikit-learn gives the difference.
        some_weight, some_bias = (np.concatenate([-x, x]) / 2 for x in (some_weight, some_bias))
    seen = np.unique(numbers)
    weight = np.zeros((classes, some_weight.shape[1]))
    bias = np.full(classes, np.logaddexp.reduce(some_bias) + np.log(0.5 / len(numbers)))
    weight[seen], bias[seen] = some_weight, some_bias
    return weight, bias


def _refuse_one_class(labels: Array, what: str) -> None:
    if len(np.unique(labels)) < 2:
        found = f"all {labels[0]:g}" if len(labels) else "all unknown"
        raise TrainingError(
            f"the {len(labels)} {what} are {found}; a closed-form start needs two classes: train "
            f"with more labels, {_REMEDY}"
        )


def _fit(components: _Components, known: NDArray[np.bool_], labels: Labels, seed: int) -> Solution:
    """L2-penalised logistic regression on the first components."""
    kept = min(_COMPONENTS, len(components.lengths))
    # Scaled so that a record's features have unit length: C is then its logit's prior variance.
    scale = np.sqrt((components.lengths**2).sum() / len(components.left))
    lengths = components.lengths[:kept] / scale
    scores = components.left[known, :kept] * lengths
    model = _model(_best_variance(scores, labels, seed))
    _fit_quietly(model, scores, labels)
    return model.coef_ / scale, model.intercept_


def _best_variance(scores: Array, labels: Labels, seed: int) -> float:
    """The prior variance with the least log loss in stratified folds; 1 where none can be made."""
    classes, counts = np.unique(labels, return_counts=True)
    folds = min(_FOLDS, int(counts.min()))
    if folds < 2:
        return 1.0
    losses = np.zeros(len(_VARIANCES))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for train, held_out in splitter.split(scores, labels):
        model = _model(_VARIANCES[0])
        for number, variance in enumerate(_VARIANCES):
            _fit_quietly(model.set_params(C=variance), scores[train], labels[train])
            predicted = model.predict_proba(scores[held_out])
            losses[number] += log_loss(labels[held_out], predicted, labels=classes, normalize=False)
    return float(_VARIANCES[losses.argmin()])


def _model(variance: float) -> LogisticRegression:
    # Each penalty of a path starts from the last one's solution.
    return LogisticRegression(C=variance, warm_start=True, max_iter=200)


def _fit_quietly(model: LogisticRegression, scores: Array, labels: Labels) -> None:
    with warnings.catch_warnings():
        # Training goes on from here: a start need not have converged.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scores, labels)
