"""What a user asks ``train`` for, and which stage that is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cardionets_core.errors import PluginError, UsageError
from cardionets_core.options import Given
from cardionets_core.registry import Component, Registry
from cardionets_core.spec import Kind

# The component that decides a stage, and whose preset holds its numbers.
_LEADING: tuple[Kind, ...] = ("aligner", "encoder")


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """One ``train`` command.

    Attributes:
        components: Role to component name as named by the user, e.g. ``{"encoder": "stmem"}``.
        given: Preset and options.
        out: Run folder to make.
        seed: Seed of initial weights, sampling, crops and masks.
        weights: Role to zoo id, run folder, path or url; ``random`` and ``train`` are also taken.
        cohort: Prepared cohort, or None.
        dataset: Dataset to prepare one from, or None for the default one.
        offline: Never use the network.
        new_transform: Replace the ECG transform of the weights by the one of the options.
        command: The command line, without local paths, for the lineage.
    """

    components: Mapping[str, str]
    given: Given
    out: Path
    seed: int = 0
    weights: Mapping[str, str] = field(default_factory=dict)
    cohort: Path | None = None
    dataset: str | None = None
    offline: bool = False
    new_transform: bool = False
    command: str = ""

    def leading(self, registry: Registry) -> Component:
        """The component that decides the stage.

        Raises:
            UsageError: If no component was named that can be trained.
        """
        for kind in _LEADING:
            if kind in self.components:
                return registry.find(kind, self.components[kind])
        raise UsageError(
            "nothing to train: name --encoder, and --aligner to align it with CMR, e.g. "
            "cardionets train --encoder stmem --aligner weighted-infonce"
        )


def stage_name(leading: Component) -> str:
    """Name of the stage that a leading component stands for.

    Raises:
        PluginError: If an encoder does not say what it reads.
    """
    if leading.spec.kind == "aligner":
        return "alignment"
    if leading.spec.modality is None:
        raise PluginError(
            f"encoder {leading.qualified_name!r} does not declare what it reads; its plugin "
            'needs ComponentSpec(modality="ecg") or "cmr"'
        )
    return f"{leading.spec.modality}-pretraining"


def default_out(components: Mapping[str, str]) -> Path:
    """``runs/NAMES-TIME`` in the working folder."""
    named = "-".join(components.values()) or "run"
    return Path("runs") / f"{named}-{time.strftime('%Y%m%d-%H%M%S')}".replace(":", "-")
