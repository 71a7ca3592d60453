"""What heads make of an ECG: probabilities, decisions and quantities, with their provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from cardionets_core.ecg.record import EcgRecord
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.errors import EcgError, WeightsError
from cardionets_core.evaluate.crops import average_crops
from cardionets_core.evaluate.prediction_columns import Cell, task_cells, task_schema
from cardionets_core.evaluate.prepared_ecgs import EcgReader, PreparedEcg
from cardionets_core.interfaces import Features
from cardionets_core.registry import Registry, default_registry
from cardionets_core.weights.atomic import sha256_of
from cardionets_core.weights.fetch import fetch
from cardionets_core.weights.header import TaskHeader, WeightsHeader, read_header
from cardionets_core.weights.load import load_part, transform_of

COMMAND = "predict"
SIMULATED_WARNING = "weights trained on simulated data: says nothing about patients"
NOT_FINITE = "the model's outputs are not finite numbers; look at the signal"

_RECORD_SCHEMA = (
    ("record", pa.string()),
    ("usable", pa.bool_()),
    ("quality_flags", pa.string()),
    ("heart_rate_bpm", pa.float32()),
    ("reason", pa.string()),
)


@dataclass(frozen=True, slots=True, eq=False)
class LoadedHead:
    """A head, its task, and the role of the encoder that it reads."""

    module: Any
    task: TaskHeader


class Predictor:
    """The heads of a weights file with their encoders and preprocessing.

    Args:
        encoders: Role to ECG encoder, in evaluation mode.
        heads: What is predicted.
        header: Header of the weights.
        provenance: Column to text, for every row: ``weights``, ``weights_sha256`` and so on.
    """

    def __init__(
        self,
        encoders: Mapping[str, Any],
        heads: tuple[LoadedHead, ...],
        header: WeightsHeader,
        provenance: Mapping[str, Cell],
    ) -> None:
        self.encoders, self.heads, self.header = dict(encoders), heads, header
        self.transform: EcgTransform = transform_of(header)
        self.provenance = dict(provenance)
        self._device = torch.device("cpu")

    def to(self, device: torch.device | str) -> Self:
        """Compute on another device."""
        self._device = torch.device(device)
        for module in (*self.encoders.values(), *(head.module for head in self.heads)):
            module.to(self._device)
        return self

    @property
    def schema(self) -> pa.Schema:
        """Columns of ``rows``."""
        tasks = [column for head in self.heads for column in task_schema(head.task)]
        kinds = {bool: pa.bool_(), str: pa.string()}
        provenance = [(name, kinds[type(value)]) for name, value in self.provenance.items()]
        return pa.schema([*_RECORD_SCHEMA, *tasks, *provenance])

    def rows(self, ecgs: list[PreparedEcg]) -> list[dict[str, Cell]]:
        """One row per ECG; that of an ECG that could not be read has its reason and no prediction.

        Args:
            ecgs: From an ``EcgReader`` with this predictor's transform.

        Returns:
            Column to value, see ``schema``; an absent column is empty.
        """
        good = [ecg for ecg in ecgs if ecg.prepared is not None and ecg.lead_mask is not None]
        cells = iter(self._cells(good) if good else ())
        return [
            {
                "record": ecg.record,
                "usable": ecg.usable,
                "quality_flags": ecg.flags,
                "heart_rate_bpm": ecg.heart_rate_bpm,
                "reason": ecg.reason,
                **({} if ecg.prepared is None else next(cells)),
                **self.provenance,
            }
            for ecg in ecgs
        ]

    def _cells(self, ecgs: list[PreparedEcg]) -> list[dict[str, Cell]]:
        prepared = np.stack([ecg.prepared for ecg in ecgs])  # type: ignore[misc]
        lead_mask = np.stack([ecg.lead_mask for ecg in ecgs])  # type: ignore[misc]
        scores = self.scores(prepared, lead_mask)
        found: list[dict[str, Cell]] = []
        for row in range(len(ecgs)):
            of_row = [score[row].tolist() for score in scores]
            if not np.isfinite(np.concatenate(of_row)).all():
                found.append({"reason": NOT_FINITE})
                continue
            cells: dict[str, Cell] = {}
            for head, score in zip(self.heads, of_row, strict=True):
                cells |= task_cells(head.task, score)
            found.append(cells)
        return found

    @torch.no_grad()
    def scores(
        self, prepared: NDArray[np.float32], lead_mask: NDArray[np.bool_]
    ) -> list[NDArray[np.float32]]:
        """Predictions of each head, averaged over the evaluation crops.

        Args:
            prepared: Outputs of the transform's ``prepare``, (B, 12, n).
            lead_mask: True where a lead is there, (B, 12).

        Returns:
            Per head probabilities, or quantities in their units, (B, outputs).
        """
        crops = torch.from_numpy(self.transform.eval_crops(prepared))
        count = crops.shape[1]
        mask = None
        if not lead_mask.all():
            mask = torch.from_numpy(lead_mask).repeat_interleave(count, dim=0).to(self._device)
        x = crops.flatten(0, 1).to(self._device)
        features: dict[str, Features] = {
            role: encoder(x, mask) for role, encoder in self.encoders.items()
        }
        found = []
        for head in self.heads:
            outputs = head.module(features[head.task.encoder]).float().unflatten(0, (-1, count))
            mean = average_crops(head.module, outputs, head.task.average)
            found.append(mean.float().cpu().numpy())
        return found


def load_predictor(
    name: str | Path | None = None,
    *,
    offline: bool | None = None,
    registry: Registry | None = None,
) -> Predictor:
    """Load weights with task heads.

    Args:
        name: A zoo id, run folder, file or url; None for the zoo entry that serves by default.
        offline: Refuse the network; None asks ``CARDIONETS_OFFLINE``.
        registry: Where names are looked up; None for the installed plugins.

    Returns:
        A predictor on the CPU.

    Raises:
        WeightsError: If the weights hold no head, or read anything but ECGs.
        PluginError: If no name is given and no zoo entry serves by default.
    """
    known = registry or default_registry()
    asked = name
    if asked is None:
        default = known.default_zoo_entry(COMMAND)
        name, asked = default.name, default.qualified_name
    path = fetch(asked, offline=offline, registry=known).path
    header = read_header(path)
    _check_tasks(header, str(name))
    encoders = {
        role: _ecg_encoder(path, role, str(name), known)
        for role in dict.fromkeys(task.encoder for task in header.tasks.values())
    }
    heads = tuple(
        LoadedHead(load_part(path, role, registry=known).eval(), task)
        for role, task in header.tasks.items()
    )
    predictor = Predictor(encoders, heads, header, _provenance(str(name), path, header))
    columns = predictor.schema.names
    if doubled := {column for column in columns if columns.count(column) > 1}:
        raise WeightsError(
            f"{name}: its tasks give two columns {min(doubled)!r}; needed heads with names of "
            "their own: pack or train them apart"
        )
    return predictor


def predict(predictor: Predictor, record: EcgRecord) -> dict[str, Cell]:
    """Predict from one ECG with the preprocessing that belongs to the weights.

    Args:
        predictor: From ``cn.load_predictor``.
        record: An ECG, e.g. from ``cn.read_ecg``.

    Returns:
        Quality, heart rate, the predictions under the names that they have in the table of
        ``cardionets predict``, and the provenance with its warning.

    Raises:
        EcgError: If the record cannot be brought into canonical form, or the model makes no
            finite number of it.
    """
    ecg = EcgReader(predictor.transform, {}, heart_rate=True).of_record(record)
    (row,) = predictor.rows([ecg])
    if row["reason"]:
        raise EcgError(str(row["reason"]))
    return {name: value for name, value in row.items() if name not in ("record", "reason")}


def _check_tasks(header: WeightsHeader, name: str) -> None:
    """Refuse weights that no prediction can be made with."""
    if not header.tasks:
        raise WeightsError(
            f"{name}: no head for a task found, only {', '.join(header.parts)}; train one with "
            "`cardionets train --encoder NAME --head linear --task TASK`"
        )
    for role, task in header.tasks.items():
        outputs = header.part(role).arguments.get("outputs")
        lengths = {len(values) for values in (task.units, task.threshold) if values}
        if outputs != len(task.outputs) or lengths - {len(task.outputs)}:
            raise WeightsError(
                f"{name}: task {task.name} names {len(task.outputs)} outputs, its head has "
                f"{outputs} and thresholds or units are {sorted(lengths)}; train or pack it again"
            )


def _ecg_encoder(path: Path, role: str, name: str, registry: Registry) -> Any:
    """An encoder in evaluation mode.

    Raises:
        WeightsError: If it reads something else than ECGs.
    """
    encoder: Any = load_part(path, role, registry=registry).eval()
    if encoder.modality != "ecg":
        raise WeightsError(
            f"{name}: its encoder reads {encoder.modality.upper()}, and predict reads ECGs; name "
            "weights of a task on an ECG encoder"
        )
    return encoder


def _provenance(name: str, path: Path, header: WeightsHeader) -> dict[str, Cell]:
    return {
        "weights": name,
        "weights_sha256": sha256_of(path),
        "weights_licence": header.licence,
        "transform": header.transform_hash or "",
        "cardionets_version": version("cardionets"),
        "simulated_weights": header.simulated,
        "warning": SIMULATED_WARNING if header.simulated else "",
    }
