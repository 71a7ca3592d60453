"""Where cases begin: the best Youden index, and nothing that rounding could decide."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cardionets_core.evaluate.thresholds import youden_threshold


def youden(y, score, threshold):
    called = score >= threshold
    return called[y == 1].mean() - called[y == 0].mean()


@pytest.mark.parametrize("seed", range(20))
def test_no_other_threshold_has_a_higher_youden_index(seed):
    draw = np.random.default_rng(seed)
    y = (draw.random(40) < 0.3).astype(float)
    score = np.round(draw.random(40) + 0.3 * y, 1 if seed % 2 else 6)
    best = max(youden(y, score, value) for value in (*score, 9.0))
    assert youden(y, score, youden_threshold(y, score)) == pytest.approx(best)


def test_it_lies_midway_between_the_two_scores_that_it_parts():
    assert youden_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.7, 0.9])) == 0.5


def test_the_lowest_of_equally_good_ones_is_taken():
    y, score = np.array([0.0, 1, 0, 1]), np.array([0.1, 0.3, 0.5, 0.7])
    assert youden_threshold(y, score) == pytest.approx(0.2)


def test_scores_that_tell_nothing_call_everybody_a_case():
    assert youden_threshold(np.array([0, 1, 0, 1]), np.full(4, 0.25)) == 0.25
    turned_round = youden_threshold(np.array([1.0, 0]), np.array([0.2, 0.8]))
    assert turned_round == pytest.approx(0.2)


def test_unknown_labels_are_left_out():
    y, score = np.array([0, 1, np.nan, np.nan]), np.array([0.2, 0.6, 0.0, 0.99])
    assert youden_threshold(y, score) == pytest.approx(0.4)


@pytest.mark.parametrize("y", [[1, 1, np.nan], [0, 0, 0], [np.nan] * 3])
def test_one_class_has_no_threshold(y):
    assert math.isnan(youden_threshold(np.array(y, dtype=float), np.array([0.1, 0.5, 0.9])))


def test_a_table_of_float32_keeps_a_threshold_that_decides_alike():
    below = np.float32(0.1)
    scores = np.array([below, np.nextafter(below, np.float32(1))])
    threshold = np.float32(youden_threshold(np.array([0.0, 1.0]), scores))
    assert (scores >= threshold).tolist() == [False, True]
    far = youden_threshold(np.array([0.0, 1.0]), np.array([0.1, 0.2], dtype=np.float32))
    assert float(np.float32(far)) == far
