"""One subject of the test, planted anywhere in what led to the model, is found."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.targets import find_task
from cardionets_core.errors import LeakageError
from cardionets_core.registry import default_registry
from cardionets_core.train import downstream_building
from cardionets_core.train.downstream import DownstreamStage, pooled_features
from cardionets_core.train.protocol import ProtocolConfig
from cardionets_core.train.subsets import draw_subsets
from cardionets_core.weights.header import read_header

LINEAR = default_registry().find("head", "linear").load()
ECG_COLUMNS = ("ecg/signal", "ecg/scale_mv", "ecg/fingerprint")
STAMP = "subjects of pre-training and of this task may overlap"


def subsets_of(path):
    """Rows of the parts that a run on cardiomyopathy has there."""
    with open_cohort(path) as cohort:
        targets = find_task("cm", registry=default_registry(), cohort=cohort)
        return draw_subsets(cohort, targets, ProtocolConfig(), modality="ecg", seed=0)


@pytest.fixture(scope="module")
def places(task_cohort_path):
    """Rows of a task, and two of the role pretrain."""
    with open_cohort(task_cohort_path) as cohort:
        train, val = (cohort.select(role="pretrain", split=s)[0] for s in ("train", "val"))
    subsets = subsets_of(task_cohort_path)
    return SimpleNamespace(subsets=subsets, test=subsets.test[3], pretrain=train, pretrain_val=val)


def changed(path, out, name, change):
    """A copy of a cohort with another content, and so another identity."""
    shutil.copy(path, out)
    with h5py.File(out, "r+") as file:
        change(file)
        file.attrs["content_hash"] = f"{file.attrs['content_hash'][:-8]}{name:>8}"
    return out


def with_copied_ecg(path, out, source, target):
    """A cohort in which one record has another's ECG under its own id."""

    def change(file):
        for column in ECG_COLUMNS:
            file[column][target] = file[column][source]

    return changed(path, out, f"{source}in{target}", change)


def with_role(path, out, row, like):
    """A cohort in which a record has the role and split of another."""

    def change(file):
        for column in ("subject/role", "subject/split"):
            file[column][row] = file[column][like]

    return changed(path, out, f"{row}like{like}", change)


@pytest.mark.parametrize("part", ["train", "val"])
def test_an_ecg_of_the_test_under_another_id_in_the_task_itself(tasks, tmp_path, places, part):
    planted = with_copied_ecg(
        tasks.cohort, tmp_path / "c.h5", places.test, getattr(places.subsets, part)[2]
    )
    said = {"train": "trained on", "val": "selected on"}[part]
    request = tasks.head("run", cohort=planted)
    with pytest.raises(LeakageError, match=f"also {said}.*1 with the identical ECG"):
        tasks.train(request)
    assert not (tmp_path / "run").exists()


def test_another_record_of_a_test_subject_is_tested_and_not_trained_on(tasks, tmp_path, places):
    def change(file):
        ids = file["subject/subject_id"]
        ids[places.subsets.train[2]] = ids[places.test]

    planted = changed(tasks.cohort, tmp_path / "c.h5", "person", change)
    subsets = subsets_of(planted)
    pair = {int(places.subsets.train[2]), int(places.test)}
    assert sum(pair <= set(rows.tolist()) for rows in (subsets.train, subsets.val, subsets.test))
    assert not any(
        len(pair & set(rows.tolist())) == 1 for rows in (subsets.train, subsets.val, subsets.test)
    )


def leaky(trainer, places, how, tmp_path):
    """A cohort that gives a subject of the test to the stages before the task."""
    out = tmp_path / "leaky.h5"
    if how == "the subject":
        return with_role(trainer.cohort, out, places.test, places.pretrain)
    if how == "its ECG under another id":
        return with_copied_ecg(trainer.cohort, out, places.test, places.pretrain)
    return with_copied_ecg(trainer.cohort, out, places.test, places.pretrain_val)


def refuses(tasks, run, found):
    request = tasks.head("task", variant="ssl", weights={"encoder": str(run.path)})
    # 80 records of the role, less one who is diagnosed only later.
    with pytest.raises(LeakageError, match=f"trained on 1 of its 79 records.*{found}"):
        tasks.train(request)
    assert json.loads((request.out / "run.json").read_text())["status"] == "failed"
    assert not [*request.out.rglob("*.safetensors")]


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ("the subject", "1 of the same person"),
        ("its ECG under another id", r"\(1 with the identical ECG, 0 of the same person"),
        ("its ECG in the validation of a stage", r"\(1 with the identical ECG, 0 of the same"),
    ],
)
def test_a_subject_of_the_test_in_the_corpus_of_ssl(tasks, tmp_path, places, how, found):
    cohort = leaky(tasks, places, how, tmp_path)
    ssl = tasks.train(tasks.ecg("ssl", "train.epochs=1", cohort=cohort))
    refuses(tasks, ssl, found)


def test_a_subject_of_the_test_among_those_that_pca_was_fitted_on(tasks, ssl, tmp_path, places):
    cohort = leaky(tasks, places, "the subject", tmp_path)
    weights = {"encoder": str(ssl.path), "cmr_encoder": "random"}
    request = tasks.align("align", "train.epochs=1", cohort=cohort, weights=weights)
    refuses(tasks, tasks.train(request), "1 of the same person")


def test_a_subject_of_the_test_in_the_ancestor_of_an_ancestor(tasks, ssl, tmp_path, places):
    seen = tmp_path / "seen"
    shutil.copytree(ssl.path, seen)
    with open_cohort(tasks.cohort) as cohort:
        Fingerprints.of(cohort, np.array([places.test])).save(seen / "fingerprints.npz")
    sets = ("protocol.subjects=pretrain", "train.epochs=1")
    weights = {"encoder": str(seen)}
    child = tasks.head("child", *sets, task="phenotypes", variant="ssl", weights=weights)
    refuses(tasks, tasks.train(child), "1 with the identical ECG")


def test_a_model_of_another_fold_has_seen_the_test(tasks, ssl):
    weights = {"encoder": str(ssl.path)}
    first = tasks.train(tasks.head("first", variant="ssl", weights=weights))
    again = tasks.head(
        "again", "protocol.fold=2", variant=None, weights={"encoder": str(first.path)}
    )
    with pytest.raises(LeakageError, match="of the same person"):
        tasks.train(again)


def test_the_inner_split_counts_as_seen_even_if_training_was_not_stopped_on_it(tasks):
    run = tasks.train(tasks.head("run", "protocol.select_on='reported'"))
    seen = Fingerprints.load(run.path / "fingerprints.npz")
    subsets = subsets_of(tasks.cohort)
    with open_cohort(tasks.cohort) as cohort:
        for rows in (subsets.train, subsets.val, subsets.test):
            assert len(seen.overlap(cohort, rows).rows) == len(rows)


def test_scaler_head_start_and_lead_sds_see_the_training_rows_alone(tasks, ssl, monkeypatch):
    seen = {}
    fit, start, source = LINEAR.fit, LINEAR.start, downstream_building.ecg_source

    def spied_fit(self, target):
        seen["fit"] = target.clone()
        fit(self, target)

    def spied_start(self, pooled, target, *, seed):
        seen["start"] = (pooled, target)
        start(self, pooled, target, seed=seed)

    def spied_source(plan, cohort, rows, train_rows, console):
        seen["lead SDs"] = train_rows
        return source(plan, cohort, rows, train_rows, console)

    def start_head(stage, device, head_start=DownstreamStage.start_head):
        seen["pooled"] = pooled_features(stage, stage.subsets.train, device=device)
        seen["stage"] = stage
        head_start(stage, device)

    monkeypatch.setattr(LINEAR, "fit", spied_fit)
    monkeypatch.setattr(LINEAR, "start", spied_start)
    monkeypatch.setattr(downstream_building, "ecg_source", spied_source)
    monkeypatch.setattr(DownstreamStage, "start_head", start_head)
    options = ("protocol.label_fraction=0.5", "protocol.fold=1")
    weights = {"encoder": str(ssl.path)}
    tasks.train(tasks.head("run", *options, task="phenotypes", variant="ssl", weights=weights))
    train, values = seen["stage"].subsets.train, seen["stage"].targets.values
    assert len(train) == 24
    assert torch.equal(seen["fit"], torch.from_numpy(values[train]))
    assert torch.equal(seen["start"][0], seen["pooled"])
    assert torch.equal(seen["start"][1], seen["fit"])
    assert seen["lead SDs"].tolist() == sorted(train.tolist())


@pytest.mark.parametrize("preset", ["tiny", "paper"])
def test_overlap_that_is_asked_for_is_stamped_on_everything(tasks, tmp_path, places, preset):
    cohort = leaky(tasks, places, "the subject", tmp_path)
    ssl = tasks.train(tasks.ecg("ssl", "train.epochs=1", cohort=cohort))
    sets = ("protocol.subjects='all'",) if preset == "tiny" else ()
    request = tasks.head("run", *sets, variant="ssl", weights={"encoder": str(ssl.path)})
    run = tasks.train(replace(request, given=replace(request.given, preset=preset)))
    assert run.manifest["plan"]["protocol"]["subjects"] == "all"
    assert STAMP in json.loads((run.path / "results.json").read_text())["remarks"][0]
    assert STAMP in run.manifest["results"]["remarks"][0]
    assert STAMP in read_header(run.path / "weights.safetensors").notes[0]
    assert f"note: {STAMP}" in tasks.said.getvalue()


def test_nothing_is_stamped_where_nothing_overlaps(tasks):
    run = tasks.train(tasks.head("run"))
    assert json.loads((run.path / "results.json").read_text())["remarks"] == []
    assert read_header(run.path / "weights.safetensors").notes == ()
