"""Recall at k."""

import numpy as np
import pytest

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate import retrieval
from cardionets_core.evaluate.retrieval import (
    recall_at_k,
    retrieval_table,
    rivals,
    shuffled_pairs_control,
)
from cardionets_core.evaluate.statistics import wilson_interval


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def pairs(rng):
    """200 subjects whose two embeddings share a noisy part."""
    shared = rng.normal(size=(200, 8))
    return shared + 0.5 * rng.normal(size=(200, 8)), shared + 0.5 * rng.normal(size=(200, 8))


def ranks_by_sorting(queries, targets):
    """Place of each query's own target, from 1, by sorting all cosines."""
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    targets = targets / np.linalg.norm(targets, axis=1, keepdims=True)
    order = np.argsort(-(queries @ targets.T), axis=1)
    return np.argmax(order == np.arange(len(queries))[:, None], axis=1) + 1


def test_recall_matches_sorting_all_cosines(pairs):
    ecg, cmr = pairs
    found = recall_at_k(ecg, cmr, ks=(1, 5, 10))
    for direction, ranks in (
        ("ecg-to-cmr", ranks_by_sorting(ecg, cmr)),
        ("cmr-to-ecg", ranks_by_sorting(cmr, ecg)),
    ):
        assert found[direction] == {k: pytest.approx((ranks <= k).mean()) for k in (1, 5, 10)}
    assert found["ecg-to-cmr"] != found["cmr-to-ecg"]


@pytest.mark.parametrize("at_once", [1, 1000, 199 * 200])
def test_recall_does_not_depend_on_the_block_size(pairs, monkeypatch, at_once):
    expected = rivals(*pairs)
    monkeypatch.setattr(retrieval, "SIMILARITIES_AT_ONCE", at_once)
    for direction, found in rivals(*pairs).items():
        np.testing.assert_array_equal(found.ahead, expected[direction].ahead)
        np.testing.assert_array_equal(found.tied, expected[direction].tied)


@pytest.mark.parametrize("count", [7, 64, 333])
def test_equal_embeddings_for_everyone_are_at_chance(rng, count):
    ecg, cmr = (np.tile(rng.normal(size=256), (count, 1)) for _ in range(2))
    for row in retrieval_table(ecg, cmr):
        assert row.recall == pytest.approx(row.chance) == pytest.approx(min(1, row.k / count))


def test_two_subjects_with_one_embedding_share_their_hits():
    embeddings = np.eye(4)[[0, 1, 2, 2]]
    assert recall_at_k(embeddings, embeddings, ks=(1, 2))["ecg-to-cmr"] == {1: 0.75, 2: 1.0}


def test_perfect_pairs_have_recall_1_whatever_the_lengths(rng):
    ecg = rng.normal(size=(50, 6))
    cmr = ecg * rng.uniform(1e-150, 1e150, size=(50, 1))
    assert all(row.recall == 1.0 for row in retrieval_table(ecg, cmr))


def test_table_has_each_direction_and_k_with_interval_and_chance(pairs):
    table = retrieval_table(*pairs, ks=(1, 5))
    assert [(row.direction, row.k) for row in table] == [
        (direction, k) for direction in ("ecg-to-cmr", "cmr-to-ecg") for k in (1, 5)
    ]
    for row in table:
        assert (row.low, row.high) == wilson_interval(row.recall * 200, 200)
        assert row.low < row.recall < row.high
        assert row.chance == row.k / 200


def test_k_beyond_the_number_of_subjects_finds_everyone(rng):
    table = retrieval_table(rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), ks=(10,))
    assert {(row.recall, row.chance) for row in table} == {(1.0, 1.0)}


def test_shuffled_pairs_come_out_at_chance_and_true_ones_do_not(pairs):
    true = retrieval_table(*pairs)
    assert all(row.low > row.chance for row in true)
    # Averaged over deals: a single one may leave its own 95 % interval.
    deals = [[row.recall for row in shuffled_pairs_control(*pairs, seed=s)] for s in range(30)]
    chance = np.array([row.chance for row in true])
    np.testing.assert_allclose(np.mean(deals, axis=0), chance, atol=0.012)


def test_shuffling_is_the_same_for_the_same_seed(pairs):
    assert shuffled_pairs_control(*pairs, seed=1) == shuffled_pairs_control(*pairs, seed=1)
    assert shuffled_pairs_control(*pairs, seed=1) != shuffled_pairs_control(*pairs, seed=2)


@pytest.mark.parametrize(
    ("ecg", "cmr", "message"),
    [
        (np.ones((3, 2)), np.ones((4, 2)), "do not pair up"),
        (np.ones((0, 2)), np.ones((0, 2)), r"shape \(0, 2\)"),
        (np.ones(3), np.ones(3), r"shape \(3,\)"),
        (np.ones((2, 2)), np.array([[1.0, 0.0], [0.0, 0.0]]), "1 of 2 CMR embeddings are zero"),
        (np.array([[np.nan, 1.0]]), np.ones((1, 2)), "1 of 1 ECG embeddings are zero or not"),
    ],
)
def test_embeddings_that_cannot_be_compared_are_named(ecg, cmr, message):
    with pytest.raises(EvaluationError, match=message):
        retrieval_table(ecg, cmr)


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_1_is_refused(pairs, k):
    with pytest.raises(ValueError, match="k has to be 1 or more"):
        recall_at_k(*pairs, ks=(k,))
