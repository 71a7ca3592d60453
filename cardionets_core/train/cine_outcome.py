"""What a stage that ends in cines shows of them: numbers and a sheet, on unseen subjects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cardionets_core.evaluate.cine_rows import cine_rows
from cardionets_core.evaluate.metric_rows import MetricRow
from cardionets_core.evaluate.plots.cines import CineGroup, CineRow, draw_contact_sheet
from cardionets_core.train.autoencode import AutoencoderStage
from cardionets_core.train.generate_cines import GenerationStage

# A look, not the evaluation: `cardionets evaluate-generator` draws for every subject.
LOOKED_AT = 32
_SHOWN = 4
_AT_ONCE = 16
_SEED = 0


def some_of(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """A few rows, evenly from all of them."""
    return rows[:: max(1, -(-len(rows) // LOOKED_AT))]


@torch.no_grad()
def cine_outcome(
    stage: AutoencoderStage | GenerationStage,
    rows: NDArray[np.int64],
    folder: Path,
    *,
    device: torch.device,
    simulated: bool,
) -> list[MetricRow]:
    """Compare reconstructions or drawn cines with the true ones, and show some.

    Args:
        stage: A trained stage.
        rows: Cohort rows that nothing was trained on; nothing is done without any.
        folder: The run folder.
        device: Where to compute.
        simulated: Whether subjects are simulated; said on the sheet.
    """
    if not len(rows):
        return []
    drawn, truth = [], []
    for first in range(0, len(rows), _AT_ONCE):
        block = rows[first : first + _AT_ONCE]
        views = stage.cines.views(block)
        drawn.append(_drawn(stage, block, views, device).float().cpu().numpy())
        truth.append(views.numpy())
    made, real = np.concatenate(drawn), np.concatenate(truth)
    told = "reconstructed" if isinstance(stage, AutoencoderStage) else "drawn"
    draw_contact_sheet(
        [
            CineGroup(
                f"Unseen subject {number + 1}",
                (
                    CineRow("true", real[number], synthetic=False, simulated=simulated),
                    CineRow(told, made[number], synthetic=True, simulated=simulated),
                ),
            )
            for number in range(min(_SHOWN, len(made)))
        ],
        folder / "cines",
    )
    return cine_rows(made, real)


def _drawn(
    stage: AutoencoderStage | GenerationStage,
    rows: NDArray[np.int64],
    views: Tensor,
    device: torch.device,
) -> Tensor:
    """Cines (B, T, H, W) of some rows."""
    if isinstance(stage, AutoencoderStage):
        autoencoder = stage.module.autoencoder.eval().to(device)
        reconstructed: Tensor = autoencoder.decode(autoencoder.encode(views.to(device)[:, None])[0])
        return reconstructed[:, 0]
    generator = stage.generator.eval().to(device)
    condition = torch.from_numpy(stage.conditions[rows]).to(device)
    sampled: Tensor = generator.sample(condition, seed=[_SEED + int(row) for row in rows])
    return sampled[:, 0]
