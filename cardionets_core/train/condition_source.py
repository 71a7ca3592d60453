"""What a generator is conditioned on, by cohort row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cardionets_core.cohort.reader import Cohort
from cardionets_core.evaluate.conditions import ecg_condition
from cardionets_core.train.arrays import cached_array
from cardionets_core.train.ecg_source import EcgSource


def ecg_conditions(
    cohort: Cohort,
    ecgs: EcgSource,
    encoder: Any,
    aligner: Any | None,
    key: object,
    *,
    rows: NDArray[np.int64],
    device: torch.device,
    on_block: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float32]:
    """Conditions of a frozen ECG encoder, computed once in float32, (n, C).

    Args:
        cohort: An open cohort.
        ecgs: Its ECGs behind the encoder's transform.
        encoder: The encoder; put into evaluation mode and not changed.
        aligner: Its aligner, for a condition in the aligned space, or None.
        key: What the conditions depend on besides the cohort: the hashes of weights.
        rows: Cohort rows that will be read.
        device: Where to compute.
        on_block: Told how many ECGs were encoded.

    Returns:
        One row per cohort row; those not in ``rows`` are zero.
    """
    encoder = encoder.eval().to(device)
    aligner = None if aligner is None else aligner.eval().to(device)

    def condition(block: NDArray[np.int64]) -> NDArray[np.float32]:
        inputs = {name: tensor.to(device) for name, tensor in ecgs.eval_crops(block).items()}
        found: NDArray[np.float32] = (
            ecg_condition(encoder, aligner, inputs["x"], inputs.get("lead_mask")).cpu().numpy()
        )
        return found

    width = condition(rows[:1]).shape[1]
    return cached_array(
        "ecg-conditions",
        [cohort.content_hash, ecgs.transform.hash, key],
        shape=(len(cohort), width),
        dtype=np.float32,
        fill=condition,
        rows=rows,
        on_block=on_block,
    )


def phenotype_conditions(cohort: Cohort) -> NDArray[np.float32]:
    """The 82 phenotypes of every row in field order, (n, 82); NaN where not measured."""
    return np.asarray(cohort.phenotypes, dtype=np.float32)
