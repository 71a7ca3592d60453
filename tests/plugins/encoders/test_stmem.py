"""What the ECG encoder promises."""

import pytest
import torch

from cardionets_core.errors import EcgError, LeadError
from cardionets_core.interfaces import Encoder, PretextModel, missing_members

LEADS = 12


@pytest.fixture
def encoder(small_stmem):
    return small_stmem().eval()


def present(*rows):
    mask = torch.zeros(LEADS, dtype=torch.bool)
    mask[list(rows)] = True
    return mask


def test_it_keeps_the_contracts(encoder):
    assert missing_members(encoder, Encoder) == []
    assert missing_members(encoder.pretext(), PretextModel) == []
    assert encoder.modality == "ecg"
    assert (encoder.num_samples, encoder.sampling_rate_hz, len(encoder.leads)) == (60, 100, LEADS)


def test_tokens_are_all_patches_lead_by_lead(encoder, draw):
    features = encoder(draw(3, LEADS, 60))
    assert features.tokens.shape == (3, LEADS * 6, encoder.embed_dim)
    assert features.pooled.shape == (3, encoder.pooled_dim)


def test_the_same_seed_gives_the_same_weights(small_stmem):
    first, second = small_stmem().state_dict(), small_stmem().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_an_absent_lead_holds_has_no_influence(encoder, draw):
    x = draw(2, LEADS, 60)
    spoilt = x.clone()
    spoilt[:, 8:] = float("nan")
    mask = present(*range(8)).repeat(2, 1)
    expected = encoder(x, mask)
    assert torch.equal(encoder(spoilt, mask).pooled, expected.pooled)
    assert torch.equal(encoder(spoilt, mask).tokens, expected.tokens)


def test_nan_in_an_absent_lead_reaches_neither_output_nor_gradient(encoder, draw):
    x = draw(2, LEADS, 60)
    x[0, 5] = float("nan")
    mask = torch.ones(2, LEADS, dtype=torch.bool)
    mask[0, 5] = False
    features = encoder(x, mask)
    features.pooled.sum().backward()
    assert features.tokens.isfinite().all()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


def test_a_record_is_encoded_the_same_alone_and_among_records_with_other_leads(encoder, draw):
    x = draw(3, LEADS, 60)
    mask = torch.stack([present(0, 1), present(1, 6, 7), present(*range(LEADS))])
    together = encoder(x, mask)
    for index in range(3):
        alone = encoder(x[index : index + 1], mask[index])
        torch.testing.assert_close(together.pooled[index], alone.pooled[0])
        torch.testing.assert_close(together.tokens[index], alone.tokens[0])


def test_a_mask_of_all_leads_changes_nothing(encoder, draw):
    x = draw(2, LEADS, 60)
    mask = torch.ones(2, LEADS, dtype=torch.bool)
    assert torch.equal(encoder(x, mask).pooled, encoder(x).pooled)


def test_tokens_of_absent_leads_are_zero_and_the_others_in_their_places(encoder, draw):
    x = draw(2, LEADS, 60)
    for mask in (present(1, 6), torch.stack([present(1, 6), present(*range(LEADS))])):
        tokens = encoder(x, mask).tokens.unflatten(1, (LEADS, 6))[0]
        filled = tokens.abs().sum(dim=(1, 2)) > 0
        assert filled.nonzero()[:, 0].tolist() == [1, 6]


def test_absent_leads_of_a_whole_batch_are_not_computed(encoder, draw):
    seen = []
    encoder.blocks[0].register_forward_hook(lambda _, given, result: seen.append(given[0].shape[1]))
    encoder(draw(2, LEADS, 60), present(0, 1).repeat(2, 1))
    assert seen == [2 * (6 + 2)]


def test_every_parameter_learns(encoder, draw):
    encoder(draw(2, LEADS, 60)).pooled.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_a_single_head_as_wide_as_a_token_has_no_output_projection(small_stmem):
    state = small_stmem(heads=1, head_dim=16).state_dict()
    assert not any("attention.project" in name for name in state)


def test_bf16_autocast_comes_close_to_float32(encoder, draw):
    x = draw(2, LEADS, 60)
    mask = torch.stack([present(1, 6), present(*range(LEADS))])
    with torch.autocast("cpu", torch.bfloat16):
        pooled = encoder(x, mask).pooled
    torch.testing.assert_close(pooled.float(), encoder(x, mask).pooled, atol=0.1, rtol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True])
def test_compiled_equals_eager(encoder, draw, masked):
    x = draw(2, LEADS, 60)
    mask = torch.stack([present(1, 6), present(*range(LEADS))]) if masked else None
    compiled = torch.compile(encoder, fullgraph=True)
    torch.testing.assert_close(compiled(x, mask), encoder(x, mask))


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((12, 60), EcgError, r"shape \(12, 60\), but \(batch, leads, samples\)"),
        ((1, 8, 60), LeadError, "8 leads, but this encoder takes the 12 leads I, II"),
        ((1, 12, 70), EcgError, "70 samples, but at most 60 and a multiple of 10"),
        ((1, 12, 55), EcgError, "55 samples"),
        ((1, 12, 0), EcgError, "0 samples"),
    ],
)
def test_a_wrong_input_is_named(encoder, shape, error, message):
    with pytest.raises(error, match=message):
        encoder(torch.zeros(shape))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(8, dtype=torch.bool), r"shape \(8,\), but \(12,\) or \(2, 12\)"),
        (torch.zeros(2, 12, dtype=torch.bool), "without any lead"),
    ],
)
def test_a_wrong_lead_mask_is_named(encoder, mask, message):
    with pytest.raises(LeadError, match=message):
        encoder(torch.zeros(2, LEADS, 60), mask)
