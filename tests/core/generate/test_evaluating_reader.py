"""What cines are read with: the frame, the CMR encoder, and a head for the phenotypes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from evaluating_parts import LinearCines, head_file

import cardionets_core as cn
from cardionets_core.errors import WeightsError
from cardionets_core.generate.evaluating.frame import Frame, view_digest
from cardionets_core.generate.evaluating.methods import Method
from cardionets_core.generate.evaluating.reader import CineReader, PhenotypeHead
from cardionets_core.registry import default_registry

CMR, ECG = "vit-cmr-tiny-simulated", "stmem-tiny-simulated"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def encoder():
    return cn.load(CMR)


@pytest.fixture
def views():
    return torch.rand(3, 10, 48, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_views_that_the_encoder_takes_are_read_as_they_are(encoder, views):
    frame = Frame.of(LinearCines())
    assert frame.digest == view_digest(encoder)
    reader = CineReader(encoder, "sha", frame, CPU)
    with torch.no_grad():
        wanted = encoder(views).pooled.numpy()
    assert reader.read(views) == pytest.approx(wanted, abs=1e-5)
    assert reader.width == wanted.shape[1]


def test_other_views_reach_the_encoder_as_whole_cines(encoder):
    frame = Frame.of(LinearCines(spatial_pool=4))
    assert frame.digest != view_digest(encoder)
    views = torch.rand(2, *frame.shape)
    with torch.no_grad():
        wanted = encoder(encoder.view(frame.restore(views))).pooled.numpy()
    reader = CineReader(encoder, "sha", frame, CPU)
    assert reader.read(views) == pytest.approx(wanted, abs=1e-5)


def test_views_of_another_generator_come_into_the_frame_through_whole_cines(views):
    frame, other = Frame.of(LinearCines()), LinearCines(spatial_pool=1)
    large = other.view(frame.restore(views))
    assert large.shape == (3, 10, 96, 96)
    assert frame.through_cines(other, large) == pytest.approx(
        frame.generator.view(other.restore(large)), abs=1e-6
    )


def test_a_heads_phenotypes_are_put_in_field_order(encoder, views, tmp_path):
    path, linear = head_file(tmp_path)
    head = PhenotypeHead(path, "runs/cmr-ref", default_registry())
    reader = CineReader(encoder, "sha", Frame.of(LinearCines()), CPU, head)
    rows = reader.read(views)
    assert rows.shape == (3, reader.width)
    with torch.no_grad():
        wanted = linear.predict(linear(encoder(views))).numpy()[:, ::-1]
    assert reader.phenotypes(rows) == pytest.approx(wanted, abs=1e-4)
    assert reader.features(rows).shape == (3, encoder.pooled_dim)
    assert reader.has_head


def test_a_head_that_reads_ecgs_or_predicts_something_else_is_refused(tmp_path):
    path, _ = head_file(tmp_path, base=ECG)
    with pytest.raises(WeightsError, match="--regressor mine reads ECG; name a run of"):
        PhenotypeHead(path, "mine", default_registry())
    path, _ = head_file(tmp_path, outputs=("LV mass", "RV mass"))
    with pytest.raises(WeightsError, match="predicts phenotypes, and the 82 phenotypes are needed"):
        PhenotypeHead(path, "mine", default_registry())


def test_a_sampler_is_random_only_if_another_seed_draws_another_cine():
    condition = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
    generator = LinearCines()
    cines = torch.rand(12, *generator.cine_shape) * 2 - 1
    generator.fit(torch.from_numpy(condition), [cines])
    method = Method("linear", "", generator, condition, "made-up", CPU)
    assert method.is_random()
    generator.left = torch.zeros_like(generator.left)
    assert not method.is_random()
