"""Real ECGs from a folder: pre-training on them, and embedding them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

RECORDS = 6
SMALL = ("encoder.width=8", "encoder.depth=1", "encoder.heads=1", "encoder.head_dim=8",
         "train.accelerator=cpu", "train.threads=1")  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A few of the real records at hand."""
    root = os.environ.get("CARDIONETS_SAMPLE_DATA")
    if not root:
        pytest.skip("CARDIONETS_SAMPLE_DATA is unset: no real records to read")
    headers = sorted((Path(root) / "ecg_wfdb").glob("*.hea"))[:RECORDS]
    if len(headers) < 3:
        pytest.skip("CARDIONETS_SAMPLE_DATA holds fewer than 3 WFDB records")
    copied = tmp_path / "ecgs"
    copied.mkdir()
    for header in headers:
        for file in header.parent.glob(f"{header.stem}.*"):
            shutil.copy(file, copied)
    return copied


def test_a_folder_of_real_records_is_pretrained_on_and_embedded(command, folder):
    sets = [f"--set={item}" for item in SMALL]
    train = ["train", "--encoder", "stmem", "--dataset", "wfdb", "--source", folder]
    ended = command(*train, "--preset", "tiny", "--epochs", 2, "--out", "run", *sets)
    assert ended.code == 0, ended.err
    manifest = json.loads(Path("run/run.json").read_text())
    assert manifest["status"] == "finished"
    assert manifest["data"]["simulated"] is False
    rows = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert all(np.isfinite(row["loss"]) for row in rows)
    ended = command("embed", "--weights", "run", folder, "--out", "embeddings.parquet")
    assert ended.code == 0, ended.err
    table = pq.read_table("embeddings.parquet").to_pylist()
    assert [row["record"] for row in table] == sorted(p.name for p in folder.glob("*.hea"))
    embeddings = np.array([row["embedding"] for row in table])
    assert np.isfinite(embeddings).all()
    assert len(np.unique(embeddings.round(5), axis=0)) == len(table)
