"""Which samples make which batch."""

from __future__ import annotations

import threading
from contextlib import closing

import numpy as np
import pytest

from cardionets_core.train.order import (
    epoch_order,
    even_batches,
    mask_noise,
    prefetched,
    seed_of,
    train_batches,
)

ROWS = np.arange(100, 123)


def test_an_epoch_visits_every_row_once_in_an_order_of_its_own():
    first, second = (epoch_order(ROWS, seed=3, epoch=epoch) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == ROWS.tolist()
    assert first.tolist() != second.tolist()
    assert first.tolist() == epoch_order(ROWS, seed=3, epoch=0).tolist()
    assert first.tolist() != epoch_order(ROWS, seed=4, epoch=0).tolist()


@pytest.mark.parametrize(
    ("whole_only", "world_size", "sizes"),
    [(False, 1, [8, 8, 7]), (False, 2, [8, 8, 6]), (True, 1, [8, 8])],
)
def test_training_batches_can_be_shared_evenly(whole_only, world_size, sizes):
    batches = train_batches(ROWS, 8, world_size=world_size, whole_only=whole_only)
    assert [len(batch) for batch in batches] == sizes


def test_the_only_batch_is_kept_though_incomplete():
    assert [len(b) for b in train_batches(ROWS, 64, world_size=1, whole_only=True)] == [23]


def test_validation_batches_leave_none_out_and_are_of_nearly_one_size():
    batches = even_batches(ROWS, 8)
    assert np.concatenate(batches).tolist() == ROWS.tolist()
    assert [len(batch) for batch in batches] == [8, 8, 7]
    assert [len(batch) for batch in even_batches(ROWS[:9], 8)] == [5, 4]


def test_a_subjects_mask_does_not_depend_on_its_batch():
    whole = mask_noise(ROWS, (4,), seed=1, epoch=2)
    assert np.array_equal(whole[5:7], mask_noise(ROWS[5:7], (4,), seed=1, epoch=2))
    assert not np.array_equal(whole, mask_noise(ROWS, (4,), seed=1, epoch=3))
    assert not np.array_equal(whole, mask_noise(ROWS, (4,), seed=2, epoch=2))


def test_seeds_differ_by_seed_and_by_purpose():
    seeds = {seed_of(0, "encoder"), seed_of(1, "encoder"), seed_of(0, "epoch", 1, 0)}
    assert len(seeds) == 3
    assert seed_of(0, "encoder") == seed_of(0, "encoder")


def test_prefetched_items_come_in_order():
    assert list(prefetched(lambda item: item * 2, range(20))) == list(range(0, 40, 2))


def test_an_error_while_prefetching_comes_where_its_item_would():
    def make(item):
        if item == 3:
            raise ValueError("item 3")
        return item

    made = prefetched(make, range(10))
    assert [next(made) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="item 3"):
        next(made)


def test_no_thread_is_left_when_the_loop_stops_early():
    before = threading.active_count()
    with closing(prefetched(lambda item: item, range(1000))) as made:
        next(made)
    assert threading.active_count() == before
