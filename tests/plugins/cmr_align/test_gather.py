"""Two processes that align together do what one does on the joined batch."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cardionets_cmr_align.gather import join

PROGRAM = Path(__file__).with_name("two_processes.py")
NAMES = ("infonce", "weighted-infonce")


def load_program():
    spec = importlib.util.spec_from_file_location("two_processes", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["4,4", "3,5"], ids=["even", "uneven"])
def runs(request, tmp_path_factory):
    """What each of two real processes found, and one process on the joined batch."""
    folder = tmp_path_factory.mktemp("ranks")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(rank), request.param, str(folder)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
    ranks = [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]
    program = load_program()
    ecg, cmr = program.joined_batch(8)
    single = {}
    for name in NAMES:
        step = program.fitted_step(name, cmr)
        single[name] = program.loss_and_gradients(step, step, ecg, cmr)
    return ranks, single


@pytest.mark.parametrize("name", NAMES)
def test_loss_and_log_are_those_of_the_joined_batch_in_every_process(runs, name):
    ranks, single = runs
    for rank in ranks:
        torch.testing.assert_close(rank[name]["loss"], single[name]["loss"], rtol=1e-12, atol=0)
        assert rank[name]["log"] == pytest.approx(single[name]["log"], rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_after_averaging_are_those_of_the_joined_batch(runs, name):
    ranks, single = runs
    expected = single[name]["gradients"]
    assert {"encoder.weight", "aligner.cmr_projection.bias"} <= expected.keys()
    assert expected["aligner.log_temperature"].abs() > 1e-3
    for rank in ranks:
        for parameter, gradient in expected.items():
            found = rank[name]["gradients"][parameter]
            torch.testing.assert_close(found, gradient, rtol=1e-10, atol=1e-14)


def test_a_single_process_gets_its_rows_back():
    rows = torch.zeros(3, 2)
    assert join(rows) is rows
