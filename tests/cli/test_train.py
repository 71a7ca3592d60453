"""``cardionets train`` as a user meets it: options, weights, resuming, and one line per mistake."""

from __future__ import annotations

import json
import resource
import shutil
import signal
from pathlib import Path

import h5py
import pytest

from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.registry import default_registry
from cardionets_core.train.progress import Progress
from cardionets_core.weights.header import read_header

SMALL_ECG = ("encoder.width=8", "encoder.depth=1", "encoder.heads=1", "encoder.head_dim=8")
SMALL_CMR = ("cmr_encoder.width=8", "cmr_encoder.depth=1", "cmr_encoder.heads=1")
PLACE = ("train.accelerator=cpu", "train.threads=1", "train.batch_size=8")


def sets(*items):
    return [f"--set={item}" for item in items]


ECG = ["train", "--encoder", "stmem", "--preset", "tiny", *sets(*SMALL_ECG, *PLACE)]
ALIGN = [*ECG, "--aligner", "weighted-infonce", *sets(*SMALL_CMR)]
RANDOM = ["--weights", "encoder=random", "--weights", "cmr_encoder=random"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort") / "cohort.h5"
    options = {"subjects": 24, "pretrain_subjects": 18, "seed": 6}
    component = default_registry().find("dataset", "simulated")
    prepare_dataset(PrepareRequest(component=component, out=out, options=options, workers=1))
    return out


@pytest.fixture
def run(command, cohort):
    """A finished ECG pre-training of one epoch."""
    assert command(*ECG, "--cohort", cohort, "--epochs", 1, "--out", "ssl").code == 0
    return Path("ssl")


def manifest(folder):
    return json.loads((Path(folder) / "run.json").read_text())


def refused(ended, *said, code=2):
    """One line on stderr, with an exit code and without a traceback."""
    assert ended.code == code, ended
    line = ended.err.strip()
    assert "\n" not in line, line
    for text in said:
        assert text in line


def test_pretraining_says_what_it_does_and_keeps_everything(run, command, cohort):
    kept = {path.name for path in run.iterdir()}
    assert kept >= {"run.json", "weights.safetensors", "metrics.jsonl", "checkpoint.pt",
                    "results.json", "fingerprints.npz", "loss.png", "tensorboard"}  # fmt: skip
    found = manifest(run)
    assert found["status"] == "finished"
    assert found["plan"]["parts"]["encoder"]["options"]["width"] == 8
    assert found["plan"]["train"]["precision"] == "32"
    assert found["machine"]["threads"] == 1
    assert found["command"].startswith("cardionets train --encoder stmem")
    assert str(cohort.parent) not in found["command"]


def test_aligning_starts_from_a_run_and_inherits_its_transform(run, command, cohort):
    ended = command(*ALIGN, "--cohort", cohort, "--epochs", 1, "--out", "align",
                    "--weights", f"encoder={run}", "--weights", "cmr_encoder=random")  # fmt: skip
    assert ended.code == 0, ended.err
    assert "encoder: encoders:stmem, from" in ended.out
    assert "cmr_encoder: encoders:vit-cmr, random weights, frozen" in ended.out
    assert "Retrieval among 6 unseen subjects (simulated data)" in ended.out
    headers = [read_header(Path(f) / "weights.safetensors") for f in ("ssl", "align")]
    assert headers[0].transform_hash == headers[1].transform_hash
    assert headers[1].notes == ()


def test_an_aligner_trained_behind_another_transform_is_refused_side_by_side(run, command, cohort):
    ended = command(*ALIGN, "--cohort", cohort, "--out", "align", "--weights", f"encoder={run}",
                    "--weights", "cmr_encoder=random",
                    "--weights", "aligner=cardionets-tiny-simulated")  # fmt: skip
    assert ended.code == 1
    assert "the weights were trained with preprocessing" in ended.err
    assert "SD of V1 in mV" in ended.err
    assert not Path("align").exists()


def test_flags_win_over_the_file_and_the_file_over_the_preset(command, cohort, tmp_path):
    (tmp_path / "options.toml").write_text("[train]\nepochs = 7\nlr = 0.5\n")
    file = ["--config", "options.toml"]
    assert command(*ECG, *file, "--cohort", cohort, "--epochs", 1, "--out", "run").code == 0
    train = manifest("run")["plan"]["train"]
    assert (train["epochs"], train["lr"], train["warmup_epochs"]) == (1, 0.5, 5.0)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--epochs", "2", "--set", "train.epochs=3"], ["train.epochs is given twice"]),
        (["--set", "train.epoch=3"], ["no train option 'epoch'", "'epochs'"]),
        (["--set", "trian.epochs=3"], ["no option namespace 'trian'", "'train'"]),
        (["--set", "encoder.mask_ratio=most"], ["encoder.mask_ratio = 'most'"]),
        (["--set", "train"], ["NAMESPACE.OPTION=VALUE"]),
        (["--config", "missing.toml"], ["missing.toml"]),
        (["--preset", "papre"], ["no preset 'papre'", "'paper'"]),
        (["--weights", "stmem"], ["needed ROLE=RUN"]),
        (["--weights", "encode=random"], ["this stage's roles are encoder"]),
        (["--weights", "encoder=train"], ["is what this stage trains"]),
        (["--weights", "encoder=nowhere"], ["no zoo entry 'nowhere'", "run folder"]),
        (["--cmr-encoder", "vit-cmr"], ["--cmr-encoder is not used by encoder 'stmem'"]),
        (["--set", "data.crop_samples=400"], ["encoder.num_samples = 500", "set both"]),
        (["--set", "train.precision=16"], ["needs a CUDA device"]),
        (["--dataset", "wfdb"], ["--cohort names the data already"]),
    ],
)
def test_a_mistake_in_the_options_is_one_line_and_makes_nothing(command, cohort, more, said):
    refused(command(*ECG, "--cohort", cohort, "--out", "run", *more), *said)
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--encoder", "vit-cmr"], ["'vit-cmr' reads cmr", "one that reads ecg, such as 'stmem'"]),
        (["--encoder", "stmem", "--cmr-encoder", "stmem"], ["'stmem' reads ecg", "cmr_encoder"]),
        (["--encoder", "stmem", "--set", "train.accumulate=2"], ["negatives", "batch_size"]),
        (["--encoder", "stmme"], ["no encoder 'stmme'. Did you mean 'stmem'?"]),
    ],
)
def test_an_alignment_that_cannot_be_is_one_line(command, cohort, more, said):
    argv = ["train", "--aligner", "weighted-infonce", "--preset", "tiny", *RANDOM, *more]
    refused(command(*argv, "--cohort", cohort, "--out", "run"), *said)


def test_what_is_not_named_or_missing_is_one_line_with_a_remedy(command):
    refused(command("train", "--preset", "tiny"), "nothing to train: name --encoder")
    refused(command(*ECG, "--cohort", "none.h5", "--out", "run"), "prepare simulated", code=1)


def test_a_used_folder_is_refused_before_anything_is_prepared(run, command):
    refused(command(*ECG, "--out", run), "is not empty", f"--resume {run}")
    Path("notes").mkdir()
    Path("notes/mine.txt").write_text("mine")
    ended = command(*ECG, "--out", "notes")
    refused(ended, "is not empty")
    assert "--resume" not in ended.err
    refused(command(*ECG, "--out", "notes/mine.txt"), "is a file")
    assert not Path("cache/cohorts").exists()


def test_options_that_contradict_the_weights_are_refused(run, command, cohort):
    start = [*ALIGN, "--cohort", cohort, "--out", "align", "--weights", "cmr_encoder=random"]
    ended = command(*start, "--weights", f"encoder={run}", "--set", "encoder.patch_samples=25")
    refused(ended, "encoder.patch_samples = 25", "were trained with 50")
    ended = command(*start, "--weights", f"encoder={run}", "--set", "data.high_pass_hz=0.5")
    refused(ended, "data.high_pass_hz = 0.5", "were trained with 0.67", "--new-transform")
    cmr = ["train", "--encoder", "vit-cmr", "--preset", "tiny", "--cohort", cohort]
    refused(command(*cmr, "--weights", f"encoder={run}"), "holds encoders:stmem", "vit-cmr")


def test_a_new_transform_is_fitted_and_recorded(run, command, cohort):
    ended = command(*ALIGN, "--cohort", cohort, "--out", "align", "--epochs", 1,
                    "--weights", f"encoder={run}", "--weights", "cmr_encoder=random",
                    "--set", "data.high_pass_hz=0.5", "--new-transform")  # fmt: skip
    assert ended.code == 0, ended.err
    header = read_header(Path("align/weights.safetensors"))
    assert header.transform["config"]["high_pass_hz"] == 0.5
    assert header.notes == ("ECG transform replaced by --new-transform",)


def test_options_of_the_transform_reach_an_encoder_that_is_trained_first(command, cohort):
    ended = command(*ALIGN, "--cohort", cohort, "--out", "align", "--epochs", 1,
                    "--weights", "encoder=train", "--weights", "cmr_encoder=random",
                    "--set", "data.high_pass_hz=0.5")  # fmt: skip
    assert ended.code == 0, ended.err
    for folder in ("align/needs/encoder", "align"):
        header = read_header(Path(folder) / "weights.safetensors")
        assert header.transform["config"]["high_pass_hz"] == 0.5
    assert manifest("align/needs/encoder")["machine"]["threads"] == 1


def test_resume_takes_no_other_option(run, command):
    ended = command("train", "--resume", run, "--epochs", 3, "--seed", 0, "--offline")
    refused(ended, "drop", "--epochs", "--seed", "--offline")


def test_a_finished_run_is_not_resumed(run, command):
    refused(command("train", "--resume", run), "ssl is finished", code=1)
    refused(command("train", "--resume", "nowhere"), "is not a run folder")


class Stop(Exception):  # noqa: N818 - not an error
    """Stands for the kill of a run."""


@pytest.fixture
def stopped(command, cohort, monkeypatch, run):
    """A run that starts from weights and was stopped in its second epoch."""
    shutil.copy(cohort, "own.h5")
    steps = []

    def step_done(self, samples):
        steps.append(samples)
        if len(steps) == 3:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "step_done", step_done)
        ended = command(*ECG, "--cohort", "own.h5", "--epochs", 2, "--out", "stopped",
                        "--weights", f"encoder={run}")  # fmt: skip
    assert ended.code == 1
    assert manifest("stopped")["status"] == "failed"
    return Path("stopped")


def test_a_stopped_run_is_resumed_with_its_own_options(stopped, command):
    ended = command("train", "--resume", stopped)
    assert ended.code == 0, ended.err
    assert "resumed after 1 of 2 epochs" in ended.out
    assert "not bit for bit" not in ended.out
    assert manifest(stopped)["status"] == "finished"
    assert "error" not in manifest(stopped)


def test_a_run_whose_cohort_has_changed_is_not_resumed(stopped, command):
    with h5py.File("own.h5", "r+") as file:
        owner = file if "content_hash" in file.attrs else file["provenance"]
        owner.attrs["content_hash"] = "0" * 64
    refused(command("train", "--resume", stopped), "the cohort has changed", code=1)


def test_a_run_whose_weights_have_changed_is_not_resumed(stopped, run, command, cohort):
    shutil.rmtree(run)
    assert command(*ECG, "--cohort", cohort, "--epochs", 1, "--seed", 1, "--out", run).code == 0
    refused(command("train", "--resume", stopped), "have changed since this run", code=1)


def test_another_machine_or_version_is_said_when_resuming(stopped, command):
    changed = manifest(stopped)
    changed["versions"]["torch"] = "2.0.0"
    (stopped / "run.json").write_text(json.dumps(changed))
    ended = command("train", "--resume", stopped)
    assert ended.code == 0, ended.err
    assert "this run began with 2.0.0: not bit for bit" in ended.out


def test_a_full_disk_is_one_line_and_leaves_a_run_to_resume(command, cohort, monkeypatch):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    written = []

    def no_more_space(self, *_):
        written.append(1)
        if len(written) == 1:
            # The checkpoint of this run has some 100 kB, run.json 5.
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "epoch_done", no_more_space)
        try:
            ended = command(*ECG, "--cohort", cohort, "--epochs", 3, "--out", "run")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    refused(ended, "cannot write run/checkpoint.pt: File too large", "--resume run", code=1)
    assert not [*Path("run").glob("*partial"), *Path("run").glob(".*")]
    ended = command("train", "--resume", "run")
    assert ended.code == 0, ended.err
    assert "resumed after 1 of 3 epochs" in ended.out


def test_ctrl_c_leaves_an_interrupted_run_and_says_how_to_go_on(command, cohort, monkeypatch):
    # A shell starts what runs in the background with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Progress, "epoch_done", lambda *_: signal.raise_signal(signal.SIGINT))
            ended = command(*ECG, "--cohort", cohort, "--epochs", 3, "--out", "run")
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.code == 130
    assert "continue with: cardionets train --resume run" in ended.out
    assert manifest("run")["status"] == "interrupted"
    assert command("train", "--resume", "run").code == 0


def test_without_a_cohort_a_simulated_one_is_prepared_once(command):
    few = sets("dataset.subjects=12", "dataset.pretrain_subjects=12")
    first = command(*ECG, *few, "--epochs", 1, "--out", "a")
    assert first.code == 0, first.err
    assert "cohort: preparing simulated" in first.out
    again = command(*ECG, *few, "--epochs", 1, "--out", "b")
    assert "cohort: simulated, from the cache" in again.out
    assert Path("a/metrics.jsonl").read_bytes() == Path("b/metrics.jsonl").read_bytes()


def test_a_need_without_weights_is_trained_first_and_said(command, cohort):
    ended = command(*ALIGN, "--cohort", cohort, "--epochs", 1, "--out", "align",
                    "--weights", "encoder=random", "--set", "cmr_encoder.mask_ratio=0.5",
                    "--weights", "cmr_encoder=train")  # fmt: skip
    assert ended.code == 0, ended.err
    assert "cmr_encoder: encoders:vit-cmr" in ended.out
    assert "trained first, frozen" in ended.out
    need = manifest("align/needs/cmr_encoder")
    assert need["plan"]["parts"]["encoder"]["options"]["mask_ratio"] == 0.5
    assert [step["stage"] for step in manifest("align")["lineage"]] == [
        "cmr-pretraining", "alignment",
    ]  # fmt: skip


def test_a_cohort_that_cannot_be_used_leaves_no_run_folder(command, tmp_path):
    (tmp_path / "junk.h5").write_bytes(b"no cohort")
    ended = command("train", "--encoder", "stmem", "--cohort", "junk.h5", "--out", "run")
    refused(ended, "junk.h5", code=1)
    assert not (tmp_path / "run").exists()
