"""A downstream task: an encoder and a head, fine-tuned together or the head alone."""

from __future__ import annotations

import re
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cardionets_core.cohort.reader import Cohort
from cardionets_core.cohort.targets import Targets
from cardionets_core.errors import ConfigError
from cardionets_core.evaluate.crops import average_crops
from cardionets_core.interfaces import Features, LossAndLog
from cardionets_core.train.cine_source import CineSource
from cardionets_core.train.ecg_source import EcgSource
from cardionets_core.train.protocol import ProtocolConfig
from cardionets_core.train.stage import Batch
from cardionets_core.train.subsets import Subsets

_BLOCK = re.compile(r"blocks\.(\d+)\.")
_BATCH = 64


class DownstreamModel(nn.Module):
    """What a downstream task trains.

    Args:
        encoder: Of either modality.
        head: The head.
        probe: Keep the encoder as it is: no gradients, no dropout, no running statistics.
    """

    def __init__(self, encoder: Any, head: Any, *, probe: bool) -> None:
        super().__init__()
        self.encoder, self.head, self.probe = encoder, head, probe
        if probe:
            encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Training mode, in which a frozen encoder has no part."""
        super().train(mode)
        if self.probe:
            self.encoder.eval()
        return self

    def forward(self, x: Tensor, target: Tensor, lead_mask: Tensor | None = None) -> LossAndLog:
        """Loss of a batch against its targets (B, T)."""
        return LossAndLog(self.head.loss(self.outputs(x, lead_mask), target), {})

    def outputs(self, x: Tensor, lead_mask: Tensor | None = None) -> Tensor:
        """Raw outputs of the head, (B, outputs)."""
        raw: Tensor = self.head(self.features(x, lead_mask))
        return raw.float()

    def features(self, x: Tensor, lead_mask: Tensor | None = None) -> Features:
        """Features of the encoder."""
        found: Features = self.encoder(x, lead_mask)
        return found


class DownstreamStage:
    """A downstream task; see ``cardionets_core.train.stage.Stage``.

    Args:
        module: Encoder and head; the head's scaler is fitted here, on the training rows alone.
        source: ECGs or cines.
        cohort: Where the rows' ids are.
        targets: The task's targets, by cohort row.
        subsets: Rows to train, select and test on.
        protocol: How the task is learnt.
        seed: Seed of the crops and of the head's start.
    """

    contrastive = False

    def __init__(
        self,
        module: DownstreamModel,
        source: EcgSource | CineSource,
        cohort: Cohort,
        targets: Targets,
        subsets: Subsets,
        protocol: ProtocolConfig,
        *,
        seed: int,
    ) -> None:
        self.module = module
        self.source, self.cohort, self.seed = source, cohort, seed
        self.targets, self.subsets, self.protocol = targets, subsets, protocol
        self.train_rows = subsets.train
        self.val_rows = subsets.test if protocol.select_on == "reported" else subsets.val
        if hasattr(module.head, "fit"):
            module.head.fit(self._target(subsets.train))

    def start_head(self, device: torch.device) -> None:
        """Begin from a closed-form solution on the encoder's features of the training rows."""
        pooled = pooled_features(self, self.subsets.train, device=device)
        self.module.head.start(pooled, self._target(self.subsets.train), seed=self.seed)
        self.module.to("cpu")

    def lr_scales(self) -> dict[str, float]:
        """Parameter name to the factor of its learning rate: less for layers far from the head.

        Raises:
            ConfigError: If the encoder does not keep its layers in ``blocks``.
        """
        decay = self.protocol.layer_decay
        if decay == 1.0:
            return {}
        blocks = getattr(self.module.encoder, "blocks", None)
        if blocks is None:
            raise ConfigError(
                "protocol.layer_decay: this encoder keeps its layers not in `blocks`, so that "
                "their order is unknown; set it to 1"
            )
        return {
            f"encoder.{name}": decay ** (len(blocks) + 1 - _layer_of(name, len(blocks)))
            for name, _ in self.module.encoder.named_parameters()
        }

    def train_batch(self, rows: NDArray[np.int64], epoch: int) -> Batch:
        """Random crops, or cines, with their targets."""
        if isinstance(self.source, EcgSource):
            inputs = self.source.train_crops(rows, seed=self.seed, epoch=epoch)
        else:
            inputs = {"x": self.source.views(rows)}
        return Batch(rows, {**inputs, "target": self._target(rows)})

    def val_batch(self, rows: NDArray[np.int64]) -> Batch:
        """The middle crop, or cines, with their targets."""
        if isinstance(self.source, EcgSource):
            inputs = self.source.middle_crops(rows)
        else:
            inputs = {"x": self.source.views(rows)}
        return Batch(rows, {**inputs, "target": self._target(rows)})

    def eval_batch(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        """All evaluation crops: ``x`` (B, crops, ...) and, where leads lack, ``lead_mask``."""
        if isinstance(self.source, EcgSource):
            return self.source.eval_crops(rows)
        return {"x": self.source.views(rows)[:, None]}

    def finish(self, device: torch.device) -> None:
        """Nothing follows from the trained weights."""

    def describe_rows(self, rows: NDArray[np.int64]) -> list[str]:
        """Pseudonymous record ids."""
        return [str(record) for record in self.cohort.record_ids[rows]]

    def _target(self, rows: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self.targets.values[rows])


def _layer_of(name: str, depth: int) -> int:
    """0 for embeddings, 1 to depth for the blocks, then what follows them."""
    if match := _BLOCK.match(name):
        return int(match[1]) + 1
    return depth + 1 if name.startswith("norm") else 0


@torch.no_grad()
def pooled_features(
    stage: DownstreamStage, rows: NDArray[np.int64], *, device: torch.device
) -> Tensor:
    """Pooled features, averaged over the evaluation crops, (n, P) on the CPU."""
    model = stage.module.eval().to(device)
    found = []
    for x, mask, crops in _eval_batches(stage, rows, device):
        pooled = model.features(x, mask).pooled.float()
        found.append(pooled.reshape(-1, crops, pooled.shape[1]).mean(dim=1).cpu())
    return torch.cat(found)


@torch.no_grad()
def predict_rows(
    stage: DownstreamStage, rows: NDArray[np.int64], *, device: torch.device
) -> NDArray[np.float32]:
    """The head's predictions, averaged over the evaluation crops, (n, outputs)."""
    model = stage.module.eval().to(device)
    found = []
    for x, mask, crops in _eval_batches(stage, rows, device):
        outputs = model.outputs(x, mask)
        by_record = outputs.reshape(-1, crops, outputs.shape[1])
        predicted = average_crops(model.head, by_record, stage.protocol.average)
        found.append(predicted.float().cpu().numpy())
    return np.concatenate(found)


def _eval_batches(stage: DownstreamStage, rows: NDArray[np.int64], device: torch.device) -> Any:
    for first in range(0, len(rows), _BATCH):
        batch = stage.eval_batch(rows[first : first + _BATCH])
        x, mask = batch["x"].to(device), batch.get("lead_mask")
        crops = x.shape[1]
        if mask is not None:
            mask = mask.to(device).repeat_interleave(crops, dim=0)
        yield x.flatten(0, 1), mask, crops
