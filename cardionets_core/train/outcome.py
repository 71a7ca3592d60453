"""What a stage leaves behind: weights, fingerprints, numbers and pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.evaluate.figures import loss_figure, similarity_figure
from cardionets_core.evaluate.metric_rows import MetricRow
from cardionets_core.evaluate.retrieval import retrieval_table
from cardionets_core.train.align import AlignStage, paired_embeddings
from cardionets_core.train.autoencode import AutoencoderStage
from cardionets_core.train.building import BuiltStage
from cardionets_core.train.cine_outcome import cine_outcome
from cardionets_core.train.cohorts import describe_cohort
from cardionets_core.train.downstream import DownstreamStage
from cardionets_core.train.fitting import Fitted
from cardionets_core.train.generate_cines import GenerationStage
from cardionets_core.train.plan import Plan
from cardionets_core.train.run_folder import RunFolder, write_atomically
from cardionets_core.train.scores import SCORES_FILE, save_scores
from cardionets_core.weights.ancestry import FINGERPRINTS_FILE
from cardionets_core.weights.atomic import atomic_file
from cardionets_core.weights.file import save_weights, tensors_of
from cardionets_core.weights.header import WEIGHTS_FILE, TaskHeader, WeightsHeader
from cardionets_core.weights.lineage import LineageStep, extend

# Simulated subjects are nobody's; patients' data are their owner's until a licence is stated.
_SIMULATED_LICENCE, _OWN_DATA_LICENCE = "MIT", "LicenseRef-proprietary"
_SHOWN_SUBJECTS = 48


@dataclass(frozen=True, slots=True)
class Outcome:
    """The numbers of a finished stage, as results.json holds them.

    Attributes:
        numbers: Name to value, for the table at the end.
        retrieval: Rows of the retrieval table; none but for alignment.
        test_subjects: Records that retrieval was measured on.
        simulated: Whether simulated subjects were used.
        metrics: Rows of the table of a task's metrics; none but for a downstream task.
        remarks: What every reader has to know of these numbers.
    """

    numbers: Mapping[str, float]
    retrieval: tuple[dict[str, Any], ...]
    test_subjects: int
    simulated: bool
    metrics: tuple[dict[str, Any], ...] = ()
    remarks: tuple[str, ...] = ()


def save_outcome(
    built: BuiltStage,
    plan: Plan,
    fitted: Fitted,
    run: RunFolder,
    device: torch.device,
    seconds: float,
) -> Outcome:
    """Evaluate what was trained and write everything into the run folder.

    Args:
        built: The stage, its modules holding the best weights.
        plan: Its plan.
        fitted: How training ended.
        run: The run folder.
        device: Where to compute.
        seconds: Time of the whole command.

    Raises:
        CardionetsError: If something cannot be written.
    """
    data = describe_cohort(Path(plan.cohort))
    task: TaskHeader | None = None
    metrics: list[MetricRow] = []
    if isinstance(built.stage, DownstreamStage):
        task, metrics = save_scores(built.stage, plan, run.path / SCORES_FILE, device=device)
    elif isinstance(built.stage, AutoencoderStage | GenerationStage):
        metrics = cine_outcome(
            built.stage, built.test_rows, run.path, device=device, simulated=bool(data["simulated"])
        )
    header = _header(built, plan, data, task)
    built.seen.save(run.path / FINGERPRINTS_FILE)
    save_weights(run.path / WEIGHTS_FILE, tensors_of(built.modules), header)
    retrieval = _retrieval(built, run, device, simulated=header.simulated)
    if fitted.result.epochs:
        loss_figure(
            fitted.log.metrics(), run.path / "loss.png", simulated=header.simulated,
            title=plan.stage,
        )  # fmt: skip
    outcome = Outcome(
        numbers=_numbers(fitted, seconds),
        retrieval=tuple(retrieval),
        test_subjects=len(np.unique(built.cohort.subject_ids[built.test_rows])),
        simulated=header.simulated,
        metrics=tuple(_defined(asdict(row)) for row in metrics),
        remarks=tuple(_remarks(built, plan)),
    )
    text = json.dumps(asdict(outcome), indent=2, allow_nan=False) + "\n"
    write_atomically(run.path / "results.json", text)
    run.update_manifest(
        status="finished",
        data=data,
        lineage=[step.model_dump(mode="json") for step in header.lineage],
        licence=header.licence,
        transform_hash=header.transform_hash,
        results=asdict(outcome),
        train_records=len(built.stage.train_rows),
        val_records=len(built.stage.val_rows),
    )
    return outcome


def _header(
    built: BuiltStage, plan: Plan, data: Mapping[str, Any], task: TaskHeader | None
) -> WeightsHeader:
    """The header of the weights: what is in them and where they come from."""
    seen_here = Fingerprints.of(built.cohort, built.used_rows)
    step = LineageStep(
        command=plan.command,
        stage=plan.stage,
        preset=plan.preset,
        seed=plan.seed,
        dataset=str(data["dataset"]),
        data_hash=str(data["content_hash"]),
        simulated=bool(data["simulated"]),
        simulated_ranges=tuple(tuple(r) for r in seen_here.simulated),
        licence=_SIMULATED_LICENCE if data["simulated"] else _OWN_DATA_LICENCE,
    )
    replaced = plan.new_transform and plan.parts["encoder"].source == "weights"
    notes = ("ECG transform replaced by --new-transform",) if replaced else ()
    transform = built.transform
    return WeightsHeader.of(
        built.headers,
        extend(built.parents, step),
        transform=None if transform is None else transform.to_state(),
        notes=(*notes, *_remarks(built, plan)),
        tasks={} if task is None else {"head": task},
    )


def _remarks(built: BuiltStage, plan: Plan) -> list[str]:
    """What keeps the numbers, or the weights, from being what they seem."""
    if plan.shuffle_pairs:
        return ["negative control: aligned with other subjects' CMRs (shuffle_pairs)"]
    train_rows = built.stage.train_rows
    if drawn := int(built.cohort.synthetic[train_rows].sum()):
        return [f"trained on {drawn} synthetic cines beside {len(train_rows) - drawn} real ones"]
    if not isinstance(built.stage, DownstreamStage):
        return []
    protocol, remarks = built.stage.protocol, []
    if protocol.subjects == "all":
        remarks.append(
            "subjects of pre-training and of this task may overlap (protocol.subjects = all)"
        )
    if protocol.select_on == "reported":
        remarks.append(
            "training was stopped on the subjects that are reported (protocol.select_on = "
            "reported): optimistic"
        )
    return remarks


def _defined(row: dict[str, Any]) -> dict[str, Any]:
    """A row without NaN, which JSON does not know."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _retrieval(
    built: BuiltStage, run: RunFolder, device: torch.device, *, simulated: bool
) -> list[dict[str, Any]]:
    """Retrieval among subjects that nothing was trained on, and a picture of some of them."""
    rows = built.test_rows
    if not isinstance(built.stage, AlignStage) or len(rows) < 2:
        return []
    ecg, cmr = paired_embeddings(built.stage, rows, device=device)
    shown = slice(0, _SHOWN_SUBJECTS)
    similarity_figure(ecg[shown] @ cmr[shown].T, run.path / "similarity.png", simulated=simulated)
    with atomic_file(run.path / "test_embeddings.npz") as file:
        np.savez(file, ecg=ecg, cmr=cmr, rows=rows)
    return [asdict(row) for row in retrieval_table(ecg, cmr)]


def _numbers(fitted: Fitted, seconds: float) -> dict[str, float]:
    """The best epoch's validation numbers, and the time."""
    result = fitted.result
    if not result.epochs:
        return {"seconds": seconds}
    best = next(
        row
        for row in fitted.log.metrics()
        if row["phase"] == "val" and row["epoch"] == result.best_epoch
    )
    logged = {
        f"validation {name}": value
        for name, value in best.items()
        if name not in ("phase", "epoch", "step")
    }
    chosen = {"learning rate": fitted.lr} if len(fitted.tried) > 1 else {}
    return {
        **logged,
        **chosen,
        "best epoch": result.best_epoch + 1,
        "epochs": result.epochs,
        "training samples/s": result.samples_per_s,
        "seconds": seconds,
    }
