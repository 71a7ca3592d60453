"""What a stage leaves behind: weights, fingerprints, numbers and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.evaluate.figures import loss_figure, similarity_figure
from cardionets_core.evaluate.retrieval import retrieval_table
from cardionets_core.train.align import AlignStage, paired_embeddings
from cardionets_core.train.cohorts import describe_cohort
from cardionets_core.train.loop import FitResult
from cardionets_core.train.plan import Plan
from cardionets_core.train.run_folder import RunFolder, write_atomically
from cardionets_core.train.stages import BuiltStage
from cardionets_core.weights.ancestry import FINGERPRINTS_FILE
from cardionets_core.weights.atomic import atomic_file
from cardionets_core.weights.file import save_weights, tensors_of
from cardionets_core.weights.header import WEIGHTS_FILE, WeightsHeader
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
    """

    numbers: Mapping[str, float]
    retrieval: tuple[dict[str, Any], ...]
    test_subjects: int
    simulated: bool


def save_outcome(
    built: BuiltStage,
    plan: Plan,
    result: FitResult,
    run: RunFolder,
    device: torch.device,
    seconds: float,
) -> Outcome:
    """Evaluate what was trained and write everything into the run folder.

    Args:
        built: The stage, its modules holding the best weights.
        plan: Its plan.
        result: How training ended.
        run: The run folder.
        device: Where to compute.
        seconds: Time of the whole command.

    Raises:
        CardionetsError: If something cannot be written.
    """
    data = describe_cohort(Path(plan.cohort))
    header = _header(built, plan, data)
    built.seen.save(run.path / FINGERPRINTS_FILE)
    save_weights(run.path / WEIGHTS_FILE, tensors_of(built.modules), header)
    retrieval = _retrieval(built, run, device, simulated=header.simulated)
    loss_figure(run.metrics(), run.path / "loss.png", simulated=header.simulated, title=plan.stage)
    outcome = Outcome(
        numbers=_numbers(run, result, seconds),
        retrieval=tuple(retrieval),
        test_subjects=len(built.test_rows),
        simulated=header.simulated,
    )
    text = json.dumps(asdict(outcome), indent=2) + "\n"
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


def _header(built: BuiltStage, plan: Plan, data: Mapping[str, Any]) -> WeightsHeader:
    """The header of the weights: what is in them and where they come from."""
    used = np.concatenate([built.stage.train_rows, built.stage.val_rows])
    seen_here = Fingerprints.of(built.cohort, used)
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
        notes=notes,
    )


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


def _numbers(run: RunFolder, result: FitResult, seconds: float) -> dict[str, float]:
    """The best epoch's validation numbers, and the time."""
    best = next(
        row for row in run.metrics() if row["phase"] == "val" and row["epoch"] == result.best_epoch
    )
    logged = {
        f"validation {name}": value
        for name, value in best.items()
        if name not in ("phase", "epoch", "step")
    }
    return {
        **logged,
        "best epoch": result.best_epoch + 1,
        "epochs": result.epochs,
        "training samples/s": result.samples_per_s,
        "seconds": seconds,
    }


def report(outcome: Outcome, run: RunFolder, console: Console) -> None:
    """Print the table that a stage ends with."""
    mark = " (simulated data)" if outcome.simulated else ""
    table = Table(show_header=False, box=None)
    for name, value in outcome.numbers.items():
        shown = f"{value:d}" if isinstance(value, int) else f"{value:.4g}"
        table.add_row(name.replace("_", " "), shown)
    console.print(f"[italic]Result{mark}[/]")
    console.print(table)
    if outcome.retrieval:
        title = f"Retrieval among {outcome.test_subjects} unseen subjects{mark}"
        console.print(f"[italic]{title}[/]", soft_wrap=True)
        console.print(_retrieval_report(outcome))
    console.print(f"run folder: {run.path}", markup=False, soft_wrap=True)


def _retrieval_report(outcome: Outcome) -> Table:
    table = Table(box=None)
    for column in ("direction", "k", "recall@k", "95 % interval", "chance"):
        table.add_column(column, justify="left" if column == "direction" else "right")
    for row in outcome.retrieval:
        table.add_row(
            str(row["direction"]),
            str(row["k"]),
            f"{row['recall']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            f"{row['chance']:.3f}",
        )
    return table
