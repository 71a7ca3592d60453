"""The README's main command, as a user runs it; a scaled-down one runs by default."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cardionets_core.evaluate.retrieval import shuffled_pairs_control

MAIN_JOB = ["train", "--encoder", "stmem", "--aligner", "weighted-infonce"]
SMALL = ["--preset", "tiny", "--epochs", "2", "--set", "dataset.subjects=60",
         "--set", "dataset.pretrain_subjects=44"]  # fmt: skip
EXPECTED_FILES = {
    "run.json", "weights.safetensors", "metrics.jsonl", "results.json", "loss.png",
    "similarity.png", "fingerprints.npz", "test_embeddings.npz",
}  # fmt: skip


def run_main_job(tmp_path: Path, *extra: str) -> tuple[str, Path]:
    """Run the command in an empty folder with an empty cache and no network for weights."""
    out = tmp_path / "run"
    command = [sys.executable, "-c", "from cardionets_cli.main import main; main()", *MAIN_JOB]
    done = subprocess.run(
        [*command, "--out", str(out), *extra],
        cwd=tmp_path,
        env={**os.environ, "CARDIONETS_CACHE": str(tmp_path / "cache"), "CARDIONETS_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, out


def test_main_job_ends_with_its_table_and_files(tmp_path):
    text, out = run_main_job(tmp_path, *SMALL)
    for said in ("validation loss", "w q50", "recall@k", "chance", "seconds", str(out.name)):
        assert said in text
    assert "stmem-tiny-simulated" in text
    assert "vit-cmr-tiny-simulated" in text
    assert "simulated" in text
    assert {path.name for path in out.iterdir()} >= EXPECTED_FILES
    assert json.loads((out / "run.json").read_text())["status"] == "finished"


@pytest.mark.slow
def test_main_job_retrieves_unseen_subjects_clearly_above_chance(tmp_path):
    _, out = run_main_job(tmp_path, "--preset", "tiny")
    results = json.loads((out / "results.json").read_text())
    assert results["test_subjects"] >= 500
    for row in results["retrieval"]:
        if row["k"] == 10:
            assert row["low"] > 2 * row["chance"]
    with np.load(out / "test_embeddings.npz") as stored:
        ecg, cmr = stored["ecg"], stored["cmr"]
    shuffles = [shuffled_pairs_control(ecg, cmr, seed=seed) for seed in range(20)]
    for rows in zip(*shuffles, strict=True):
        mean = np.mean([row.recall for row in rows])
        standard_error = np.sqrt(rows[0].chance / (len(ecg) * len(shuffles)))
        assert abs(mean - rows[0].chance) < 4 * standard_error


@pytest.mark.slow
def test_alignment_of_shuffled_pairs_retrieves_at_chance(tmp_path, monkeypatch):
    """Trained on other people's cines, tested on true pairs: what is found must be the pairing."""
    from rich.console import Console

    from cardionets_core.options import given
    from cardionets_core.train import stages
    from cardionets_core.train.execute import train_stage
    from cardionets_core.train.request import TrainRequest

    def shuffled(cohort, *arguments, **options):
        features = np.array(frozen_features(cohort, *arguments, **options))
        paired = np.flatnonzero(cohort.roles == "pretrain")
        features[paired] = features[np.random.default_rng(0).permutation(paired)]
        return features

    frozen_features = stages.frozen_features
    monkeypatch.setattr(stages, "frozen_features", shuffled)
    request = TrainRequest(
        components={"encoder": "stmem", "aligner": "weighted-infonce"},
        given=given("tiny"),
        out=tmp_path / "run",
        offline=True,
    )
    run = train_stage(request, console=Console(quiet=True))
    results = json.loads((run.path / "results.json").read_text())
    assert results["test_subjects"] >= 500
    for row in results["retrieval"]:
        if row["k"] == 10:
            assert row["low"] <= row["chance"] <= row["high"]
