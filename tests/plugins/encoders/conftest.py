"""Small encoders, made-up signals, and the reference sets."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from cardionets_encoders.config import StMemConfig, VitCmrConfig
from cardionets_encoders.stmem import StMem
from cardionets_encoders.vit_cmr import VitCmr

SMALL_STMEM = {
    "width": 16, "depth": 2, "heads": 2, "head_dim": 8, "patch_samples": 10, "num_samples": 60,
    "sampling_rate_hz": 100, "mask_ratio": 0.5, "decoder_width": 8, "decoder_depth": 1,
    "decoder_heads": 2, "decoder_head_dim": 4,
}  # fmt: skip
SMALL_VIT = {
    "width": 16, "depth": 2, "heads": 2, "image_size": 16, "frames": 6, "patch": 4,
    "decoder_width": 8, "decoder_depth": 1, "decoder_heads": 2,
}  # fmt: skip


class ReferenceSet:
    """One folder of stored vectors: its configuration, arrays and weights."""

    def __init__(self, folder):
        self.folder = folder
        self.config = json.loads((folder / "config.json").read_text())

    def arrays(self, name):
        with np.load(self.folder / name) as stored:
            return {key: torch.from_numpy(stored[key]) for key in stored.files}

    def state(self, name):
        from safetensors.torch import load_file

        return load_file(self.folder / name)


def _reference(name):
    root = os.environ.get("CARDIONETS_REFERENCE")
    if not root:
        pytest.skip("CARDIONETS_REFERENCE is unset: no reference vectors to compare with")
    return ReferenceSet(Path(root) / name)


@pytest.fixture(scope="session")
def st_mem_set():
    return _reference("st_mem")


@pytest.fixture(scope="session")
def mae_cmr_set():
    return _reference("mae_cmr")


@pytest.fixture
def small_stmem():
    def build(**options):
        torch.manual_seed(3)
        return StMem(StMemConfig(**{**SMALL_STMEM, **options}))

    return build


@pytest.fixture
def small_vit():
    def build(**options):
        torch.manual_seed(3)
        return VitCmr(VitCmrConfig(**{**SMALL_VIT, **options}))

    return build


@pytest.fixture
def draw():
    """Standard normal tensors, the same in every run."""
    rng = torch.Generator().manual_seed(7)
    return lambda *shape: torch.randn(*shape, generator=rng)


@pytest.fixture
def close():
    """Element by element within ``absolute + relative * |expected|``."""

    def check(got, expected, absolute=1e-9, relative=1e-8):
        if expected.dtype == torch.float32:  # rounded when it was stored
            absolute, relative = max(absolute, 1e-6), max(relative, 1e-6)
        assert got.shape == expected.shape
        torch.testing.assert_close(
            got.detach().double(), expected.double(), atol=absolute, rtol=relative
        )

    return check


@pytest.fixture
def loosely(close):
    """The tolerance of a float32 run."""
    return lambda got, expected: close(got, expected, absolute=2e-5, relative=1e-4)
