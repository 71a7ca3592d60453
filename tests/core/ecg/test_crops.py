from __future__ import annotations

import json

import numpy as np
import pytest

from cardionets_core.ecg.crops import fixed_crop_starts, random_crop_starts
from cardionets_core.errors import EcgError


@pytest.mark.parity("preprocessing")
def test_released_code_rule_matches_the_stored_positions(reference):
    stored = json.loads((reference / "config.json").read_text())["ncrop_start_positions"]
    assert stored
    for key, expected in stored.items():
        length, crop, segments = map(int, key.split("_"))
        starts = fixed_crop_starts(length, crop, segments, rule="released-code")
        assert starts.tolist() == expected


def test_released_code_rule_may_return_more_crops_than_asked_for():
    assert len(fixed_crop_starts(2500, 2250, 30, rule="released-code")) == 32


@pytest.mark.parametrize(("length", "crop", "segments"), [(2500, 2250, 30), (1000, 500, 4)])
def test_even_rule_returns_exactly_the_crops_asked_for_from_end_to_end(length, crop, segments):
    starts = fixed_crop_starts(length, crop, segments)
    assert len(starts) == segments
    assert starts[0] == 0
    assert starts[-1] == length - crop
    assert np.ptp(np.diff(starts)) <= 1


@pytest.mark.parametrize("rule", ["even", "released-code"])
def test_one_segment_is_centred(rule):
    assert fixed_crop_starts(2500, 2250, 1, rule=rule).tolist() == [125]


@pytest.mark.parametrize("rule", ["even", "released-code"])
def test_a_crop_as_long_as_the_record_is_taken_once(rule):
    assert fixed_crop_starts(2250, 2250, 3, rule=rule).tolist() == [0]


@pytest.mark.parametrize(
    ("length", "crop", "segments"), [(2000, 2250, 3), (10, 0, 3), (2252, 2250, 9)]
)
def test_crops_that_do_not_fit_are_refused(length, crop, segments):
    with pytest.raises(EcgError, match="crop"):
        fixed_crop_starts(length, crop, segments, rule="released-code")


def test_random_starts_depend_on_seed_epoch_and_index_and_on_nothing_else():
    def starts(indices, seed=1, epoch=2):
        return random_crop_starts(indices, seed=seed, epoch=epoch, length=1000, crop=500)

    together = starts(np.arange(100))
    alone = [int(starts([index])[0]) for index in reversed(range(100))][::-1]
    assert together.tolist() == alone
    assert (starts(np.arange(100), seed=3) != together).any()
    assert (starts(np.arange(100), epoch=3) != together).any()
    assert starts(np.arange(100), seed=2, epoch=1).tolist() != together.tolist()


def splitmix64(state: int) -> int:
    """SplitMix64's published definition in plain integers."""
    word = (1 << 64) - 1
    mixed = (state + 0x9E3779B97F4A7C15) & word
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & word
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & word
    return mixed ^ (mixed >> 31)


def test_random_starts_follow_from_split_mix_in_plain_integers():
    assert splitmix64(0) == 0xE220A8397B1DCDAF  # first output of the published generator, seed 0
    indices = [0, 1, 2, 10**9]
    key = splitmix64(splitmix64(42) ^ 7)
    expected = [(splitmix64(key ^ splitmix64(index)) >> 11) * 251 >> 53 for index in indices]
    starts = random_crop_starts(indices, seed=42, epoch=7, length=2500, crop=2250)
    assert starts.tolist() == expected


def test_random_starts_are_uniform_from_first_to_last():
    starts = random_crop_starts(np.arange(51_000), seed=0, epoch=0, length=300, crop=250)
    counts = np.bincount(starts, minlength=51)
    assert len(counts) == 51
    chi_squared = ((counts - 1000) ** 2 / 1000).sum()
    assert chi_squared < 99.6  # 1 - 3e-5 quantile at 50 degrees of freedom


def test_random_starts_of_neighbouring_records_and_epochs_are_unrelated():
    first, second = (
        random_crop_starts(np.arange(20_000), seed=5, epoch=epoch, length=2500, crop=2250)
        for epoch in (0, 1)
    )
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.03


@pytest.mark.parametrize("seed", [-1, 2**70])
def test_any_whole_number_is_a_seed(seed: int):
    assert 0 <= random_crop_starts([0], seed=seed, epoch=0, length=9, crop=9)[0] <= 0


def test_random_crops_longer_than_the_record_are_refused():
    with pytest.raises(EcgError, match="cannot cut"):
        random_crop_starts([0], seed=0, epoch=0, length=100, crop=101)
