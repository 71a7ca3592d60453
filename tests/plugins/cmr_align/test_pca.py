"""Principal components and the median distance."""

import json

import numpy as np
import pytest
import torch

from cardionets_cmr_align import pca as pca_module
from cardionets_cmr_align.aligner import WeightedInfoNce
from cardionets_cmr_align.config import WeightedInfoNceConfig
from cardionets_cmr_align.loss import pair_weights
from cardionets_cmr_align.pca import centre_and_scale, fit_pca, median_distance


def squared_distances(phi):
    return torch.cdist(phi, phi, compute_mode="donot_use_mm_for_euclid_dist").square()


@pytest.fixture(scope="module")
def vectors(reference):
    facts = json.loads((reference / "pca.json").read_text())
    with np.load(reference / "pca.npz", allow_pickle=False) as arrays:
        return facts, {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def fitted(vectors, dtype, **options):
    facts, arrays = vectors
    config = WeightedInfoNceConfig(pca_components=facts["n_components"], **options)
    aligner = WeightedInfoNce(config, ecg_dim=4, cmr_dim=facts["dim"]).to(dtype)
    aligner.fit(arrays["h_train"])
    return aligner


@pytest.mark.parity("weighted_infonce")
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-8), (torch.float32, 1e-4)])
def test_distances_of_principal_components_match(vectors, dtype, rtol):
    _, arrays = vectors
    aligner = fitted(vectors, dtype)
    for features, expected in (
        (arrays["h_test"], arrays["sqdist_test"]),
        (arrays["h_train"][:32], arrays["sqdist_train_first32"]),
    ):
        found = squared_distances(aligner.phi(features.to(dtype))).double()
        torch.testing.assert_close(found, expected.double(), rtol=rtol, atol=0)


@pytest.mark.parity("weighted_infonce")
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-8), (torch.float32, 1e-4)])
def test_median_sigma_and_weights_match(vectors, dtype, rtol):
    facts, arrays = vectors
    aligner = fitted(vectors, dtype, sigma="median")
    assert aligner.sigma.item() == pytest.approx(facts["sigma"], rel=rtol)
    weights = pair_weights(aligner.phi(arrays["h_test"].to(dtype)), aligner.sigma).double()
    torch.testing.assert_close(weights, arrays["W_test"], rtol=rtol, atol=0)


@pytest.mark.parity("weighted_infonce")
def test_whitened_distances_match(vectors):
    _, arrays = vectors
    aligner = fitted(vectors, torch.float64, whiten=True)
    found = squared_distances(aligner.phi(arrays["h_test"].double()))
    torch.testing.assert_close(found, arrays["sqdist_test_if_whitened"], rtol=1e-7, atol=0)


@pytest.mark.parity("weighted_infonce")
def test_components_mean_and_variance_match_up_to_sign(vectors):
    facts, arrays = vectors
    pca = fit_pca(arrays["h_train"], facts["n_components"])
    torch.testing.assert_close(pca.mean, arrays["mean"], rtol=0, atol=1e-12)
    torch.testing.assert_close(pca.variance, arrays["explained_variance"], rtol=1e-10, atol=0)
    expected = arrays["components_first4"]
    cosines = (pca.components[: len(expected)] * expected).sum(dim=1).abs()
    torch.testing.assert_close(cosines, torch.ones_like(cosines), rtol=0, atol=1e-10)


def test_many_rows_and_few_rows_give_the_same_components(draw, monkeypatch):
    features = draw(40, 12) * torch.linspace(3, 0.5, 12)
    by_covariance = fit_pca(features, 5)
    monkeypatch.setattr(pca_module, "ROWS_AT_ONCE", 7)
    by_blocks = fit_pca(features, 5)
    variance, directions = pca_module._from_rows(features - features.mean(0))
    expected = pca_module._with_fixed_signs(directions[:5])
    for found in (by_covariance, by_blocks):
        torch.testing.assert_close(found.components, expected, rtol=0, atol=1e-10)
        torch.testing.assert_close(found.variance, variance[:5], rtol=1e-10, atol=0)


def test_scale_is_the_root_mean_square_of_centred_entries(draw, monkeypatch):
    monkeypatch.setattr(pca_module, "ROWS_AT_ONCE", 7)
    features = 3 + 2 * draw(40, 12)
    mean, scale = centre_and_scale(features)
    torch.testing.assert_close(mean, features.mean(0))
    torch.testing.assert_close(scale, (features - mean).square().mean().sqrt())


def test_duplicated_subjects_leave_components_finite(draw):
    features = draw(3, 20).repeat(4, 1)
    pca = fit_pca(features, 128)
    assert torch.isfinite(pca.components).all()
    assert pca.components.shape == (11, 20)


def test_median_distance_is_that_of_all_pairs(draw):
    phi = draw(9, 3)
    pairs = [float((phi[i] - phi[k]).square().sum()) for i in range(9) for k in range(i)]
    assert median_distance(phi).item() == pytest.approx(np.sqrt(np.median(pairs)), rel=1e-12)


def test_median_distance_of_many_is_estimated_from_a_fixed_subset(draw, monkeypatch):
    phi = draw(400, 3)
    exact = median_distance(phi)
    monkeypatch.setattr(pca_module, "MAX_SUBJECTS_FOR_MEDIAN", 100)
    estimate = median_distance(phi)
    assert torch.equal(estimate, median_distance(phi))
    assert estimate.item() == pytest.approx(exact.item(), rel=0.1)
