"""What is random about a record, and in which order its tokens are drawn."""

import pytest
import torch

from cardionets_core.errors import UsageError
from cardionets_mar3d.sampling import (
    Plan,
    RecordNoise,
    record_seeds,
    sample_tokens,
    sampling_dtype,
)
from cardionets_mar3d.tokens import (
    hidden_count,
    iteration_schedule,
    linear_guidance,
    truncated_normal_ratio,
    uniform_ratio,
)

CPU = torch.device("cpu")


def test_a_records_numbers_do_not_depend_on_the_others():
    together, alone = RecordNoise([5, 9], 12, 3, CPU), RecordNoise([9], 12, 3, CPU)
    orders, order = together.orders(), alone.orders()
    assert torch.equal(orders[1:], order)
    assert sorted(order[0].tolist()) == list(range(12))
    for both, one in zip(together.draw(orders[:, :4], 6), alone.draw(order[:, :4], 6), strict=True):
        assert torch.equal(both.movedim(-3, 0)[1:], one.movedim(-3, 0))


def test_one_seed_gives_each_record_its_own():
    seeds = record_seeds(3, 5)
    assert len(set(seeds)) == 5
    assert record_seeds(3, 2) == seeds[:2]
    assert not set(record_seeds(4, 5)) & set(seeds)
    assert record_seeds((7, 7), 2) == [7, 7]


def test_too_few_seeds_are_refused():
    with pytest.raises(UsageError, match="2 seeds for 3 conditions"):
        record_seeds([1, 2], 3)


@pytest.mark.parametrize("tokens", [1, 2, 9, 180])
@pytest.mark.parametrize("iterations", [1, 2, 8, 16, 300])
def test_every_token_is_drawn_once_whatever_the_iterations(tokens, iterations):
    hidden = iteration_schedule(tokens, iterations)
    assert len(hidden) == iterations + 1
    assert (hidden[0], hidden[-1]) == (tokens, 0)
    assert hidden == sorted(hidden, reverse=True)
    if iterations <= tokens:
        assert len(set(hidden)) == iterations + 1


def test_linear_guidance_starts_near_none_and_ends_near_its_strength():
    factors = [linear_guidance(3.0, 180, after) for after in iteration_schedule(180, 16)[1:]]
    assert factors == sorted(factors)
    assert 1.0 < factors[0] < 1.05
    assert 2.95 < factors[-1] < 3.0


@pytest.mark.parametrize("law", [truncated_normal_ratio, uniform_ratio])
def test_hidden_parts_lie_between_their_least_and_all(law):
    parts = [law(step / 50, 0.7) for step in range(51)]
    assert parts == sorted(parts)
    assert parts[0] == pytest.approx(0.7)
    assert parts[-1] == pytest.approx(1.0)


def test_the_hidden_part_is_rounded_up():
    assert [hidden_count(ratio, 9) for ratio in (0.7, 7 / 9, 0.78, 1.0)] == [7, 7, 8, 9]


class Recorder:
    """A transformer and a sampler that note what they are asked; a token is its place."""

    noise_steps = 2

    def __init__(self):
        self.asked, self.guidance = [], []

    def transformer(self, known, places, condition, wanted):
        # A token that is known holds what was drawn for it.
        assert torch.equal(known[..., 0], places.to(known.dtype))
        self.asked.append((places, wanted))
        return wanted.unsqueeze(-1).to(known.dtype)

    def draw(self, z, *, start, noise, guidance):
        assert noise.shape == (2, *start.shape)
        self.guidance.append(guidance)
        return z[: len(start)].expand(-1, start.shape[1])


@pytest.mark.parametrize("halves", [1, 2])
def test_drawn_tokens_are_known_to_all_later_iterations(halves):
    recorder, plan = Recorder(), Plan(12, 3, 4, 2.0, "linear")
    condition = torch.zeros(2 * halves, 5)
    tokens = sample_tokens(
        plan, recorder.transformer, recorder, condition, RecordNoise([1, 2], 12, 3, CPU)
    )
    assert torch.equal(tokens, torch.arange(12.0)[None, :, None].expand(2, 12, 3))
    seen = torch.cat([wanted for _, wanted in recorder.asked], dim=1)
    assert all(sorted(row) == list(range(12)) for row in seen.tolist())
    assert [len(places[0]) for places, _ in recorder.asked] == [
        12 - hidden for hidden in iteration_schedule(12, 4)[:-1]
    ]
    assert recorder.guidance == sorted(recorder.guidance)


def test_precision_follows_the_option_and_the_weights():
    small, large = torch.zeros(96, 96), torch.zeros(768, 768)
    assert sampling_dtype("32", large) == torch.float32
    assert sampling_dtype("bf16", small) == torch.bfloat16
    assert sampling_dtype("auto", small) == torch.float32
    assert sampling_dtype("auto", large) in {torch.float32, torch.bfloat16}
    assert sampling_dtype("bf16", large.double()) == torch.float64
