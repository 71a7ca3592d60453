"""Simulated batches that several tests look at; latents are cheap, so they are large."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from cardionets_simulated.subject import SubjectBatch


@pytest.fixture(scope="session")
def ukb():
    return SubjectBatch(101, range(20_000))


@pytest.fixture(scope="session")
def enriched():
    return SubjectBatch(102, range(40_000), "enriched")


@pytest.fixture(scope="session")
def reference_table():
    root = os.environ.get("CARDIONETS_REFERENCE")
    if root is None:
        pytest.skip("CARDIONETS_REFERENCE is unset: no table of UK Biobank means to compare with")
    with (Path(root) / "ukb_category_157.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        "field_id": [int(row["field_id"]) for row in rows],
        "structure": np.array([row["structure"] for row in rows]),
        "mean": np.array([float(row["mean"]) for row in rows]),
        "sd": np.array([float(row["sd"]) for row in rows]),
    }
