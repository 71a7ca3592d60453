"""Retrieval: how often an ECG finds its own CMR among all others, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.statistics import wilson_interval

Direction = Literal["ecg-to-cmr", "cmr-to-ecg"]
DEFAULT_KS = (1, 5, 10)

# 64 MB of similarities at a time, whatever the number of subjects.
SIMILARITIES_AT_ONCE = 8_000_000
# Matrix products round equal cosines differently at different places; float64 leaves about 1e-15.
TIE_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class RetrievalRow:
    """Recall at k in one direction with its 95 % Wilson interval and the recall of guessing."""

    direction: Direction
    k: int
    recall: float
    low: float
    high: float
    chance: float


class Rivals(NamedTuple):
    """For each query (n,), how many wrong targets are ahead of the right one, and how many tie."""

    ahead: NDArray[np.int64]
    tied: NDArray[np.int64]

    def hits(self, k: int) -> float:
        """Queries whose right target is among the first k; ties are drawn by lot, on average.

        An encoder that gives everyone the same embedding is thus at chance, not at 1.

        Raises:
            ValueError: If k is below 1.
        """
        if k < 1:
            raise ValueError(f"k = {k}: k has to be 1 or more")
        places_left = np.clip(k - self.ahead, 0, self.tied + 1)
        return float((places_left / (self.tied + 1)).sum())


def rivals(ecg: ArrayLike, cmr: ArrayLike) -> dict[Direction, Rivals]:
    """Compare every pair's cosine with those of all wrong pairs, a block of rows at a time.

    Args:
        ecg: ECG embeddings, (n, E), of any length.
        cmr: CMR embeddings of the same subjects in the same order, (n, E).

    Raises:
        EvaluationError: If shapes differ, nothing is there, or an embedding has no direction.
    """
    ecg_unit, cmr_unit = _unit_rows(ecg, "ECG"), _unit_rows(cmr, "CMR")
    if ecg_unit.shape != cmr_unit.shape:
        raise EvaluationError(
            f"ECG embeddings {ecg_unit.shape} and CMR embeddings {cmr_unit.shape} do not pair up; "
            "embed the same subjects with the same aligner"
        )
    count = len(ecg_unit)
    own = np.einsum("ne,ne->n", ecg_unit, cmr_unit)
    # Entry 0: rows, ECG to CMR; entry 1: columns, CMR to ECG.
    ahead, level = np.zeros((2, count), np.int64), np.zeros((2, count), np.int64)
    step = max(1, SIMILARITIES_AT_ONCE // count)
    for start in range(0, count, step):
        rows = slice(start, start + step)
        similarity = ecg_unit[rows] @ cmr_unit.T
        for side, (own_of, axis, queries) in enumerate(
            ((own[rows, None], 1, rows), (own[None, :], 0, slice(None)))
        ):
            ahead[side, queries] += (similarity > own_of + TIE_TOLERANCE).sum(axis=axis)
            level[side, queries] += (similarity >= own_of - TIE_TOLERANCE).sum(axis=axis)
    # Each query ties with its own target, which is no rival.
    tied = level - ahead - 1
    return {"ecg-to-cmr": Rivals(ahead[0], tied[0]), "cmr-to-ecg": Rivals(ahead[1], tied[1])}


def recall_at_k(
    ecg: ArrayLike, cmr: ArrayLike, ks: Sequence[int] = DEFAULT_KS
) -> dict[Direction, dict[int, float]]:
    """Share of queries whose own pair is among the k most similar, by direction and k.

    Arguments and errors as of ``rivals``.
    """
    return {
        direction: {k: found.hits(k) / len(found.ahead) for k in ks}
        for direction, found in rivals(ecg, cmr).items()
    }


def retrieval_table(
    ecg: ArrayLike, cmr: ArrayLike, ks: Sequence[int] = DEFAULT_KS
) -> list[RetrievalRow]:
    """Recall at each k in both directions, with intervals and chance.

    Arguments and errors as of ``rivals``.
    """
    table = []
    for direction, found in rivals(ecg, cmr).items():
        count = len(found.ahead)
        for k in ks:
            hits = found.hits(k)
            low, high = wilson_interval(hits, count)
            chance = min(1.0, k / count)
            table.append(RetrievalRow(direction, k, hits / count, low, high, chance))
    return table


def shuffled_pairs_control(
    ecg: ArrayLike, cmr: ArrayLike, ks: Sequence[int] = DEFAULT_KS, *, seed: int = 0
) -> list[RetrievalRow]:
    """The same table after the CMRs were dealt out at random: has to come out at chance.

    Arguments and errors as of ``rivals``; ``seed`` draws the order.
    """
    cmr = np.asarray(cmr)
    order = np.random.default_rng(seed).permutation(len(cmr))
    return retrieval_table(ecg, cmr[order], ks)


def _unit_rows(embeddings: ArrayLike, name: str) -> NDArray[np.float64]:
    """Rows divided by their length, float64."""
    rows = np.asarray(embeddings, dtype=np.float64)
    if rows.ndim != 2 or rows.size == 0:
        raise EvaluationError(
            f"{name} embeddings of shape {rows.shape}, but (subjects, width) is needed, neither 0"
        )
    largest = np.abs(rows).max(axis=1, keepdims=True)
    usable = np.isfinite(largest) & (largest > 0)
    if not usable.all():
        raise EvaluationError(
            f"{int((~usable).sum())} of {len(rows)} {name} embeddings are zero or not finite; "
            "check the checkpoint they were made with"
        )
    rows = rows / largest
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
