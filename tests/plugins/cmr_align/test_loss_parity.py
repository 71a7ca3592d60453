"""The losses equal an independent float64 implementation, in float64 and in float32."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from cardionets_cmr_align.loss import (
    cosine_similarity,
    info_nce,
    one_direction,
    pair_weights,
    weighted_info_nce,
)

pytestmark = pytest.mark.parity("weighted_infonce")

# True losses and gradients of these are about 1e-10: below what float32 resolves.
BELOW_FLOAT32 = {"near_identical_phi", "huge_sigma"}


def case_names():
    root = os.environ.get("CARDIONETS_REFERENCE")
    if not root:
        return [pytest.param(None, marks=pytest.mark.skip(reason="CARDIONETS_REFERENCE is unset"))]
    return list(json.loads((Path(root) / "weighted_infonce/loss_cases.json").read_text()))


class Case:
    def __init__(self, folder, name):
        self.name = name
        self.facts = json.loads((folder / "loss_cases.json").read_text())[name]
        with np.load(folder / "loss_cases.npz", allow_pickle=False) as arrays:
            keys = [key for key in arrays.files if key.startswith(f"{name}.")]
            self.expected = {key.removeprefix(f"{name}."): arrays[key] for key in keys}
        self.tau, self.sigma = self.facts["tau"], self.facts["sigma"]
        self.is_tiny_tau = self.tau < 0.05

    def inputs(self, dtype):
        ecg, cmr, phi = (torch.tensor(self.expected[k], dtype=dtype) for k in ("z_e", "z_c", "phi"))
        return ecg.requires_grad_(), cmr.requires_grad_(), phi

    def loss_tolerance(self, dtype):
        if dtype == torch.float64:
            return {"abs": 1e-12, "rel": 1e-11 if self.is_tiny_tau else 1e-12}
        return {"abs": 1e-5, "rel": 2e-3 if self.is_tiny_tau else 1e-4}

    def gradient_tolerance(self, dtype, expected):
        """The allowed difference of each entry; relative to its row where norms differ wildly."""
        largest = np.abs(expected).max(axis=1 if self.facts["kind"] == "large_norms" else None)
        largest = np.reshape(largest, (-1, 1))
        if dtype == torch.float64:
            absolute = 0.0 if self.facts["kind"] == "large_norms" else 1e-11
            return absolute + 1e-9 * largest
        if self.name in BELOW_FLOAT32:
            return 1e-6
        if self.is_tiny_tau:
            return 2e-3 * largest
        # All-zero gradients must come out as zero.
        return 1e-4 * largest


@pytest.fixture(params=case_names())
def case(request, reference):
    return Case(reference, request.param)


@pytest.fixture(params=[torch.float64, torch.float32], ids=["float64", "float32"])
def dtype(request):
    return request.param


def assert_gradient(case, dtype, found, expected):
    found = found.double().numpy()
    assert np.isfinite(found).all()
    assert (np.abs(found - expected) <= case.gradient_tolerance(dtype, expected)).all()


def test_pair_weights_match_even_where_they_are_1e_12(case):
    _, _, phi = case.inputs(torch.float64)
    weights = pair_weights(phi, case.sigma).numpy()
    np.testing.assert_allclose(weights, case.expected["W"], rtol=1e-12, atol=0)


def test_float32_pair_weights_are_weights(case):
    _, _, phi = case.inputs(torch.float32)
    weights = pair_weights(phi, case.sigma)
    assert weights.dtype == torch.float32
    assert ((weights >= 0) & (weights <= 1)).all()
    assert (weights.diagonal() == 0).all()
    # Rounding phi to float32 moves near-identical subjects; tiny weights of others survive.
    if case.facts["kind"] != "near_identical_phi":
        np.testing.assert_allclose(weights.numpy(), case.expected["W"], rtol=1e-4, atol=0)


def test_cosine_similarities_match_whatever_the_norms(case, dtype):
    ecg, cmr, _ = case.inputs(dtype)
    tolerance = 1e-14 if dtype == torch.float64 else 1e-6
    found = cosine_similarity(ecg, cmr).detach().numpy()
    np.testing.assert_allclose(found, case.expected["S"], rtol=0, atol=tolerance)


def test_loss_of_every_sample_matches_in_both_directions(case):
    ecg, cmr, phi = case.inputs(torch.float64)
    similarity, weights = cosine_similarity(ecg, cmr).detach(), pair_weights(phi, case.sigma)
    rows = one_direction(similarity, weights, case.tau).numpy()
    columns = one_direction(similarity.T, weights.T, case.tau).numpy()
    rtol = case.loss_tolerance(torch.float64)["rel"]
    for found, name in ((rows, "e2c"), (columns, "c2e")):
        expected = case.expected[f"loss_{name}_per_sample"]
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-12)
        assert found.mean() == pytest.approx(
            float(case.expected[f"loss_{name}"]), rel=rtol, abs=1e-12
        )


def test_weighted_loss_matches(case, dtype):
    ecg, cmr, phi = case.inputs(dtype)
    loss = weighted_info_nce(ecg, cmr, pair_weights(phi, case.sigma), case.tau)
    assert loss.dtype == dtype
    for name in ("loss", "mp_loss"):
        if name in case.expected:
            expected = float(case.expected[name])
            assert loss.item() == pytest.approx(expected, **case.loss_tolerance(dtype))


def test_gradients_of_the_weighted_loss_match(case, dtype):
    ecg, cmr, phi = case.inputs(dtype)
    weighted_info_nce(ecg, cmr, pair_weights(phi, case.sigma), case.tau).backward()
    assert_gradient(case, dtype, ecg.grad, case.expected["grad_z_e"])
    assert_gradient(case, dtype, cmr.grad, case.expected["grad_z_c"])


def test_gradient_of_one_direction_matches(case):
    ecg, cmr, phi = case.inputs(torch.float64)
    similarity = cosine_similarity(ecg, cmr)
    one_direction(similarity, pair_weights(phi, case.sigma), case.tau).mean().backward()
    assert_gradient(case, torch.float64, ecg.grad, case.expected["grad_z_e_of_loss_e2c"])


def test_plain_loss_and_gradients_match(case, dtype):
    ecg, cmr, _ = case.inputs(dtype)
    loss = info_nce(ecg, cmr, case.tau)
    loss.backward()
    expected = float(case.expected["plain_loss"])
    assert loss.item() == pytest.approx(expected, **case.loss_tolerance(dtype))
    tolerant = case if case.name not in BELOW_FLOAT32 else _as_ordinary(case)
    assert_gradient(tolerant, dtype, ecg.grad, case.expected["plain_grad_z_e"])
    assert_gradient(tolerant, dtype, cmr.grad, case.expected["plain_grad_z_c"])


def _as_ordinary(case):
    """Without weights, the two tiny-weight cases are ordinary ones and held to the tight bound."""
    case.name = "ordinary"
    return case
