"""What the leakage guard is told about a weights file's past."""

import numpy as np
import pytest
import torch

from cardionets_core.cohort.guard import Fingerprints, SimulatedRange
from cardionets_core.errors import CohortError
from cardionets_core.weights.ancestry import ancestry_of
from cardionets_core.weights.file import save_weights
from cardionets_core.weights.header import PartHeader, WeightsHeader, read_header
from cardionets_core.weights.lineage import LineageStep


@pytest.fixture
def weights(tmp_path):
    part = PartHeader(
        component="p:c", kind="encoder", distribution="d", version="1", config={}, arguments={}
    )
    step = LineageStep(
        command="c", stage="s", simulated=True, simulated_ranges=((5, 0, 10),), licence="MIT"
    )
    path = tmp_path / "weights.safetensors"
    save_weights(path, {"encoder.w": torch.zeros(1)}, WeightsHeader.of({"encoder": part}, (step,)))
    return path


def test_published_weights_name_their_simulated_subjects(weights):
    seen = ancestry_of(weights, read_header(weights))
    assert seen.simulated == (SimulatedRange(5, 0, 10),)


def test_a_run_folder_without_its_fingerprints_is_refused(weights):
    (weights.parent / "run.json").write_text("{}")
    with pytest.raises(CohortError, match="fingerprints"):
        ancestry_of(weights, read_header(weights))


def test_a_run_folder_adds_the_fingerprints_of_its_patients(weights):
    (weights.parent / "run.json").write_text("{}")
    empty = Fingerprints.empty()
    Fingerprints(np.array([7], np.uint64), empty.subjects).save(weights.parent / "fingerprints.npz")
    seen = ancestry_of(weights, read_header(weights))
    assert seen.signals.tolist() == [7]
    assert seen.simulated == (SimulatedRange(5, 0, 10),)
