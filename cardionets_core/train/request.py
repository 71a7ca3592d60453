"""What a user asks ``train`` for, and which stage that is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cardionets_core.errors import PluginError, UsageError
from cardionets_core.options import Given
from cardionets_core.registry import Component, Registry
from cardionets_core.spec import Kind, TargetKind

# The component that decides a stage, and whose preset holds its numbers.
_LEADING: tuple[Kind, ...] = ("aligner", "generator", "autoencoder", "head", "encoder")
_STAGES: Mapping[Kind, str] = {
    "aligner": "alignment",
    "generator": "generation",
    "autoencoder": "autoencoding",
    "head": "downstream",
}


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
        task: Task of a head: a name, or several joined by commas.
        labels: CSV with the task's labels, if the cohort does not have them.
        variant: How the encoder of a head is initialised; ``weights`` may name its run.
        shuffle_pairs: Align every ECG with another subject's CMR: a negative control.
        target: What the task's columns are read as, instead of what their values look like.
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
    task: str | None = None
    labels: Path | None = None
    variant: str | None = None
    shuffle_pairs: bool = False
    target: TargetKind | None = None

    def leading(self, registry: Registry) -> Component:
        """The component that decides the stage.

        Raises:
            UsageError: If no component was named that can be trained.
        """
        for kind in _LEADING:
            if kind in self.components:
                return registry.find(kind, self.components[kind])
        raise UsageError(
            "nothing to train: name --encoder, --aligner to align it with CMR, --autoencoder, "
            "--generator, or --head for a task, e.g. cardionets train --encoder stmem --aligner "
            "weighted-infonce"
        )


def stage_name(leading: Component) -> str:
    """Name of the stage that a leading component stands for.

    Raises:
        PluginError: If an encoder does not say what it reads.
    """
    if leading.spec.kind in _STAGES:
        return _STAGES[leading.spec.kind]
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
