"""A generator of random cines that draws its own phenotypes, and runs of it."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import torch
from torch import nn

from cardionets_core.cmr.views import CineView
from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.config import Options
from cardionets_core.interfaces import LossAndLog
from cardionets_core.plugins import Discovery, Plugin
from cardionets_core.registry import Registry
from cardionets_core.spec import ComponentSpec
from cardionets_core.weights.file import PartHeader, WeightsHeader, save_weights, tensors_of
from cardionets_core.weights.lineage import LineageStep, extend


class DrawnConfig(Options):
    """No options: both made-up generators have none."""


class GivenPhenotypes(nn.Module):
    """Draws a still cine whose grey levels follow from the first phenotype and the seed."""

    condition, trained_by_steps = "phenotypes", True

    def __init__(self, config, *, condition_dim):
        super().__init__()
        self._view, self.cine_shape = CineView(0, 10, 8), CineView(0, 10, 8).shape
        self.register_buffer("width", torch.tensor(condition_dim))

    def view(self, cine):
        return self._view.view(cine)

    def restore(self, view):
        return self._view.restore(view)

    def target(self, cine):
        return cine

    def loss(self, target, condition, *, noise=None):
        return LossAndLog(target.mean(), {})

    def sample(self, condition, *, seed, steps=None, guidance=None):
        every = [torch.Generator().manual_seed(one) for one in seed]
        drawn = torch.stack([torch.rand((1, *self.cine_shape), generator=one) for one in every])
        level = condition[:, :1, None, None, None] * 0.005
        return (drawn * 0.5 + level) * 2 - 1


class OwnPhenotypes(GivenPhenotypes):
    """Draws the phenotypes too."""

    def sample_condition(self, n, *, seed):
        return torch.rand(n, int(self.width), generator=torch.Generator().manual_seed(seed)) * 50


def registry():
    """A plugin with the two generators."""
    module = types.ModuleType("made_up_generators")
    module.DrawnConfig = DrawnConfig
    module.GivenPhenotypes, module.OwnPhenotypes = GivenPhenotypes, OwnPhenotypes
    sys.modules["made_up_generators"] = module
    specs = tuple(
        ComponentSpec(
            name=name,
            kind="generator",
            summary="made up",
            config="made_up_generators:DrawnConfig",
            target=f"made_up_generators:{target}",
        )
        for name, target in (("given", "GivenPhenotypes"), ("own", "OwnPhenotypes"))
    )
    plugin = Plugin("tests", "cardionets-tests", "1", {"cardionets_generators": specs})
    return Registry(Discovery((plugin,), ()))


def run_of(
    folder: Path,
    seen: Fingerprints | None,
    *,
    name: str = "own",
    licence: str = "CC-BY-NC-4.0",
    simulated: bool = True,
) -> Path:
    """A run folder of a generator; zoo weights without fingerprints where ``seen`` is None."""
    folder.mkdir()
    component = registry().find("generator", name)
    config = DrawnConfig()
    target = {"given": GivenPhenotypes, "own": OwnPhenotypes}[name]
    module = target(config, condition_dim=82)
    ranges = () if seen is None else tuple(tuple(r) for r in seen.simulated)
    step = LineageStep(
        command="cardionets train --generator own", stage="generation", simulated=simulated,
        simulated_ranges=ranges if simulated else (), licence=licence,
    )  # fmt: skip
    part = PartHeader.of(component, config, condition_dim=82)
    header = WeightsHeader.of({"generator": part}, extend([], step))
    save_weights(folder / "weights.safetensors", tensors_of({"generator": module}), header)
    if seen is not None:
        seen.save(folder / "fingerprints.npz")
        (folder / "run.json").write_text(json.dumps({"status": "finished"}))
    return folder
