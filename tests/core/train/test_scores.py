"""What a downstream run says of subjects that it was not trained on."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from cardionets_core.cohort.targets import Targets
from cardionets_core.evaluate.crops import average_crops
from cardionets_core.evaluate.thresholds import YOUDEN, youden_threshold
from cardionets_core.train import execute
from cardionets_core.train.scores import SCHEMA, save_scores
from cardionets_core.weights.header import read_header

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def kept(kept_tasks, ssl):
    """A finished run on heart failure, and the stage as it was when it was saved."""
    seen = {}
    save = execute.save_outcome

    def spied(built, plan, *others):
        seen.update(built=built, plan=plan)
        return save(built, plan, *others)

    weights = {"encoder": str(ssl.path)}
    options = ("protocol.fold=2", "protocol.negatives=2", "train.lr=1e-2")
    request = kept_tasks.head("run", *options, task="hf", variant="ssl", weights=weights, seed=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "save_outcome", spied)
        run = kept_tasks.train(request)
    return SimpleNamespace(run=run, stage=seen["built"].stage, plan=seen["plan"])


@pytest.fixture
def rows(kept):
    return pq.read_table(kept.run.path / "scores.parquet").to_pylist()


def numbers(path):
    """A JSON file, read as strictly as any other program would."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def by_hand(stage, row, average="probabilities"):
    """The score of one record: one crop after the other."""
    model = stage.module.eval()
    crops = stage.source.eval_crops(np.array([row]))["x"][0]
    assert len(crops) == 3
    with torch.no_grad():
        raw = [model.outputs(crop[None]) for crop in crops]
    if average == "logits":
        return float(torch.sigmoid(sum(raw) / 3))
    return float(sum(torch.sigmoid(one) for one in raw) / 3)


def test_the_table_has_the_columns_that_a_study_joins(kept, rows):
    assert pq.read_schema(kept.run.path / "scores.parquet").equals(SCHEMA)
    assert {row["split"] for row in rows} == {"val", "test"}
    told = {"task": "hf", "variant": "ssl", "fold": 2, "seed": 4, "fraction": 1.0, "negatives": 2.0}
    told["labels"] = len(kept.stage.subsets.train)
    for name, value in told.items():
        assert {row[name] for row in rows} == {value}, name


def test_every_row_is_a_record_of_the_cohort(kept, rows):
    cohort, subsets = kept.stage.cohort, kept.stage.subsets
    place = {record: row for row, record in enumerate(cohort.record_ids.tolist())}
    found = {split: [place[r["record_id"]] for r in rows if r["split"] == split]
             for split in ("val", "test")}  # fmt: skip
    assert found["val"] == subsets.val.tolist()
    assert found["test"] == subsets.test.tolist()
    for row in rows:
        at = place[row["record_id"]]
        assert row["subject_id"] == cohort.subject_ids[at]
        assert row["sex"] == cohort.sexes[at]
        assert row["age_years"] == cohort.ages_years[at]
        assert row["target"] == kept.stage.targets.values[at].tolist()


def test_a_score_is_the_mean_over_crops_one_by_one(kept, rows):
    for row, at in zip(rows, [*kept.stage.subsets.val, *kept.stage.subsets.test], strict=True):
        assert row["score"] == pytest.approx([by_hand(kept.stage, at)], abs=1e-5)


def test_logits_are_averaged_where_the_protocol_says_so(kept, tmp_path, monkeypatch):
    protocol = kept.stage.protocol.model_copy(update={"average": "logits"})
    monkeypatch.setattr(kept.stage, "protocol", protocol)
    header, _ = save_scores(kept.stage, kept.plan, tmp_path / "s.parquet", device=CPU)
    assert header.average == "logits"
    rows = pq.read_table(tmp_path / "s.parquet").to_pylist()
    for row, at in zip(rows, [*kept.stage.subsets.val, *kept.stage.subsets.test], strict=True):
        assert row["score"] == pytest.approx([by_hand(kept.stage, at, "logits")], abs=1e-5)


def test_crops_are_averaged_as_probabilities_or_as_logits():
    outputs = torch.tensor([[[0.0], [4.0]], [[-2.0], [2.0]]])
    head = SimpleNamespace(predict=torch.sigmoid)
    found = average_crops(head, outputs, "probabilities")[:, 0].tolist()
    assert found == pytest.approx([(0.5 + 0.982014) / 2, 0.5])
    assert average_crops(head, outputs, "logits")[:, 0].tolist() == pytest.approx([0.880797, 0.5])


def relabelled(kept, rows, folder, monkeypatch):
    """Header and table as they would be with the labels of some rows turned round."""
    values = kept.stage.targets.values.copy()
    values[rows] = 1 - values[rows]
    monkeypatch.setattr(kept.stage, "targets", Targets(kept.stage.targets.task, values))
    header, metrics = save_scores(kept.stage, kept.plan, folder / "s.parquet", device=CPU)
    return header, {row.name: row.estimate for row in metrics}


def test_the_threshold_is_the_inner_splits_and_knows_nothing_of_the_test(
    kept, rows, tmp_path, monkeypatch
):
    header = read_header(kept.run.path / "weights.safetensors").tasks["head"]
    inner = [row for row in rows if row["split"] == "val"]
    y, score = (np.array([row[name][0] for row in inner]) for name in ("target", "score"))
    assert header.threshold == (youden_threshold(y, score.astype(np.float32)),)
    assert header.threshold_rule == YOUDEN
    assert {row["threshold"][0] for row in rows} == set(header.threshold)
    turned, metrics = relabelled(kept, kept.stage.subsets.test, tmp_path, monkeypatch)
    assert turned.threshold == header.threshold
    auc = {row["name"]: row["estimate"] for row in results(kept)["metrics"]}["auc"]
    assert metrics["auc"] == pytest.approx(1 - auc)


def results(kept):
    return numbers(kept.run.path / "results.json")


def test_other_labels_of_the_inner_split_move_the_threshold(kept, tmp_path, monkeypatch):
    header = read_header(kept.run.path / "weights.safetensors").tasks["head"]
    turned, _ = relabelled(kept, kept.stage.subsets.val, tmp_path, monkeypatch)
    assert turned.threshold != header.threshold


def test_a_label_that_the_inner_split_lacks_is_called_from_a_half_on(kept, tmp_path, monkeypatch):
    task = kept.stage.targets.task
    both = replace(task, target="multilabel", outputs=("hf", "none"))
    values = np.repeat(kept.stage.targets.values, 2, axis=1)
    values[:, 1] = 0
    monkeypatch.setattr(kept.stage, "targets", Targets(both, values))
    scores = np.random.default_rng(0).random((200, 2), dtype=np.float32)
    monkeypatch.setattr(
        "cardionets_core.train.scores.predict_rows", lambda _, rows, device: scores[: len(rows)]
    )
    header, _ = save_scores(kept.stage, kept.plan, tmp_path / "s.parquet", device=CPU)
    assert header.threshold[0] != 0.5
    assert header.threshold[1] == 0.5


def test_a_fixed_threshold_is_said_to_be_one(tasks):
    run = tasks.train(tasks.head("run", "protocol.threshold=0.3", task="cad,hf"))
    header = read_header(run.path / "weights.safetensors").tasks["head"]
    assert (header.threshold, header.threshold_rule) == ((0.3, 0.3), "fixed")


@pytest.mark.parametrize("task", ["cm-subtype", "phenotypes"])
def test_tasks_without_cases_have_no_threshold_and_scores_per_output(tasks, task):
    run = tasks.train(tasks.head("run", "protocol.fold=1", task=task))
    rows = pq.read_table(run.path / "scores.parquet").to_pylist()
    outputs = {"cm-subtype": 3, "phenotypes": 82}[task]
    targets = {"cm-subtype": 1, "phenotypes": 82}[task]
    for row in rows:
        assert (len(row["score"]), len(row["target"])) == (outputs, targets)
        assert np.isnan(row["threshold"]).all()
        assert np.isfinite(row["score"]).all()
    if task == "cm-subtype":
        assert all(sum(row["score"]) == pytest.approx(1, abs=1e-5) for row in rows)


def test_label_counts_and_shares_are_told(tasks):
    counted = tasks.train(tasks.head("counted", "protocol.labels=12", task="cad"))
    shared = tasks.train(tasks.head("shared", "protocol.label_fraction=0.5", task="cad"))
    told = []
    for run in (counted, shared):
        row = pq.read_table(run.path / "scores.parquet").to_pylist()[0]
        told.append((row["labels"], row["fraction"]))
        assert np.isnan(row["negatives"])
    assert told == [(12, 0.25), (24, 0.5)]


def test_what_is_not_defined_is_null_and_not_nan(tasks):
    # Two subjects of the test: nearly nothing is defined.
    run = tasks.train(tasks.head("run", "protocol.fold=1", task="cm-subtype"))
    metrics = numbers(run.path / "results.json")["metrics"]
    undefined = [row for row in metrics if row["estimate"] is None]
    assert undefined
    assert all(row["note"] for row in undefined)
    numbers(run.path / "run.json")
