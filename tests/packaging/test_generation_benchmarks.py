"""The benchmark of generation runs, and counts operations as torch does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def benchmarks_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def counted(work):
    # Fused attention counts otherwise than the products that it stands for.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


@pytest.fixture
def model():
    from generation_models import build_mar

    def build(sampler, slots=2, **options):
        few = {"sample_steps": 4, "flow_steps": 2, "sampling_precision": "32"}
        return build_mar("tiny", sampler, slots, CPU, **few, **options)

    return build


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("sampler", ["diffusion", "flow"])
def test_flops_of_generation_are_those_that_torch_counts(model, sampler, guidance):
    from generation_flops import generation, time_embeddings
    from generation_stages import Stages, staged_latents

    generator = model(sampler)
    condition = torch.randn(3, generator.config.width)
    found = counted(lambda: staged_latents(generator, condition, guidance, Stages(CPU)))
    formula = generation(generator.config, guided=guidance != 1.0).total
    assert found == 3 * formula + time_embeddings(generator.config)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_flops_of_the_naive_way_are_those_that_torch_counts(model, guidance):
    from generation_flops import generation
    from generation_stages import Stages
    from naive_generation import naive_latent

    generator = model("diffusion")
    condition = torch.randn(1, generator.config.width)
    found = counted(lambda: naive_latent(generator, condition, guidance, Stages(CPU)))
    assert found == generation(generator.config, guided=guidance != 1.0, shared=False).total


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_the_naive_way_draws_the_same_latents(model, guidance):
    from generation_stages import Stages, staged_latents
    from naive_generation import naive_latent

    generator = model("diffusion").double()
    condition = torch.randn(1, generator.config.width, dtype=torch.float64)
    ours = staged_latents(generator, condition, guidance, Stages(CPU))
    naive = naive_latent(generator, condition, guidance, Stages(CPU))
    torch.testing.assert_close(naive, ours, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sampler", ["diffusion", "flow"])
def test_flops_of_training_are_those_that_torch_counts(model, sampler):
    from generation_flops import training
    from gpu_generation import LossOf, loss_inputs

    generator = model(sampler).train()
    hidden, inputs = loss_inputs(generator, 2)

    def work():
        LossOf(generator, hidden)(**inputs).loss.backward()

    condition = 2 * 2 * 2.0 * inputs["condition"].shape[1] * generator.config.width
    assert counted(work) == 2 * training(generator.config, hidden) + condition


@pytest.mark.slow
def test_the_program_compares_every_way(tmp_path):
    out = tmp_path / "generation.json"
    command = [sys.executable, str(BENCHMARKS / "generation.py"), "--quick", "--json", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert {row["way"] for row in result["rows"]} == {"naive", "diffusion", "flow"}
    assert all(row["of_product"] > 0 for row in (*result["rows"], *result["decoding"]))
