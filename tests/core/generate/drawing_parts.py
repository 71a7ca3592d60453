"""A generator of noisy discs on the energy of an ECG, as ``load_generator`` would give it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from cardionets_core.cmr.views import CineView
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.errors import UsageError
from cardionets_core.generate.loading import LoadedGenerator
from cardionets_core.interfaces import Features
from cardionets_core.weights.header import PartHeader, WeightsHeader
from cardionets_core.weights.lineage import LineageStep, extend


class Energy(nn.Module):
    """Pooled features are the mean square of each lead."""

    modality = "ecg"

    def forward(self, x, lead_mask=None):
        pooled = x.square().mean(dim=2)
        return Features(pooled[:, None], pooled)


class NoisyDisc(nn.Module):
    """A disc whose brightness is the condition, in noise that is the seed's."""

    condition, cine_shape, trained_by_steps = "ecg", (10, 48, 48), True

    def __init__(self):
        super().__init__()
        self.asked = []

    def restore(self, view):
        return CineView(2, 5, 2).restore(view)

    def sample(self, condition, *, seed, steps=None, guidance=None):
        if guidance is not None and guidance < 0:
            raise UsageError(f"guidance = {guidance}; needed 0 or more")
        self.asked.append((len(condition), steps, guidance))
        noise = [
            torch.rand(self.cine_shape, generator=torch.Generator().manual_seed(one))
            for one in seed
        ]
        y, x = torch.meshgrid(torch.arange(48.0) - 24, torch.arange(48.0) - 24, indexing="ij")
        disc = (torch.hypot(x, y) < 12).float()
        level = condition.mean(dim=1).tanh()[:, None, None, None]
        return (0.2 * torch.stack(noise) - 0.9 + 1.4 * level * disc)[:, None]


def made_up_generator(path):
    """A loaded generator, with a file of any content at ``path``."""
    transform = EcgTransform(
        EcgTransformConfig(sampling_rate_hz=100, crop_samples=500), np.full(12, 0.2)
    )
    step = LineageStep(command="cardionets train", stage="generation", simulated=True,
                       licence="MIT")  # fmt: skip
    part = PartHeader(component="acme:noisy-disc", kind="generator", distribution="acme",
                      version="1", config={})  # fmt: skip
    header = WeightsHeader.of({"generator": part}, extend([], step), transform=transform.to_state())
    path.write_bytes(b"weights")
    return LoadedGenerator(
        name="/home/somebody/runs/made-up",
        path=path,
        generator=NoisyDisc(),
        encoder=Energy(),
        aligner=None,
        transform=transform,
        header=header,
        device=torch.device("cpu"),
    )
