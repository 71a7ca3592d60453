"""ECG-CMR alignment: the ECG encoder and both projections are trained, the CMR encoder is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from cardionets_core.cohort.reader import Cohort
from cardionets_core.interfaces import LossAndLog
from cardionets_core.train.ecg_source import EcgSource
from cardionets_core.train.stage import Batch


class AlignmentModel(nn.Module):
    """What alignment trains.

    Args:
        encoder: The ECG encoder.
        aligner: The aligner, fitted.
    """

    def __init__(self, encoder: Any, aligner: Any) -> None:
        super().__init__()
        self.encoder, self.aligner = encoder, aligner

    def forward(self, x: Tensor, cmr: Tensor, lead_mask: Tensor | None = None) -> LossAndLog:
        """Loss of ECG crops (B, 12, S) against the same subjects' CMR features (B, P)."""
        ecg = self.aligner.embed_ecg(self.encoder(x, lead_mask))
        loss: LossAndLog = self.aligner.loss(
            ecg, self.aligner.embed_cmr(cmr), self.aligner.phi(cmr)
        )
        return loss


class AlignStage:
    """Alignment; see ``cardionets_core.train.stage.Stage``.

    Args:
        module: Encoder and aligner; the aligner is fitted here, on the training rows alone.
        ecgs: The ECGs.
        cmr_features: Pooled features of the frozen CMR encoder by cohort row, (n, P).
        cohort: Where the rows' ids are.
        train_rows: Rows to train on.
        val_rows: Rows to validate on.
        seed: Seed of the crops.
    """

    contrastive = True

    def __init__(
        self,
        module: AlignmentModel,
        ecgs: EcgSource,
        cmr_features: NDArray[np.float32],
        cohort: Cohort,
        *,
        train_rows: NDArray[np.int64],
        val_rows: NDArray[np.int64],
        seed: int,
    ) -> None:
        self.module = module
        self.ecgs, self.cmr_features, self.cohort, self.seed = ecgs, cmr_features, cohort, seed
        self.train_rows, self.val_rows = train_rows, val_rows
        module.aligner.fit(torch.from_numpy(cmr_features[train_rows]))

    def lr_scales(self) -> dict[str, float]:
        """All parameters learn at one rate."""
        return {}

    def train_batch(self, rows: NDArray[np.int64], epoch: int) -> Batch:
        """Random crops with the subjects' CMR features."""
        return self._batch(rows, self.ecgs.train_crops(rows, seed=self.seed, epoch=epoch))

    def val_batch(self, rows: NDArray[np.int64]) -> Batch:
        """The middle crop with the subjects' CMR features."""
        return self._batch(rows, self.ecgs.middle_crops(rows))

    def finish(self, device: torch.device) -> None:
        """Nothing follows from the trained weights."""

    def describe_rows(self, rows: NDArray[np.int64]) -> list[str]:
        """Pseudonymous record ids."""
        return [str(record) for record in self.cohort.record_ids[rows]]

    def _batch(self, rows: NDArray[np.int64], ecg: dict[str, Tensor]) -> Batch:
        return Batch(rows, {**ecg, "cmr": torch.from_numpy(self.cmr_features[rows])})


@torch.no_grad()
def paired_embeddings(
    stage: AlignStage, rows: NDArray[np.int64], *, device: torch.device, batch_size: int = 64
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit-norm embeddings of both sides, an ECG's averaged over its evaluation crops.

    Args:
        stage: A trained alignment.
        rows: Cohort rows with ECG and cine.
        device: Where to compute.
        batch_size: Records at a time.

    Returns:
        ECG and CMR embeddings, (n, E) each.
    """
    model = stage.module.eval().to(device)
    ecg, cmr = [], []
    for first in range(0, len(rows), batch_size):
        block = rows[first : first + batch_size]
        inputs = {name: t.to(device) for name, t in stage.ecgs.eval_crops(block).items()}
        records, crops = inputs["x"].shape[:2]
        mask = inputs.get("lead_mask")
        features = model.encoder(
            inputs["x"].flatten(0, 1),
            None if mask is None else mask.repeat_interleave(crops, dim=0),
        )
        embedded = model.aligner.embed_ecg(features).unflatten(0, (records, crops))
        ecg.append(normalize(embedded.mean(dim=1), dim=1).cpu().numpy())
        pooled = torch.from_numpy(stage.cmr_features[block]).to(device)
        cmr.append(model.aligner.embed_cmr(pooled).cpu().numpy())
    return np.concatenate(ecg), np.concatenate(cmr)
