"""Training of an autoencoder of cines."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cardionets_core.cohort.reader import Cohort
from cardionets_core.interfaces import LossAndLog
from cardionets_core.train.cine_source import CineSource
from cardionets_core.train.fixed_noise import fixed_noise
from cardionets_core.train.stage import Batch

# The SD of latents is one number; so many cines tell it to a fraction of a percent.
_MOST_FOR_SCALE = 2048


class AutoencoderModel(nn.Module):
    """What the stage trains.

    Args:
        autoencoder: The autoencoder.
    """

    def __init__(self, autoencoder: Any) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, x: Tensor) -> LossAndLog:
        """Loss of views (B, T, H, W)."""
        with fixed_noise(x.device, wanted=not self.training):
            loss: LossAndLog = self.autoencoder.loss(x[:, None])
        return loss


class AutoencoderStage:
    """Training of an autoencoder; see ``cardionets_core.train.stage.Stage``.

    Args:
        module: The autoencoder, wrapped.
        cines: Its views of the cines.
        cohort: Where the rows' ids are.
        train_rows: Rows to train on.
        val_rows: Rows to validate on.
    """

    contrastive = False

    def __init__(
        self,
        module: AutoencoderModel,
        cines: CineSource,
        cohort: Cohort,
        *,
        train_rows: NDArray[np.int64],
        val_rows: NDArray[np.int64],
    ) -> None:
        self.module: Any = module
        self.cines, self.cohort = cines, cohort
        self.train_rows, self.val_rows = train_rows, val_rows

    def lr_scales(self) -> dict[str, float]:
        """The autoencoder's own, such as a discriminator's."""
        autoencoder = self.module.autoencoder
        own: dict[str, float] = autoencoder.lr_scales() if hasattr(autoencoder, "lr_scales") else {}
        return {f"autoencoder.{name}": scale for name, scale in own.items()}

    def train_batch(self, rows: NDArray[np.int64], epoch: int) -> Batch:
        """Views; there is no augmentation."""
        return Batch(rows, {"x": self.cines.views(rows)})

    def val_batch(self, rows: NDArray[np.int64]) -> Batch:
        """Views."""
        return Batch(rows, {"x": self.cines.views(rows)})

    @torch.no_grad()
    def finish(self, device: torch.device) -> None:
        """Tell the autoencoder the SD of its raw latents over the training cines."""
        autoencoder = self.module.autoencoder.eval().to(device)
        step = -(-len(self.train_rows) // _MOST_FOR_SCALE)
        rows = self.train_rows[::step]
        count, total, squares = 0, 0.0, 0.0
        for first in range(0, len(rows), 32):
            x = self.cines.views(rows[first : first + 32]).to(device)
            moments = autoencoder.encode(x[:, None])
            mean = moments.mean.double()
            count += mean.numel()
            total += float(mean.sum())
            squares += float((mean.square() + moments.log_variance.double().exp()).sum())
        unscaled = float(autoencoder.latent_scale)
        autoencoder.fit_scale(unscaled * (squares / count - (total / count) ** 2) ** 0.5)

    def describe_rows(self, rows: NDArray[np.int64]) -> list[str]:
        """Pseudonymous record ids."""
        return [str(record) for record in self.cohort.record_ids[rows]]
