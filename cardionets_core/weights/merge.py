"""Several runs of downstream tasks as one file: their heads, and each encoder once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from cardionets_core.ecg.transform_state import explain_state_mismatch
from cardionets_core.errors import TransformMismatchError, WeightsError
from cardionets_core.weights.file import load_tensors
from cardionets_core.weights.header import WEIGHTS_FILE, PartHeader, TaskHeader, WeightsHeader
from cardionets_core.weights.licences import strictest
from cardionets_core.weights.lineage import Lineage, LineageStep, extend, public_command

_State = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A component of a run."""

    header: PartHeader
    state: _State

    def equals(self, other: _Part) -> bool:
        """Whether both compute the same; the version of the plugin says nothing about that."""
        return (
            self.header.component == other.header.component
            and self.header.config == other.header.config
            and self.header.arguments == other.header.arguments
            and self.state.keys() == other.state.keys()
            and all(torch.equal(tensor, other.state[name]) for name, tensor in self.state.items())
        )


def merge_runs(
    runs: Mapping[Path, WeightsHeader], name: str
) -> tuple[dict[str, Tensor], WeightsHeader]:
    """Join the heads of several runs.

    A head of task ``cm`` is the part ``head_cm``. The first encoder is the part ``encoder``;
    another one, that is not equal to it in every bit, is ``encoder_TASK``.

    Args:
        runs: Run folder to header of its weights, in the order of the tasks.
        name: What the file will be called, for the lineage.

    Returns:
        Tensors and header. The lineage ends with the joining; its licence is the strictest.

    Raises:
        WeightsError: If a run has no head for a task, or two have one for the same.
        TransformMismatchError: If the runs were trained behind different preprocessing.
    """
    _require_one_transform(runs)
    joined = _Joined()
    for run, header in runs.items():
        joined.add(run, header)
    parts = {**joined.encoders, **joined.heads}
    headers = list(runs.values())
    header = WeightsHeader.of(
        {role: part.header for role, part in parts.items()},
        _lineage(list(runs), headers, name),
        transform=headers[0].transform,
        notes=tuple(dict.fromkeys(note for header in headers for note in header.notes)),
        tasks=joined.tasks,
    )
    return {f"{role}.{k}": v for role, part in parts.items() for k, v in part.state.items()}, header


@dataclass(slots=True)
class _Joined:
    """What the runs so far bring, by new role."""

    encoders: dict[str, _Part] = field(default_factory=dict)
    heads: dict[str, _Part] = field(default_factory=dict)
    tasks: dict[str, TaskHeader] = field(default_factory=dict)

    def add(self, run: Path, header: WeightsHeader) -> None:
        """Take a run's heads, and the encoders that they read."""
        if not header.tasks:
            raise WeightsError(
                f"{run}: no head for a task found, needed to join it with other runs; name runs "
                "of `cardionets train --head`, or pack it alone"
            )
        for role, task in header.tasks.items():
            new_role = f"head_{_plain(task.name)}"
            if new_role in self.heads:
                raise WeightsError(
                    f"{run}: a second head for the task {task.name}; name one run per task"
                )
            self.heads[new_role] = _part(run, header, role)
            encoder = self._stored(_part(run, header, task.encoder), task.name)
            self.tasks[new_role] = task.model_copy(update={"encoder": encoder})

    def _stored(self, encoder: _Part, task: str) -> str:
        """The role under which this encoder is stored, as a new one if none equals it."""
        for role, known in self.encoders.items():
            if known.equals(encoder):
                return role
        role = f"encoder_{_plain(task)}" if self.encoders else "encoder"
        self.encoders[role] = encoder
        return role


def _part(run: Path, header: WeightsHeader, role: str) -> _Part:
    return _Part(header.part(role), load_tensors(run / WEIGHTS_FILE, role))


def _plain(task: str) -> str:
    """A task's name as part of a role: ``cm-subtype`` becomes ``cm_subtype``."""
    return re.sub(r"\W", "_", task)


def _require_one_transform(runs: Mapping[Path, WeightsHeader]) -> None:
    (first_run, first), *others = runs.items()
    for run, header in others:
        if header.transform_hash == first.transform_hash:
            continue
        if first.transform is None or header.transform is None:
            raise TransformMismatchError(
                f"{run} and {first_run}: one reads ECGs and one does not; pack them apart"
            )
        raise TransformMismatchError(
            f"{run}: trained behind another preprocessing than {first_run}, needed the same; pack "
            "them apart, or train from one encoder. Option, first, here:\n"
            f"{explain_state_mismatch(first.transform, header.transform)}"
        )


def _lineage(runs: Sequence[Path], headers: Sequence[WeightsHeader], name: str) -> Lineage:
    command = ["cardionets", "zoo", "pack", *(str(run) for run in runs), "--name", name]
    step = LineageStep(
        command=public_command(command),
        stage="joining",
        simulated=False,
        licence=strictest(*(header.licence for header in headers)),
    )
    return extend([header.lineage for header in headers], step)
