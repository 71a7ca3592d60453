"""What the losses promise beyond the reference vectors."""

import math

import pytest
import torch

from cardionets_cmr_align.loss import (
    cosine_similarity,
    info_nce,
    one_direction,
    pair_weights,
    unit_norm,
    weighted_info_nce,
)


def loop_over_pairs(ecg, cmr, phi, sigma, tau):
    """The formula as it stands in the paper, one pair at a time."""
    total = 0.0
    for first, second in ((ecg, cmr), (cmr, ecg)):
        for i in range(len(ecg)):
            cosines = [torch.cosine_similarity(first[i], z, dim=0, eps=0) for z in second]
            positive = (cosines[i] / tau).exp()
            others = sum(
                (1 - (-((phi[i] - phi[k]) ** 2).sum() / sigma**2).exp()) * (cosines[k] / tau).exp()
                for k in range(len(ecg))
                if k != i
            )
            total = total - (positive / (positive + others)).log() / (2 * len(ecg))
    return total


def test_weighted_info_nce_matches_a_loop_over_pairs(draw):
    ecg, cmr, phi = draw(5, 6), draw(5, 6), draw(5, 3)
    expected = loop_over_pairs(ecg, cmr, phi, sigma=1.5, tau=0.2)
    loss = weighted_info_nce(ecg, cmr, pair_weights(phi, 1.5), 0.2)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


def test_raw_exponentials_with_1e_12_give_the_same_loss(draw):
    """So the released code's formula needs no option of its own."""
    ecg, cmr, phi, tau = draw(16, 8), draw(16, 8), draw(16, 4), 0.05
    similarity, weights = cosine_similarity(ecg, cmr), pair_weights(phi, 2.0)
    losses = []
    for s in (similarity, similarity.T):
        exponentials = (s / tau).exp()
        positive = exponentials.diagonal()
        losses.append(-(positive / (positive + (weights * exponentials).sum(1) + 1e-12)).log())
    expected = torch.cat(losses).mean().item()
    assert weighted_info_nce(ecg, cmr, weights, tau).item() == pytest.approx(expected, rel=1e-6)


def test_gradients_are_those_of_finite_differences(draw):
    ecg, cmr = draw(4, 3).requires_grad_(), draw(4, 3).requires_grad_()
    log_tau = torch.tensor(-1.5, dtype=torch.float64, requires_grad=True)
    weights = pair_weights(draw(4, 2), 1.0)
    assert torch.autograd.gradcheck(
        lambda e, c, t: weighted_info_nce(e, c, weights, t.exp()), (ecg, cmr, log_tau)
    )


def test_a_negative_of_weight_0_gets_no_gradient_and_no_nan(draw):
    similarity = draw(4, 4).requires_grad_()
    weights = torch.ones(4, 4, dtype=torch.float64)
    weights[0, 2] = 0.0
    one_direction(similarity, weights, 0.1).sum().backward()
    assert similarity.grad[0, 2] == 0.0
    assert (similarity.grad[0, [1, 3]] != 0).all()
    assert torch.isfinite(similarity.grad).all()


def test_the_diagonal_of_the_weights_is_not_read(draw):
    similarity, weights = draw(3, 3), torch.rand(3, 3, dtype=torch.float64)
    other = weights.clone().fill_diagonal_(17.0)
    assert torch.equal(
        one_direction(similarity, weights, 0.1), one_direction(similarity, other, 0.1)
    )


def test_weights_of_1_give_plain_info_nce_and_cross_entropy(draw):
    ecg, cmr = draw(6, 4), draw(6, 4)
    logits = cosine_similarity(ecg, cmr) / 0.1
    target = torch.arange(6)
    cross_entropy = torch.nn.functional.cross_entropy
    expected = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
    assert info_nce(ecg, cmr, 0.1).item() == pytest.approx(expected.item(), rel=1e-12)


def test_one_pair_without_negatives_has_loss_0(draw):
    assert info_nce(draw(1, 4), draw(1, 4), 0.1).item() == 0.0


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_inputs_are_computed_in_float32(draw, half):
    ecg, cmr, phi = draw(8, 16).to(half), draw(8, 16).to(half), draw(8, 4).to(half)
    found = weighted_info_nce(ecg, cmr, pair_weights(phi, 2.0), 0.05)
    expected = weighted_info_nce(ecg.float(), cmr.float(), pair_weights(phi.float(), 2.0), 0.05)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_autocast_changes_nothing(draw):
    ecg, cmr, phi = draw(8, 16).float(), draw(8, 16).float(), draw(8, 4).float()
    expected = weighted_info_nce(ecg, cmr, pair_weights(phi, 2.0), 0.05)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = weighted_info_nce(ecg, cmr, pair_weights(phi, 2.0), 0.05)
    assert torch.equal(found, expected)


def test_near_neighbours_far_from_the_origin_keep_their_weight():
    phi = torch.tensor([[1000.0, 0.0], [1000.0, 0.5], [1000.0, 0.5]])
    weights = pair_weights(phi, 1.0)
    assert weights[0, 1].item() == pytest.approx(-math.expm1(-0.25), rel=1e-6)
    assert weights[1, 2].item() == 0.0


def test_pair_weights_carry_no_gradient(draw):
    assert not pair_weights(draw(3, 2).requires_grad_(), 1.0).requires_grad


@pytest.mark.parametrize("norm", [1e-30, 1e-6, 1e6, 1e30])
def test_unit_norm_does_not_depend_on_the_length(draw, norm):
    vectors = draw(3, 5).float()
    found = unit_norm(vectors * norm)
    torch.testing.assert_close(found, unit_norm(vectors), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))


def test_a_zero_vector_stays_zero_with_a_finite_gradient():
    vectors = torch.zeros(2, 4, requires_grad=True)
    unit = unit_norm(vectors)
    unit.sum().backward()
    assert (unit == 0).all()
    assert torch.isfinite(vectors.grad).all()


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_lie_between_0_and_1_in_every_precision(draw, autocast, dtype):
    phi = 1000 + 1e-3 * draw(16, 8)
    phi[8:] = phi[:8]  # equal hearts, where products would leave a negative distance
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        weights = pair_weights(phi.to(dtype), 0.5)
    assert weights.dtype == torch.float32
    assert 0 <= weights.min() <= weights.max() <= 1
    assert torch.equal(weights, weights.T)
