"""What is asked of an evaluation of a generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cardionets_core.errors import UsageError

DEFAULT_BASELINES = ("mean-cine", "nearest-cine")


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """One evaluation.

    Attributes:
        weights: Runs, zoo ids, files or urls of generators; the first is the one evaluated, the
            others are compared with it.
        cohort: Cohort with ECG and cine of people that no weights have seen.
        out: Folder to make.
        baselines: Generators that are fitted on the cohort's role ``pretrain`` beforehand.
        cmr_encoder: Weights of the CMR encoder whose features are compared; None for the shipped
            one, where it fits.
        regressor: Run of a CMR encoder with a head for the phenotypes; None to fit a ridge
            regression.
        split: Only test subjects of this split.
        subjects: At most so many test subjects.
        draws: Cines drawn per test subject for the mean of the predicted phenotypes.
        steps: Sampler steps of the first generator; its own number if None.
        guidance: Guidance of the first generator; its own if None.
        resamples: Of bootstrap intervals and permutation tests.
        halvings: Of the subjects, for distances of distributions.
        seed: Of everything that is drawn.
        offline: Refuse the network; None asks ``CARDIONETS_OFFLINE``.
        command: The command line without local paths, for the report.
    """

    weights: tuple[str, ...]
    cohort: Path
    out: Path
    baselines: tuple[str, ...] = DEFAULT_BASELINES
    cmr_encoder: str | None = None
    regressor: str | None = None
    split: str | None = None
    subjects: int | None = None
    draws: int = 4
    steps: int | None = None
    guidance: float | None = None
    resamples: int = 10_000
    halvings: int = 50
    seed: int = 0
    offline: bool | None = None
    command: str = ""

    def __post_init__(self) -> None:
        for name, least in (("draws", 1), ("resamples", 20), ("halvings", 2), ("subjects", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"--{name} {value}: at least {least} is needed")
        if not self.weights:
            raise UsageError("no generator to evaluate; name one with --weights RUN")
