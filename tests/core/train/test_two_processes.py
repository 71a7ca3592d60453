"""Two processes give the losses of one, and only the first says and writes anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

TWO = ("train.epochs=2", "train.batch_size=8")
NEEDS = ("random", "train")


def losses(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [value for row in rows for value in row.values() if isinstance(value, float)]


@pytest.mark.parametrize("stage", ["ecg", "align"])
def test_two_processes_give_the_losses_and_weights_of_one(commands, tmp_path, stage):
    argv = commands.ecg(*TWO) if stage == "ecg" else commands.align(*TWO)
    assert commands.run(tmp_path / "one", argv)[0] == 0
    (code, said), (other_code, other_said) = commands.run_two(tmp_path / "two", argv)
    assert (code, other_code) == (0, 0), said + other_said
    assert other_said == ""
    assert "run folder: run" in said
    one, two = tmp_path / "one" / "run", tmp_path / "two" / "run"
    assert losses(two) == pytest.approx(losses(one), rel=2e-4, abs=2e-5)
    expected, found = (load_file(run / "weights.safetensors") for run in (one, two))
    apart = sum(np.square(found[name] - expected[name]).sum() for name in expected)
    size = sum(np.square(tensor).sum() for tensor in expected.values())
    assert np.sqrt(apart / size) < 1e-3


def test_two_processes_train_what_is_needed_first(commands, tmp_path):
    argv = commands.align(*TWO, weights=NEEDS)
    (code, said), (other_code, other_said) = commands.run_two(tmp_path, argv)
    assert (code, other_code) == (0, 0), said + other_said
    assert other_said == ""
    for folder in ("run", "run/needs/cmr_encoder"):
        manifest = json.loads((tmp_path / folder / "run.json").read_text())
        assert (manifest["status"], manifest["machine"]["processes"]) == ("finished", 2)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param(("train.batch_size=7",), "cannot be shared by 2 processes", id="batch"),
        pytest.param(("train.lr=1e30", *TWO[:1]), "loss nan", id="not finite"),
    ],
)
def test_an_error_ends_both_processes_and_is_said_once(commands, tmp_path, options, reason):
    (code, said), (other_code, other_said) = commands.run_two(tmp_path, commands.ecg(*options))
    assert code in {1, 2}
    assert other_code == code
    assert reason in said
    assert other_said == ""


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["devices", "torchrun"])
def test_processes_are_started_by_the_option_and_by_torchrun(commands, tmp_path, launcher):
    # A script, because the processes are started by running it again.
    script = tmp_path / "cardionets.py"
    script.write_text("from cardionets_cli.main import main\n\nmain()\n")
    argv = [*commands.ecg(*TWO), f"--out={tmp_path / 'run'}"]
    argv = [item for item in argv if item not in {"--out", "run"}]
    start = [sys.executable]
    if launcher == "devices":
        argv.append("--set=train.devices=2")
    else:
        start += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = {**os.environ, "CARDIONETS_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [*start, str(script), *argv],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run folder:") == 1
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["machine"]["processes"] == 2
