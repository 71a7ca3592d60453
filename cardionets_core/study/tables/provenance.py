"""Every run of a study: what it was, from what data, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cardionets_core.study.running import Ended
from cardionets_core.study.tables.table import Table, number, rows_of
from cardionets_core.train.run_folder import RunFolder


def manifests(ended: Iterable[Ended], folder: Path) -> dict[str, dict[str, Any]]:
    """run.json of every finished run, by the job's name."""
    return {
        end.job.name: RunFolder.open(folder / end.job.name).manifest
        for end in ended
        if end.status == "finished"
    }


def subjects_overlap(found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether any fit was allowed to test on subjects that pre-training has seen."""
    protocols = [manifest["plan"].get("protocol") or {} for manifest in found.values()]
    return any(protocol.get("subjects") == "all" for protocol in protocols)


def protocols(
    ended: Iterable[Ended], found: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[Mapping[str, Any], ...]]:
    """The protocols of the finished fits of each task, as their run.json has them."""
    by_task: dict[str, list[Mapping[str, Any]]] = {}
    for end in ended:
        if end.job.fit is not None and end.job.name in found:
            protocol = found[end.job.name]["plan"].get("protocol") or {}
            by_task.setdefault(end.job.fit.task, []).append(protocol)
    return {task: tuple(of_task) for task, of_task in by_task.items()}


def all_simulated(found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the subjects of every run are simulated, whoever its first weights have seen."""
    return bool(found) and all(manifest["data"]["simulated"] for manifest in found.values())


def any_simulated(found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether any run, or weights that it began with, saw simulated subjects."""
    return any(
        manifest["data"]["simulated"] or any(step["simulated"] for step in manifest["lineage"])
        for manifest in found.values()
    )


def run_table(ended: Iterable[Ended], found: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row per run, in the order of the jobs' names."""
    rows = [_row(end, found.get(end.job.name, {})) for end in ended]
    frame = pd.DataFrame(rows).sort_values("run", kind="stable").reset_index(drop=True)
    stages = frame[frame["task"] == ""]
    shown = pd.DataFrame(
        {
            "stage": row["run"],
            "status": row["status"],
            "trained on": row["train_records"],
            "best epoch": row["best_epoch"],
            "minutes": number(row["seconds"] / 60, 1),
            "licence": row["licence"],
            "transform": row["transform"],
        }
        for row in rows_of(stages)
    )
    return Table(
        "runs",
        "The lineages",
        frame,
        shown,
        (
            "Every stage and fit with its data, seed and ancestors is in runs.csv and in its own "
            "run.json",
        ),
    )


def _row(end: Ended, manifest: Mapping[str, Any]) -> dict[str, Any]:
    fit, numbers = end.job.fit, manifest.get("results", {}).get("numbers", {})
    return {
        "run": end.job.name,
        "status": end.status,
        "reason": end.reason,
        "task": "" if fit is None else fit.task,
        "variant": "" if fit is None else fit.variant,
        "setting": "" if fit is None else fit.setting.text,
        "seed": end.job.request.seed,
        "fold": "" if fit is None else fit.fold,
        "stage": manifest.get("stage", ""),
        "preset": manifest.get("preset", ""),
        "train_records": manifest.get("train_records", ""),
        "val_records": manifest.get("val_records", ""),
        "best_epoch": numbers.get("best epoch", ""),
        "epochs": numbers.get("epochs", ""),
        "learning_rate": numbers.get("learning rate", ""),
        "seconds": float(numbers.get("seconds", "nan")),
        "needs": " ".join(end.job.needs),
        "data_hash": str(manifest.get("data_hash", ""))[:16],
        "transform": str(manifest.get("transform_hash") or "")[:12],
        "licence": manifest.get("licence", ""),
        "lineage": " > ".join(step["stage"] for step in manifest.get("lineage", ())),
    }
