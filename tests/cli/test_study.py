"""``cardionets study`` as a user runs it: stopped, killed, and given again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

COMMAND = [sys.executable, "-c", "from cardionets_cli.main import main; main()", "study"]


def start(tmp_path, *more):
    return subprocess.Popen(
        [*COMMAND, "--smoke", "--out", "study", *more],
        cwd=tmp_path,
        env={**os.environ, "CARDIONETS_CACHE": str(tmp_path / "cache"), "CARDIONETS_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished_runs(folder):
    manifests = [json.loads(path.read_text()) for path in folder.rglob("run.json")]
    return sum(manifest["status"] == "finished" for manifest in manifests)


def stop_after(process, folder, runs, number):
    """Send a signal once so many runs are finished."""
    end = time.monotonic() + 300
    while finished_runs(folder) < runs:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.2)
    process.send_signal(number)
    return process.communicate(timeout=60)


@pytest.mark.slow
def test_smoke_study_that_is_stopped_and_killed_ends_when_given_again(tmp_path):
    folder = tmp_path / "study"
    stopped = start(tmp_path)
    _, told = stop_after(stopped, folder, 3, signal.SIGTERM)
    assert stopped.returncode == 130
    assert "the same `prepare` or `study` command" in told
    assert "Traceback" not in told
    killed = start(tmp_path)
    stop_after(killed, folder, 8, signal.SIGKILL)
    last = start(tmp_path)
    said, told = last.communicate(timeout=600)
    assert last.returncode == 0, told
    assert "report.md" in said
    runs = pd.read_csv(folder / "tables" / "runs.csv")
    assert (runs["status"] == "finished").all()
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "simulated data; a trial of the machinery" in report
    frame = pd.read_csv(folder / "tables" / "main-phenotypes.csv")
    assert {"scratch", "ssl", "cardionets", "cmr-ref", "infonce", "shuffled"} == set(
        frame["variant"]
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--variants", "ssk"], "no variant 'ssk'. Did you mean 'ssl'?"),
        (["--tasks", "phenotype"], "no task or column 'phenotype'. Did you mean 'phenotypes'?"),
        (["--set", "aligner.temperature=0.2"], "a study reads the tables train, protocol"),
        (["--set", "train.epoch=2"], "Did you mean 'epochs'?"),
        (["--folds", "2"], "give 3 or more, or 1"),
        (["--variant", "ssl=no/such/run"], "no/such/run"),
        (["--preset", "tinny"], "Did you mean 'tiny'?"),
    ],
)
def test_what_cannot_be_studied_is_one_line_and_makes_nothing(
    command, tmp_path, small_cohort, more, said
):
    ended = command("study", "--preset", "tiny", "--cohort", small_cohort, "--out", "s", *more)
    assert ended.code in (1, 2)
    assert said in ended.err
    assert "\n" not in ended.err.strip()
    assert not (tmp_path / "s").exists()


@pytest.fixture(scope="module")
def small_cohort(tmp_path_factory):
    from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
    from cardionets_core.registry import default_registry

    out = tmp_path_factory.mktemp("cohort") / "cohort.h5"
    options = {"subjects": 120, "pretrain_subjects": 40, "prevalence": "enriched", "seed": 10}
    component = default_registry().find("dataset", "simulated")
    prepare_dataset(PrepareRequest(component=component, out=out, options=options, workers=1))
    return out
