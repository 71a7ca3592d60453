"""A trained generator with everything that it needs to draw from an ECG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.errors import UsageError, WeightsError
from cardionets_core.evaluate.conditions import ecg_condition
from cardionets_core.interfaces import Condition
from cardionets_core.registry import Registry
from cardionets_core.weights.fetch import resolve
from cardionets_core.weights.header import WeightsHeader, read_header
from cardionets_core.weights.load import load, load_part, transform_of


@dataclass(slots=True, eq=False)
class LoadedGenerator:
    """A generator in evaluation mode, and what makes its condition.

    Attributes:
        name: What to call the weights.
        path: Their file.
        generator: See ``cardionets_core.interfaces.Generator``.
        encoder: Its ECG encoder, or None if it is conditioned on phenotypes.
        aligner: The encoder's aligner, if the condition is an aligned embedding.
        transform: Preprocessing of the ECG, or None.
        header: What the weights say about themselves.
        device: Where it computes.
    """

    name: str
    path: Path
    generator: Any
    encoder: Any | None
    aligner: Any | None
    transform: EcgTransform | None
    header: WeightsHeader
    device: torch.device

    @property
    def condition(self) -> Condition:
        """What it is conditioned on."""
        condition: Condition = self.generator.condition
        return condition

    def to(self, device: torch.device | str) -> LoadedGenerator:
        """Move everything to a device."""
        self.device = torch.device(device)
        for module in (self.generator, self.encoder, self.aligner):
            if module is not None:
                module.to(self.device)
        return self

    def conditions(self, prepared: NDArray[np.float32], lead_mask: NDArray[np.bool_]) -> Tensor:
        """Conditions of prepared ECGs.

        Args:
            prepared: Outputs of the transform's ``prepare``, (B, 12, n).
            lead_mask: True where a lead is there, (B, 12).

        Returns:
            (B, C) on the device.

        Raises:
            UsageError: If the generator does not draw from ECGs.
        """
        if self.encoder is None or self.transform is None:
            raise UsageError(
                f"{self.name} draws from {self.condition}, and not from an ECG; name weights of a "
                "generator that was trained with --encoder"
            )
        crops = torch.from_numpy(self.transform.eval_crops(prepared)).to(self.device)
        mask = None if lead_mask.all() else torch.from_numpy(lead_mask).to(self.device)
        return ecg_condition(self.encoder, self.aligner, crops, mask)

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        *,
        seeds: Sequence[int],
        steps: int | None = None,
        guidance: float | None = None,
        batch_size: int = 32,
    ) -> Tensor:
        """Draw cines.

        Args:
            condition: (B, C).
            seeds: One per record.
            steps: Steps of the sampler; its own number if None.
            guidance: Strength of the guidance; its own if None.
            batch_size: Records at a time.

        Returns:
            Views (B, T, H, W) in [-1, 1] on the CPU; ``generator.restore`` makes cines of them.

        Raises:
            UsageError: If steps or guidance make no sense.
        """
        drawn = [
            self.generator.sample(
                condition[first : first + batch_size].to(self.device),
                seed=list(seeds[first : first + batch_size]),
                steps=steps,
                guidance=guidance,
            )[:, 0].cpu()
            for first in range(0, len(condition), batch_size)
        ]
        return torch.cat(drawn)


def load_generator(
    name: str | Path, *, offline: bool | None = None, registry: Registry | None = None
) -> LoadedGenerator:
    """Load a generator with its encoder and its autoencoder.

    Args:
        name: A zoo id, url, run folder or file.
        offline: Refuse the network; None asks ``CARDIONETS_OFFLINE``.
        registry: Where names are looked up; None for the installed plugins.

    Raises:
        WeightsError: If the file is not sound, holds no generator, or its parts do not fit.
    """
    path = resolve(name, offline=offline, registry=registry)
    header = read_header(path)
    if "generator" not in header.parts:
        raise WeightsError(
            f"{name} holds {', '.join(header.parts)} and no generator; name a run of "
            "`cardionets train --generator ...`"
        )
    generator = load(path, "generator", offline=offline, registry=registry)
    by_ecg = generator.condition != "phenotypes"
    if by_ecg and "encoder" not in header.parts:
        raise WeightsError(f"{name} lacks the ECG encoder that its generator draws from")
    encoder = load_part(path, "encoder", registry=registry).eval() if by_ecg else None
    aligner = None
    if generator.condition == "ecg-projected":
        aligner = load_part(path, "aligner", registry=registry).eval()
    return LoadedGenerator(
        name=str(name),
        path=path,
        generator=generator,
        encoder=encoder,
        aligner=aligner,
        transform=transform_of(header) if by_ecg else None,
        header=header,
        device=torch.device("cpu"),
    )
