"""Tasks that a user brings as columns of a CSV."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from cardionets_core.errors import LabelsError, TrainingError
from cardionets_core.train.downstream import DownstreamStage
from cardionets_core.train.execute import resume_training
from cardionets_core.weights.header import read_header


def labels_of(cohort, path, **columns):
    """A CSV of labels by record, with blanks where they are unknown."""
    lines = [",".join(("id", *columns))]
    for row, record in enumerate(cohort.record_ids.tolist()):
        lines.append(",".join((record, *(str(values[row]) for values in columns.values()))))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("task", "target", "outputs"),
    [
        ("ill", "binary", 1), ("lvef", "regression", 1), ("ward", "multiclass", 3),
        ("ill,old", "multilabel", 2), ("cad,ill", "multilabel", 2),
    ],
)  # fmt: skip
def test_columns_of_a_csv_are_tasks(tasks, task_cohort, tmp_path, task, target, outputs):
    draw = np.random.default_rng(0)
    ill = draw.choice(["yes", "no", ""], 120, p=[0.4, 0.5, 0.1])
    path = labels_of(
        task_cohort, tmp_path / "labels.csv", ill=ill, old=draw.integers(0, 2, 120),
        lvef=np.round(draw.normal(60, 8, 120), 2), ward=draw.choice(["a", "b", "c"], 120),
    )  # fmt: skip
    run = tasks.train(tasks.head("run", task=task, labels=path))
    header = read_header(run.path / "weights.safetensors").tasks["head"]
    assert (header.target, len(header.outputs)) == (target, outputs)
    assert "labels.csv: 120 of 120 ids are in the cohort" in tasks.said.getvalue()
    if task == "ill":
        rows = pq.read_table(run.path / "scores.parquet").to_pylist()
        told = dict(zip(task_cohort.record_ids.tolist(), ill.tolist(), strict=True))
        assert all(row["target"] == [float(told[row["record_id"]] == "yes")] for row in rows)
        assert "" not in {told[row["record_id"]] for row in rows}


def test_a_resumed_run_refuses_labels_that_have_changed(tasks, task_cohort, tmp_path, monkeypatch):
    path = labels_of(task_cohort, tmp_path / "labels.csv", ill=np.arange(120) % 2)
    with monkeypatch.context() as patch:
        patch.setattr(DownstreamStage, "val_batch", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tasks.train(tasks.head("run", task="ill", labels=path))
    labels_of(task_cohort, path, ill=np.arange(120) % 3 == 0)
    with pytest.raises(TrainingError, match="the labels have changed since this run began"):
        resume_training(tmp_path / "run", console=Console(quiet=True))
    path.unlink()
    with pytest.raises(TrainingError, match=r"labels\.csv: No such file.*put the file back"):
        resume_training(tmp_path / "run", console=Console(quiet=True))


def test_labels_without_the_task_are_refused_before_there_is_a_run(tasks, task_cohort, tmp_path):
    path = labels_of(task_cohort, tmp_path / "labels.csv", ill=np.zeros(120))
    with pytest.raises(LabelsError, match="ill"):
        tasks.train(tasks.head("run", task="ill", labels=path))
    assert not (tmp_path / "run").exists()
