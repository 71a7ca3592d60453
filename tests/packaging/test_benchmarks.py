"""The benchmark programs run, and count operations as torch does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def workloads(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import workloads

    return workloads


def run(program, *arguments):
    command = [sys.executable, str(BENCHMARKS / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
@pytest.mark.parametrize("encoder", ["stmem", "vit-cmr"])
@pytest.mark.parametrize("task", ["inference", "training", "masked pre-training"])
def test_flops_by_formula_are_those_that_torch_counts(workloads, encoder, size, task):
    formula = workloads.flops_per_sample(encoder, size, task, batch=3)
    assert formula == workloads.counted_flops(encoder, size, task, batch=3)


def test_flops_of_an_alignment_step_are_those_that_torch_counts(workloads):
    arguments = ("stmem", "tiny", "alignment step", 4)
    assert workloads.flops_per_sample(*arguments) == workloads.counted_flops(*arguments)


@pytest.mark.parametrize(
    ("device", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A10", 125),
        ("Some other GPU", None),
    ],
)
def test_the_peak_of_a_known_device_is_found_by_its_name(workloads, device, tflops):
    import gpu_bench

    assert gpu_bench.known_peak(device) == tflops


@pytest.mark.slow
def test_the_gpu_program_passes_its_checks_on_a_cpu(tmp_path):
    out = tmp_path / "gpu.json"
    run("gpu.py", "--device", "cpu", "--quick", "--out", out)
    rows = json.loads(out.read_text())["rows"]
    assert {row["stage"] for row in rows} == {
        "products", "correctness", "feeding", "throughput", "generation correctness",
        "generation speed",
    }  # fmt: skip
    assert all(row["passed"] for row in rows if "correctness" in row["stage"])
    assert not any(row.get("problem") for row in rows)


@pytest.mark.slow
def test_the_model_program_compares_every_precision(tmp_path):
    out = tmp_path / "models.json"
    run("models.py", "--quick", "--json", out)
    rows = json.loads(out.read_text())["rows"]
    assert {row["precision"] for row in rows} == {"float32", "bf16 autocast", "bf16 weights"}
    assert all(row["of_product"] > 0 for row in rows)


@pytest.mark.slow
def test_the_program_of_prepare_tells_rate_ratio_and_memory():
    printed = run("prepare.py", "--records", 60)
    for told in ("records/s per core", "ratio to the loop", "I/O", "ten times the records"):
        assert told in printed
