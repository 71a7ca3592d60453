"""Runs that were never trained: folders as ``train_stage`` leaves them, with scores by a rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cardionets_core.registry import default_registry
from cardionets_core.study.workers import JobResult, run_status
from cardionets_core.train.request import TrainRequest
from cardionets_core.train.scores import SCHEMA, SCORES_FILE

SUBJECTS = 120
# How much of the truth a variant's scores hold: the order of the paper, without an advantage of
# shuffled pairs.
QUALITY = {
    "scratch": 0.2, "ssl": 0.6, "phen-sup": 0.7, "cardionets": 1.2, "cmr-ref": 2.0,
    "infonce": 1.1, "shuffled": 0.6,
}  # fmt: skip


def write_run(request: TrainRequest, quality: dict[str, float] | None = None) -> None:
    """A finished run of this request."""
    request.out.mkdir(parents=True)
    protocol = request.given.explicit.get("protocol")
    manifest = {
        "status": "finished",
        "stage": "downstream" if request.task else "pretraining",
        "preset": request.given.preset,
        "plan": {"protocol": protocol},
        "data": {"simulated": True},
        "data_hash": "0" * 64,
        "licence": "MIT",
        "lineage": [{"stage": "ecg-pretraining", "simulated": True}],
        "results": {"numbers": {"seconds": 60.0, "best epoch": 3, "epochs": 5}},
        "train_records": 100,
    }
    (request.out / "run.json").write_text(json.dumps(manifest))
    if request.variant is not None:
        table = scores_table(request, {**QUALITY, **(quality or {})}[request.variant])
        pq.write_table(table, request.out / SCORES_FILE)


def scores_table(request: TrainRequest, quality: float, subjects: int = SUBJECTS) -> pa.Table:
    """Scores of one run: truth times quality, and noise that all variants of a seed share."""
    task = default_registry().task(str(request.task)).spec
    protocol: dict[str, Any] = dict(request.given.explicit["protocol"])
    seed, fold = request.seed, protocol["fold"]
    rng = np.random.default_rng([seed, fold])
    people = np.array([f"person {i:04d}" for i in range(subjects)])
    latent, noise = rng.normal(size=(2, subjects, len(task.outputs)))
    # A variant's own noise, so that no two of them are the same model.
    own = np.random.default_rng([seed, fold, round(1000 * quality)]).normal(size=noise.shape)
    raw = quality * latent + 0.5 * (noise + own)
    if task.target == "regression":
        target, score = latent, raw / max(quality, 1.0)
        threshold = np.full(len(task.outputs), np.nan)
    elif task.target == "multiclass":
        target = latent.argmax(axis=1)[:, None].astype(float)
        score = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        threshold = np.full(len(task.outputs), np.nan)
    else:
        target = (latent > 0.5).astype(float)
        score = 1 / (1 + np.exp(-raw))
        threshold = np.full(1, 0.55)
    split = np.where(np.arange(subjects) < 10, "val", "test")
    labels = protocol.get("labels") or round(100 * protocol.get("label_fraction", 1.0))
    columns = {
        "subject_id": people,
        "record_id": people,
        "task": [task.name] * subjects,
        "variant": [request.variant] * subjects,
        "fold": [fold] * subjects,
        "seed": [seed] * subjects,
        "split": split,
        "labels": [labels] * subjects,
        "fraction": [protocol.get("label_fraction", 1.0)] * subjects,
        "negatives": [protocol.get("negatives", float("nan"))] * subjects,
        "sex": np.where(np.arange(subjects) % 2, "female", "male"),
        "age_years": 45.0 + np.arange(subjects) % 35,
        "target": list(target.astype(np.float32)),
        "score": list(score.astype(np.float32)),
        "threshold": [threshold.astype(np.float32)] * subjects,
    }
    return pa.table(columns, schema=SCHEMA)


@dataclass
class Inline:
    """A pool that carries out each run at once, in this process.

    Attributes:
        run: What to do with a request; it may raise.
        count: As of a pool.
        submitted: Folders of what was asked for, in order.
    """

    run: Callable[[TrainRequest], JobResult | None] = field(default=write_run)  # type: ignore[assignment]
    count: int = 1
    submitted: list[str] = field(default_factory=list)

    def submit(self, request: TrainRequest) -> Future[JobResult]:
        future: Future[JobResult] = Future()
        if run_status(request.out) == "finished":
            future.set_result(JobResult())
            return future
        self.submitted.append(str(request.out))
        try:
            future.set_result(self.run(request) or JobResult(seconds=1.0))
        except Exception as error:  # noqa: BLE001 - what a pool does
            future.set_exception(error)
        return future

    def renew(self) -> None:
        """Nothing died."""
