"""Decision curve: what acting on a score is worth at each threshold of risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics.checks import (
    Floats,
    binary_labels,
    numbers,
    same_length,
    scores_of,
)


@dataclass(frozen=True, slots=True, eq=False)
class DecisionCurve:
    """Net benefit per person, in true positives; that of treating nobody is 0.

    Attributes:
        thresholds: Risks from which on one would act, (thresholds,).
        net_benefit: Of acting on the score.
        treat_all: Of acting on everyone.
        prevalence: Share of cases in these records; net benefit holds at this prevalence only.
    """

    thresholds: Floats
    net_benefit: Floats
    treat_all: Floats
    prevalence: float


def decision_curve(
    y: ArrayLike, probability: ArrayLike, thresholds: ArrayLike | None = None
) -> DecisionCurve:
    """Net benefit TP/n - FP/n * t/(1 - t) at each threshold t.

    Args:
        y: Labels 0/1, (n,).
        probability: Risks, (n,); at or above t one acts.
        thresholds: Between 0 and 1; None means 0.01 to 0.99 in steps of 0.01.

    Raises:
        EvaluationError: If labels are not 0/1, a score or a threshold is no probability.

    Source: Vickers and Elkin 2006.
    """
    labels, risk = binary_labels(y), scores_of(probability, "probability")
    same_length(y=labels, probability=risk)
    if risk.ndim != 1 or risk.min() < 0 or risk.max() > 1:
        raise EvaluationError(
            f"scores {risk.shape} from {risk.min():g} to {risk.max():g} are not the probabilities "
            "of one output; turn them into probabilities (sigmoid) first"
        )
    at = np.arange(1, 100) / 100 if thresholds is None else numbers(thresholds, "thresholds")
    if not ((at >= 0) & (at < 1)).all():
        raise EvaluationError("thresholds have to lie between 0 and 1, without 1")
    count, odds = len(labels), at / (1 - at)
    cases, controls = np.sort(risk[labels]), np.sort(risk[~labels])
    tp = len(cases) - np.searchsorted(cases, at, side="left")
    fp = len(controls) - np.searchsorted(controls, at, side="left")
    prevalence = len(cases) / count
    return DecisionCurve(
        thresholds=at,
        net_benefit=tp / count - fp / count * odds,
        treat_all=prevalence - (1 - prevalence) * odds,
        prevalence=prevalence,
    )
