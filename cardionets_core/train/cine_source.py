"""Cines of a cohort as an encoder sees them, and the frozen encoder's features of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cardionets_core.cohort.reader import Cohort
from cardionets_core.train.arrays import cached_array


class CineSource:
    """Views of cines; a view smaller than the stored cine is computed once.

    Args:
        cohort: An open cohort.
        encoder: A CMR encoder; its ``view`` says what it sees of a cine.
        key: What the view depends on, JSON-able: the encoder's name and options.
        rows: Cohort rows that will be read.
        on_block: Told how many cines were read.
    """

    def __init__(
        self,
        cohort: Cohort,
        encoder: Any,
        key: object,
        *,
        rows: NDArray[np.int64],
        on_block: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._cohort, self._encoder = cohort, encoder
        self._views: NDArray[Any] | None = None
        stored, seen = cohort.cines(rows[:1]).shape[1:], self._view(rows[:1]).shape[1:]
        if np.prod(seen) < np.prod(stored):
            self._views = cached_array(
                "cine",
                [cohort.content_hash, key],
                shape=(len(cohort), *seen),
                # Half precision is finer than the 256 grey levels of a stored cine.
                dtype=np.float16,
                fill=lambda block: self._view(block).numpy(),
                rows=rows,
                on_block=on_block,
            )

    def views(self, rows: NDArray[np.int64]) -> Tensor:
        """Views in [-1, 1], (B, T, H, W) float32."""
        if self._views is None:
            return self._view(rows)
        return torch.from_numpy(self._views[rows].astype(np.float32))

    def _view(self, rows: NDArray[np.int64]) -> Tensor:
        cine = torch.from_numpy(self._cohort.cines(rows)).float().div_(127.5).sub_(1.0)
        view: Tensor = self._encoder.view(cine)
        return view


@torch.no_grad()
def frozen_features(
    cohort: Cohort,
    encoder: Any,
    key: object,
    *,
    rows: NDArray[np.int64],
    device: torch.device,
    on_block: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float32]:
    """Pooled features (n, P) of a frozen CMR encoder, computed once in float32.

    Args:
        cohort: An open cohort.
        encoder: The encoder; it is put into evaluation mode and not changed.
        key: What the features depend on besides the cohort: the hash of the weights.
        rows: Cohort rows that will be read.
        device: Where to compute.
        on_block: Told how many cines were encoded.

    Returns:
        One row per cohort row; those not in ``rows`` are zero.
    """
    encoder = encoder.eval().to(device)

    def encode(block: NDArray[np.int64]) -> NDArray[np.float32]:
        cine = torch.from_numpy(cohort.cines(block)).to(device).float().div_(127.5).sub_(1.0)
        pooled: NDArray[np.float32] = encoder(encoder.view(cine)).pooled.cpu().numpy()
        return pooled

    return cached_array(
        "cmr-features",
        [cohort.content_hash, key],
        shape=(len(cohort), int(encoder.pooled_dim)),
        dtype=np.float32,
        fill=encode,
        rows=rows,
        on_block=on_block,
    )
