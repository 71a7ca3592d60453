"""Made-up batches, and the reference vectors of the loss."""

import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def reference():
    root = os.environ.get("CARDIONETS_REFERENCE")
    if not root:
        pytest.skip("CARDIONETS_REFERENCE is unset: no reference vectors to compare with")
    return Path(root) / "weighted_infonce"


@pytest.fixture
def draw():
    """Standard normal tensors, float64, the same in every run."""
    rng = torch.Generator().manual_seed(7)
    return lambda *shape: torch.randn(*shape, generator=rng, dtype=torch.float64)
