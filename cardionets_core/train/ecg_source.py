"""ECGs of a cohort as training and evaluation batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cardionets_core.cohort.reader import Cohort
from cardionets_core.ecg.crops import random_crop_starts
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.train.arrays import cached_array

# What the deterministic part does not depend on.
_CROP_OPTIONS = {"crop_samples", "standardise", "eval_crops", "eval_crop_rule"}


class EcgSource:
    """Prepared ECGs: resampled and filtered once, cropped and standardised at each read.

    Args:
        cohort: An open cohort.
        transform: The transform; fitted here on ``train_rows`` if it needs that.
        rows: Cohort rows that will be read.
        train_rows: Rows of ``rows`` that the transform may be fitted on.
        on_block: Told how many records were prepared.
    """

    def __init__(
        self,
        cohort: Cohort,
        transform: EcgTransform,
        *,
        rows: NDArray[np.int64],
        train_rows: NDArray[np.int64],
        on_block: Callable[[int], None] = lambda _: None,
    ) -> None:
        options = transform.config.model_dump(mode="json", exclude=_CROP_OPTIONS)
        self._prepared = cached_array(
            "ecg",
            [cohort.content_hash, options],
            shape=(len(cohort), 12, transform.config.prepared_samples),
            dtype=np.float32,
            fill=lambda block: transform.prepare(cohort.ecg_mv(block)),
            rows=rows,
            on_block=on_block,
        )
        self._lead_mask = cohort.lead_mask
        if transform.needs_fit:
            transform = transform.fit(
                self._prepared[train_rows[i : i + 256]] for i in range(0, len(train_rows), 256)
            )
        self.transform = transform

    def train_crops(self, rows: NDArray[np.int64], *, seed: int, epoch: int) -> dict[str, Tensor]:
        """One random crop per record, ``x`` (B, 12, crop); a mask unless all leads are there."""
        config = self.transform.config
        starts = random_crop_starts(
            rows,
            seed=seed,
            epoch=epoch,
            length=config.prepared_samples,
            crop=config.crop_samples,
        )
        return self._inputs(self.transform.train_crops(self._prepared[rows], starts), rows)

    def middle_crops(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        """The middle one of the evaluation crops of each record, as ``train_crops`` gives it."""
        starts = self.transform.eval_starts
        middle = np.full(len(rows), starts[len(starts) // 2])
        return self._inputs(self.transform.train_crops(self._prepared[rows], middle), rows)

    def eval_crops(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        """All evaluation crops: ``x`` (B, crops, 12, crop) and the mask of each record."""
        return self._inputs(self.transform.eval_crops(self._prepared[rows]), rows)

    def _inputs(self, crops: NDArray[np.float32], rows: NDArray[np.int64]) -> dict[str, Tensor]:
        inputs = {"x": torch.from_numpy(crops)}
        mask = self._lead_mask[rows]
        if not mask.all():
            inputs["lead_mask"] = torch.from_numpy(mask)
        return inputs
