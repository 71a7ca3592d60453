from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest


class Reference(NamedTuple):
    """Stored inputs by name, and what an independent implementation made of them."""

    expected: dict[str, Any]
    data: Any


@pytest.fixture(scope="session")
def reference() -> Reference:
    root = os.environ.get("CARDIONETS_REFERENCE")
    if not root:
        pytest.skip("CARDIONETS_REFERENCE is unset: no stored results to compare with")
    folder = Path(root) / "stats"
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return Reference(expected, np.load(folder / "data.npz"))


class Cases(NamedTuple):
    """Labels with the scores of two models of which the first is better; some scores tie."""

    y: np.ndarray
    a: np.ndarray
    b: np.ndarray


@pytest.fixture
def cases() -> Cases:
    rng = np.random.default_rng(3)
    y = (rng.random(120) < 0.3).astype(int)
    a = np.round(1 / (1 + np.exp(-rng.normal(1.5 * y - 0.8, 1))), 2)
    b = np.round(1 / (1 + np.exp(-rng.normal(0.7 * y - 0.4, 1))), 2)
    return Cases(y, a, b)
