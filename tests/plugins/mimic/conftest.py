"""Trees as MIMIC-IV-ECG lays them out, and the real signals at hand."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cardionets_mimic.config import MimicConfig
from cardionets_mimic.dataset import MimicEcg


@pytest.fixture(scope="session")
def mimic() -> ModuleType:
    """Makers of trees: the module ``made_up_mimic`` of this folder, which is no package."""
    name = "made_up_mimic"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(mimic: ModuleType, tmp_path: Path) -> Any:
    """An empty release."""
    root = tmp_path / "tree" / mimic.ROOT
    root.mkdir(parents=True)
    return mimic.Tree(root)


@pytest.fixture
def opened(tree: Any) -> Callable[..., MimicEcg]:
    """Write the tables of the release and open it as a dataset, with its labels."""

    def open_it(*, packed: bool = False, **options: Any) -> MimicEcg:
        labels = tree.write(packed=packed)
        return MimicEcg(MimicConfig(**{"source": tree.root, "labels": labels, **options}))

    return open_it


@pytest.fixture(scope="session")
def real_counts() -> list[dict[str, np.ndarray]]:
    """Real ECGs by lead, rounded to MIMIC's step of 1/200 mV, (5000,) each."""
    root = os.environ.get("CARDIONETS_SAMPLE_DATA")
    if not root:
        pytest.skip("CARDIONETS_SAMPLE_DATA is unset: no real records to read")
    from cardionets_core.reading import read_ecg

    found = []
    for header in sorted((Path(root) / "ecg_wfdb").glob("*.hea")):
        record = read_ecg(header, format_name="wfdb")
        counts = np.rint(record.signal_mv.astype(np.float64) * 200).astype(np.int16)
        found.append(dict(zip(record.leads, counts, strict=True)))
    assert found, "CARDIONETS_SAMPLE_DATA holds no WFDB records"
    return found
