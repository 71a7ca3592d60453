"""What a downstream run predicts for subjects that it was not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from cardionets_core.evaluate.task_metrics import MetricRow, task_metrics
from cardionets_core.evaluate.thresholds import YOUDEN, youden_threshold
from cardionets_core.train.downstream import DownstreamStage, predict_rows
from cardionets_core.train.plan import Plan
from cardionets_core.weights.atomic import atomic_file
from cardionets_core.weights.header import TaskHeader

SCORES_FILE = "scores.parquet"
# One row per record and run; a study joins the files of its runs.
SCHEMA = pa.schema(
    [
        ("subject_id", pa.string()),
        ("record_id", pa.string()),
        ("task", pa.string()),
        ("variant", pa.string()),
        ("fold", pa.int32()),
        ("seed", pa.int64()),
        ("split", pa.string()),
        ("labels", pa.int64()),
        ("fraction", pa.float64()),
        ("negatives", pa.float64()),
        ("sex", pa.string()),
        ("age_years", pa.float32()),
        ("target", pa.list_(pa.float32())),
        ("score", pa.list_(pa.float32())),
        ("threshold", pa.list_(pa.float32())),
    ]
)


def save_scores(
    stage: DownstreamStage, plan: Plan, path: Path, *, device: torch.device
) -> tuple[TaskHeader, list[MetricRow]]:
    """Predict the inner split and the test, and set the threshold on the inner split.

    Args:
        stage: The trained task.
        plan: Its plan.
        path: Parquet file to write, with ``SCHEMA``.
        device: Where to compute.

    Returns:
        What the weights say of the task, and the metrics of the test part; none without one.

    Raises:
        OSError: If the file cannot be written.
    """
    subsets = stage.subsets
    found = {
        split: (rows, predict_rows(stage, rows, device=device))
        for split, rows in (("val", subsets.val), ("test", subsets.test))
        if len(rows)
    }
    header = _header(stage, *found["val"])
    tables = [_table(stage, plan, header, split, *parts) for split, parts in found.items()]
    with atomic_file(path) as file:
        pq.write_table(pa.concat_tables(tables), file, compression="zstd")
    if "test" not in found:
        return header, []
    rows, scores = found["test"]
    task = stage.targets.task
    return header, task_metrics(
        task.target,
        stage.targets.values[rows],
        scores,
        threshold=header.threshold or None,
        outputs=task.outputs,
        clusters=stage.cohort.subject_ids[rows],
        resamples=1000,
        seed=plan.seed,
    )


def _header(
    stage: DownstreamStage, rows: NDArray[np.int64], scores: NDArray[np.float32]
) -> TaskHeader:
    task, protocol = stage.targets.task, stage.protocol
    threshold: tuple[float, ...] = ()
    rule = ""
    if task.target in ("binary", "multilabel"):
        y = stage.targets.values[rows]
        if protocol.threshold == "inner":
            rule = YOUDEN
            threshold = tuple(
                youden_threshold(y[:, i], scores[:, i]) for i in range(len(task.outputs))
            )
            # A label that the inner split lacks has no best threshold.
            threshold = tuple(0.5 if np.isnan(value) else value for value in threshold)
        else:
            rule = "fixed"
            threshold = (protocol.threshold,) * len(task.outputs)
    return TaskHeader(
        name=task.name,
        target=task.target,
        outputs=task.outputs,
        units=task.units,
        threshold=threshold,
        threshold_rule=rule,
        average=protocol.average,
    )


def _table(
    stage: DownstreamStage,
    plan: Plan,
    header: TaskHeader,
    split: str,
    rows: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> pa.Table:
    cohort, protocol = stage.cohort, stage.protocol
    count = len(rows)
    negatives = float("nan") if protocol.negatives is None else protocol.negatives
    threshold = list(header.threshold) or [float("nan")] * len(header.outputs)
    columns: dict[str, Any] = {
        "subject_id": cohort.subject_ids[rows],
        "record_id": cohort.record_ids[rows],
        "task": [header.name] * count,
        "variant": [plan.variant or ""] * count,
        "fold": [protocol.fold] * count,
        "seed": [plan.seed] * count,
        "split": [split] * count,
        "labels": [len(stage.subsets.train)] * count,
        "fraction": [_asked_fraction(stage)] * count,
        "negatives": [negatives] * count,
        "sex": cohort.sexes[rows],
        "age_years": cohort.ages_years[rows],
        "target": list(stage.targets.values[rows]),
        "score": list(scores),
        "threshold": [threshold] * count,
    }
    return pa.table(columns, schema=SCHEMA)


def _asked_fraction(stage: DownstreamStage) -> float:
    """The share that was asked for; of a label count the one that it comes to."""
    if stage.protocol.labels is None:
        return stage.protocol.label_fraction
    return stage.subsets.fraction
