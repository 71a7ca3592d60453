"""What masked pre-training of the ECG encoder promises."""

import copy

import pytest
import torch

from cardionets_core.errors import CardionetsError
from cardionets_encoders.leads import ALL_LEADS
from cardionets_encoders.masking import draw_masking

LEADS = 12


@pytest.fixture
def model(small_stmem):
    return small_stmem().pretext()


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_one_batch_can_be_learnt(model, draw):
    x = torch.sin(torch.arange(60) * 0.7)[None, None] * (1 + draw(4, LEADS, 1).abs())
    noise = draw(*model.noise_shape(x))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    first = model(x, noise=noise).loss.item()
    for _ in range(80):
        optimizer.zero_grad()
        loss = model(x, noise=noise).loss
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2 * first


def test_the_draw_is_the_generators_alone(model, draw):
    x = draw(2, LEADS, 60)
    first = model(x, rng=seeded(1)).loss
    torch.rand(3)
    assert torch.equal(model(x, rng=seeded(1)).loss, first)
    assert not torch.equal(model(x, rng=seeded(2)).loss, first)


def test_given_noise_is_what_the_generator_would_draw(model, draw):
    x = draw(2, LEADS, 60)
    noise = torch.rand(model.noise_shape(x), generator=seeded(1))
    assert torch.equal(model(x, noise=noise).loss, model(x, rng=seeded(1)).loss)
    assert torch.equal(model.pretext_loss(x, noise=noise).loss, model(x, noise=noise).loss)


def test_hidden_samples_do_not_reach_the_encoder(model, draw):
    patches = draw(2, LEADS, 6, 10)
    masking = draw_masking(draw(2, LEADS, 6), 0.5)
    changed = torch.where(masking.hidden[..., None], 100.0, patches)
    expected = model.encode_visible(patches, masking, ALL_LEADS)
    assert torch.equal(model.encode_visible(changed, masking, ALL_LEADS), expected)


def test_each_lead_hides_its_own_patches_and_the_same_number(model, draw):
    hidden = draw_masking(draw(1, LEADS, 6), 0.5).hidden[0]
    assert hidden.sum(dim=1).tolist() == [3] * LEADS
    assert len({tuple(row.tolist()) for row in hidden}) > 1


def test_a_constant_patch_gives_a_finite_loss(model):
    loss = model(torch.ones(2, LEADS, 60), rng=seeded(1)).loss
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


def test_absent_leads_add_nothing(model, draw):
    x, noise = draw(2, LEADS, 60), draw(2, LEADS, 6)
    shared = torch.arange(LEADS) < 8
    expected = model(x, noise=noise, lead_mask=shared).loss
    spoilt = x.clone()
    spoilt[:, 8:] = float("nan")
    assert torch.equal(model(spoilt, noise=noise, lead_mask=shared).loss, expected)


def test_the_loss_of_mixed_records_is_the_mean_over_their_hidden_patches(model, draw):
    x, noise = draw(2, LEADS, 60), draw(2, LEADS, 6)
    mask = torch.ones(2, LEADS, dtype=torch.bool)
    mask[0, 4:] = False
    x[0, 4:] = float("nan")
    loss = model(x, noise=noise, lead_mask=mask).loss
    alone = [model(x[i : i + 1], noise=noise[i : i + 1], lead_mask=mask[i]).loss for i in (0, 1)]
    torch.testing.assert_close(loss, (4 * alone[0] + LEADS * alone[1]) / (4 + LEADS))
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


def test_shorter_inputs_can_be_learnt_from(model, draw):
    assert model(draw(2, LEADS, 40), rng=seeded(1)).loss.isfinite()


def test_an_input_too_short_to_hide_anything_is_named(model, draw):
    with pytest.raises(CardionetsError, match="keeps 0 of 1 patches"):
        model(draw(2, LEADS, 10))


def test_noise_of_another_shape_is_named(model, draw):
    with pytest.raises(CardionetsError, match=r"noise has shape \(2, 5\).*\(2, 12, 6\)"):
        model(draw(2, LEADS, 60), noise=draw(2, 5))


def test_the_position_table_is_frozen_here_and_trainable_where_it_is_loaded(small_stmem, draw):
    model = small_stmem().pretext()
    assert not model.encoder.position_table.requires_grad
    model(draw(2, LEADS, 60)).loss.backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in trained)
    loaded = small_stmem()
    loaded.load_state_dict(model.encoder.state_dict())
    assert all(p.requires_grad for p in loaded.parameters())


def test_the_decoder_is_no_part_of_the_encoder(small_stmem):
    bare = set(small_stmem().state_dict())
    assert set(small_stmem().pretext().encoder.state_dict()) == bare


def test_a_copy_of_the_model_computes_the_same(model, draw):
    x = draw(2, LEADS, 60)
    assert torch.equal(copy.deepcopy(model)(x, rng=seeded(1)).loss, model(x, rng=seeded(1)).loss)


def test_bf16_autocast_comes_close_to_float32(model, draw):
    x = draw(4, LEADS, 60)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(x, rng=seeded(1)).loss
    loss.backward()
    torch.testing.assert_close(loss, model(x, rng=seeded(1)).loss, atol=0.05, rtol=0.02)


@pytest.mark.slow
def test_compiled_equals_eager(model, draw):
    x = draw(2, LEADS, 60)
    noise = draw(*model.noise_shape(x))
    compiled = torch.compile(model, fullgraph=True)
    torch.testing.assert_close(compiled(x, noise=noise).loss, model(x, noise=noise).loss)
