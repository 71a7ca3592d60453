"""The shuffled control, and the search for copies of training cines."""

from __future__ import annotations

import numpy as np
import pytest

from cardionets_core.errors import EvaluationError
from cardionets_core.generate.evaluating.memorisation import (
    Nearest,
    closeness_rows,
    nearest_features,
    nearest_pixels,
)
from cardionets_core.generate.evaluating.shuffling import derangement


@pytest.mark.parametrize("seed", range(20))
def test_nobody_keeps_the_own_condition_and_everybodys_goes_around_once(seed):
    subjects = np.array([f"s{i}" for i in range(7)])
    dealt = derangement(subjects, seed)
    assert (dealt != np.arange(7)).all()
    assert sorted(dealt) == list(range(7))


def test_no_record_is_given_another_record_of_its_own_subject():
    subjects = np.array(["a", "b", "a", "c", "a", "b"])
    for seed in range(20):
        assert (subjects[derangement(subjects, seed)] != subjects).all()


def test_shuffling_follows_from_its_seed():
    subjects = np.arange(50).astype(str)
    assert (derangement(subjects, 3) == derangement(subjects, 3)).all()
    assert (derangement(subjects, 3) != derangement(subjects, 4)).any()


def test_one_subject_cannot_be_shuffled():
    with pytest.raises(EvaluationError, match="somebody else"):
        derangement(np.array(["a", "a"]), 0)


def cines(n, seed, shape=(3, 8, 8)):
    return np.random.default_rng(seed).uniform(-1, 1, (n, *shape)).astype(np.float32)


def test_the_nearest_and_second_nearest_training_cines_are_those_of_a_plain_search():
    own, train = cines(9, 0), cines(23, 1)
    nearest, second, place = nearest_pixels(
        lambda places: own[places], 9, lambda: iter([train[:10], train[10:]])
    )
    plain = np.sqrt(((own[:, None] - train[None]) ** 2).mean(axis=(2, 3, 4)))
    ordered = np.sort(plain, axis=1)
    assert nearest == pytest.approx(ordered[:, 0], rel=1e-4)
    assert second == pytest.approx(ordered[:, 1], rel=1e-4)
    assert (place == plain.argmin(axis=1)).all()


def found_for(own, train):
    nearest, second, place = nearest_pixels(lambda p: own[p], len(own), lambda: iter([train]))
    flat, known = own.reshape(len(own), -1), train.reshape(len(train), -1)
    return Nearest(nearest_features(flat, known), nearest, nearest / second, place)


def test_copies_of_training_cines_are_all_found_and_new_ones_are_not():
    train = cines(40, 1)
    noise = 0.01 * cines(30, 2)
    found = {
        "real": found_for(cines(200, 3), train),
        "copies": found_for(train[:30] + noise, train),
        "new": found_for(cines(200, 4), train),
    }
    rows = {(row["method"], row["measure"]): row for row in closeness_rows(found)}
    for measure in ("feature", "pixel", "ratio"):
        assert rows["copies", measure]["closer"] == rows["copies", measure]["records"] == 30
        assert rows["new", measure]["share"] < 0.05
        # One in a hundred of real cines lies below their own first percentile.
        assert rows["real", measure]["closer"] == 2


def test_a_blurred_cine_is_near_in_pixels_and_yet_no_copy_by_the_ratio():
    train = cines(40, 1)
    mean = np.repeat(train.mean(axis=0)[None], 30, axis=0)
    found = {"real": found_for(cines(200, 3), train), "mean": found_for(mean, train)}
    rows = {(row["method"], row["measure"]): row for row in closeness_rows(found)}
    assert rows["mean", "pixel"]["share"] == 1.0
    assert rows["mean", "ratio"]["share"] == 0.0


def test_cosine_distance_of_features_does_not_depend_on_their_length():
    train = np.array([[1.0, 0.0], [0.0, 2.0]])
    own = np.array([[5.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    assert nearest_features(own, train) == pytest.approx([0.0, 1 - np.sqrt(0.5), 1.0])
