import pytest
import torch

import cardionets_core as cn
from cardionets_core.interfaces import Features

EMBED_DIM, POOLED_DIM = 8, 12


@pytest.fixture
def head():
    """Builds a head for features of ``EMBED_DIM`` and ``POOLED_DIM``."""

    def build(name="linear", *, target, outputs=None, pooled_dim=POOLED_DIM, **options):
        torch.manual_seed(0)
        return cn.build(
            "head",
            f"tasks:{name}",
            embed_dim=EMBED_DIM,
            pooled_dim=pooled_dim,
            outputs=outputs or (1 if target == "binary" else 3),
            target=target,
            **options,
        )

    return build


@pytest.fixture
def features():
    """Features of so many records."""

    def make(records, *, pooled=None, seed=0):
        rng = torch.Generator().manual_seed(seed)
        if pooled is None:
            pooled = torch.randn(records, POOLED_DIM, generator=rng)
        return Features(torch.randn(records, 6, EMBED_DIM, generator=rng), pooled)

    return make
