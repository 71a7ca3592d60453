"""Both ways to attend are the same attention."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from cardionets_encoders.attention import attend

BATCH, HEADS, TOKENS, WIDTH = 2, 3, 7, 5


@pytest.fixture
def query_key_value(draw):
    return [draw(BATCH, HEADS, TOKENS, WIDTH).bfloat16().requires_grad_() for _ in range(3)]


@pytest.mark.parametrize("masked", [False, True])
def test_bf16_products_match_the_fused_kernel_with_gradients(query_key_value, draw, masked):
    mask = None
    if masked:
        mask = torch.ones(BATCH, 1, 1, TOKENS, dtype=torch.bool)
        mask[0, ..., 2:] = False
    exact = [part.detach().double().requires_grad_() for part in query_key_value]
    expected = scaled_dot_product_attention(*exact, attn_mask=mask)
    got = attend(*query_key_value, mask)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.double(), expected, atol=0.03, rtol=0.03)
    cotangent = draw(*expected.shape)
    got.backward(cotangent.bfloat16())
    expected.backward(cotangent.double())
    for part, reference in zip(query_key_value, exact, strict=True):
        torch.testing.assert_close(part.grad.double(), reference.grad, atol=0.05, rtol=0.05)


def test_what_a_masked_bf16_token_holds_has_no_influence(query_key_value):
    mask = torch.ones(BATCH, 1, 1, TOKENS, dtype=torch.bool)
    mask[..., -1] = False
    query, key, value = (part.detach() for part in query_key_value)
    expected = attend(query, key, value, mask)
    key[:, :, -1], value[:, :, -1] = 100.0, -100.0
    assert torch.equal(attend(query, key, value, mask), expected)
