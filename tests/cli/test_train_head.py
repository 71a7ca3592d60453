"""``cardionets train --head`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.registry import default_registry
from cardionets_core.weights.header import read_header

SMALL = ("encoder.width=8", "encoder.depth=1", "encoder.heads=1", "encoder.head_dim=8")
PLACE = ("train.accelerator=cpu", "train.threads=1", "train.batch_size=8", "train.warmup_epochs=0")


def sets(*items):
    return [f"--set={item}" for item in items]


HEAD = ["train", "--encoder", "stmem", "--head", "linear", "--preset", "tiny", *sets(*PLACE)]
SCRATCH = [*HEAD, *sets(*SMALL), "--variant", "scratch"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Forty subjects, thirty of them for tasks, and a CSV of labels beside them."""
    out = tmp_path_factory.mktemp("cohort") / "cohort.h5"
    options = {"subjects": 40, "pretrain_subjects": 10, "seed": 8}
    component = default_registry().find("dataset", "simulated")
    prepare_dataset(PrepareRequest(component=component, out=out, options=options, workers=1))
    with open_cohort(out) as opened:
        lines = [
            f"{record},{row % 2},{row / 7:.2f}" for row, record in enumerate(opened.record_ids)
        ]
    out.with_name("labels.csv").write_text("\n".join(["id,ill,dose", *lines]) + "\n")
    return out


@pytest.fixture
def labels(cohort):
    return ["--cohort", cohort, "--labels", cohort.with_name("labels.csv")]


def manifest(folder):
    return json.loads((Path(folder) / "run.json").read_text())


def refused(ended, *said, code=2):
    """One line on stderr, with an exit code and without a traceback."""
    assert ended.code == code, ended
    line = ended.err.strip()
    assert "\n" not in line, line
    for text in said:
        assert text in line


def test_a_task_is_trained_and_its_table_printed(command, labels):
    ended = command(*SCRATCH, *labels, "--task", "ill", "--epochs", 1, "--out", "run")
    assert ended.code == 0, ended.err
    assert "task: ill, variant scratch" in ended.out
    assert "6 unseen subjects (simulated data)" in ended.out
    assert "balanced accuracy" in ended.out
    kept = {path.name for path in Path("run").iterdir()}
    assert kept >= {"run.json", "weights.safetensors", "scores.parquet", "results.json",
                    "fingerprints.npz", "loss.png"}  # fmt: skip
    found = manifest("run")
    assert found["stage"] == "downstream"
    assert found["command"].startswith("cardionets train --encoder stmem --head linear")
    assert "--labels labels.csv" in found["command"]


def test_a_users_run_is_named_with_the_variant(command, labels):
    ssl = [*HEAD[:3], *HEAD[5:], *sets(*SMALL), "--cohort", labels[1], "--out", "ssl"]
    assert command(*ssl, "--epochs", 1).code == 0
    named = ["--task", "dose", "--epochs", 1, "--variant", "ssl=./ssl"]
    ended = command(*HEAD, *labels, *named, "--out", "run")
    assert ended.code == 0, ended.err
    assert "task: dose, variant ssl" in ended.out
    assert "encoder: encoders:stmem, from" in ended.out
    assert "--variant ssl=ssl" in manifest("run")["command"]
    again = command(*HEAD, *labels, *named, "--weights", "encoder=other", "--out", "again")
    refused(again, "--weights encoder is given twice")


def test_a_stopped_task_is_continued(command, labels, monkeypatch):
    from cardionets_core.train.progress import Progress

    def stop(self, samples):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "step_done", stop)
        ended = command(*SCRATCH, *labels, "--task", "ill", "--epochs", 1, "--out", "run")
    assert ended.code == 130
    assert "cardionets train --resume run" in ended.out
    assert command("train", "--resume", "run").code == 0
    assert manifest("run")["status"] == "finished"


def test_shuffled_pairs_are_recorded(command, cohort):
    align = ["train", "--encoder", "stmem", "--aligner", "weighted-infonce", "--preset", "tiny",
             *sets(*SMALL, *PLACE, "cmr_encoder.width=8", "cmr_encoder.depth=1"),
             "--weights", "encoder=random", "--weights", "cmr_encoder=random"]  # fmt: skip
    more = ["--shuffle-pairs", "--epochs", 1, "--cohort", cohort, "--out", "run"]
    ended = command(*align, *sets("cmr_encoder.heads=1"), *more)
    assert ended.code == 0, ended.err
    assert "negative control: every ECG is paired with another subject's CMR" in ended.out
    found = manifest("run")
    assert found["plan"]["shuffle_pairs"] is True
    assert "--shuffle-pairs" in found["lineage"][0]["command"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], ["--head needs to know what to predict: add --task"]),
        (["--task", "il"], ["no column 'il'. Did you mean 'ill'?"]),
        (["--task", "ill,"], ["empty or repeated name"]),
        (["--task", "ill,dose"], ["must all be binary or all be numbers"]),
        (["--task", "ill", "--shuffle-pairs"], ["--shuffle-pairs is a control of an alignment"]),
        (["--task", "ill", "--cmr-encoder", "vit-cmr"], ["--cmr-encoder is not used by a head"]),
        (["--task", "ill", "--set", "protocol.fold=5"], ["fold 5 of 5; needed 0 to 4"]),
        (["--task", "ill", "--set", "protocol.label=5"], ["'label'", "'labels'"]),
        (["--task", "ill", "--set", "aligner.tau=1"], ["no option namespace 'aligner'"]),
    ],
)
def test_a_mistake_is_one_line_and_makes_nothing(command, labels, more, said):
    refused(command(*SCRATCH, *labels, "--out", "run", *more), *said)
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("more", "said", "code"),
    [
        (["--set", "protocol.labels=19"], "protocol.labels = 19, but 18 labelled subjects", 1),
        (["--set", "protocol.folds=31"], "30 labelled subjects with the role downstream", 1),
        (["--labels", "none.csv"], "none.csv", 1),
    ],
)
def test_data_that_cannot_serve_is_one_line_and_makes_nothing(command, labels, more, said, code):
    ended = command(*SCRATCH, *labels, "--task", "ill", "--out", "run", *more)
    refused(ended, said, code=code)
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("scrach", "no variant 'scrach'. Did you mean 'scratch'?"),
        ("ssl=", "needed NAME or NAME=RUN"),
        ("=run", "needed NAME or NAME=RUN"),
        ("ssl=nowhere", "nowhere"),
    ],
)
def test_a_variant_that_is_none_is_one_line(command, labels, variant, said):
    refused(command(*HEAD, *labels, "--task", "ill", "--variant", variant, "--out", "run"), said)
    assert not Path("run").exists()


def test_columns_are_read_as_the_target_that_is_named(command, labels):
    asked = ["--task", "ill", "--target", "multiclass", "--epochs", 1, "--out", "run"]
    ended = command(*SCRATCH, *labels, *asked)
    assert ended.code == 0, ended.err
    assert manifest("run")["plan"]["target"] == "multiclass"
    header = read_header(Path("run/weights.safetensors")).tasks["head"]
    assert (header.target, header.outputs) == ("multiclass", ("0", "1"))


@pytest.mark.parametrize(
    ("more", "said", "code"),
    [
        (["--task", "dose", "--target", "binary"], "give --target multiclass or regression", 1),
        (["--task", "ill", "--target", "multilabel"], "needs two names or more", 2),
        (["--task", "sex", "--target", "regression"], "give --target multiclass", 1),
        (["--task", "cm", "--target", "regression"], "task 'cm' is binary", 2),
    ],
)
def test_a_target_that_does_not_fit_is_one_line(command, labels, more, said, code):
    labels = labels if "sex" not in more and "cm" not in more else labels[:2]
    refused(command(*SCRATCH, *labels, *more, "--out", "run"), said, code=code)
    assert not Path("run").exists()


def test_notes_say_which_metric_they_are_about(command, labels):
    ended = command(*SCRATCH, *labels, "--task", "ill", "--epochs", 1, "--out", "run")
    assert "note: calibration slope: " in ended.out


def test_a_task_without_a_head_is_refused(command, cohort):
    ssl = ["train", "--encoder", "stmem", "--preset", "tiny", "--cohort", cohort, "--out", "run"]
    refused(command(*ssl, "--task", "cm"), "--task: only a head is trained for a task")
    refused(command(*ssl, "--variant", "ssl"), "--variant: only a head is trained for a task")
    refused(command(*ssl, "--target", "binary"), "--target: only a head is trained for a task")
    assert not Path("run").exists()
