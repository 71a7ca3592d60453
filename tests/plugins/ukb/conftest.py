"""Signals for made-up UK Biobank files: real ones where they are at hand."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from cardionets_core.testing import made_up_ecg
from cardionets_ukb.config import UkbConfig
from cardionets_ukb.dataset import UkBiobank


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """Makers of bulk files and tables: the module ``made_up_ukb`` of this folder."""
    source = Path(__file__).with_name("made_up_ukb.py")
    spec = importlib.util.spec_from_file_location("made_up_ukb", source)
    module = importlib.util.module_from_spec(spec)
    sys.modules["made_up_ukb"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def microvolts() -> list[np.ndarray]:
    """Different ECGs in whole microvolts, (12, 5000) each, leads in canonical order."""
    root = os.environ.get("CARDIONETS_SAMPLE_DATA")
    files = sorted((Path(root) / "ecg_wfdb").glob("*.mat")) if root else []
    if files:
        # 16 bits, leads interleaved, 1 uV, after a header of 24 bytes.
        return [np.fromfile(f, "<i2", offset=24).reshape(-1, 12).T.astype(int) for f in files]
    records = [made_up_ecg(seed=seed) for seed in range(20)]
    return [np.rint(record.signal_mv * 1000).astype(int) for record in records]


@pytest.fixture
def dataset_of(tmp_path):
    """A dataset of the source in ``tmp_path / "source"``."""

    def build(**options) -> UkBiobank:
        return UkBiobank(UkbConfig(source=tmp_path / "source", **options))

    return build


@pytest.fixture
def put(tmp_path):
    """Write a bulk file below the source."""

    def write(name: str, content: bytes) -> Path:
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write
