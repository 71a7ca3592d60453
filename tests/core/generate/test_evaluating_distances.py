"""Distances of samples with answers known beforehand, and halves of subjects."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from cardionets_core.errors import EvaluationError
from cardionets_core.generate.evaluating.distances import (
    Spread,
    distances_over_halves,
    frechet_components,
    frechet_to,
    halvings,
    kernel_to,
)
from cardionets_core.generate.evaluating.space import FeatureSpace, distance_rows


def exactly(mean, covariance, n=50, seed=0):
    """A sample whose own mean and covariance are these."""
    sample = np.random.default_rng(seed).normal(size=(n, len(mean)))
    sample -= sample.mean(axis=0)
    white = sample @ np.linalg.inv(np.linalg.cholesky(np.cov(sample, rowvar=False))).T
    return np.asarray(mean) + white @ np.linalg.cholesky(covariance).T


def test_frechet_distance_of_two_normals_along_the_axes_is_the_textbook_sum():
    a = exactly([0.0, 1.0], np.diag([4.0, 9.0]))
    b = exactly([3.0, -1.0], np.diag([1.0, 25.0]), n=80, seed=1)
    # Squares of the means' differences, 3 and 2, and of the SDs', 1 and 2.
    assert frechet_to(b)(a) == pytest.approx(9 + 4 + 1 + 4)


def test_frechet_distance_of_slanted_normals_agrees_with_a_matrix_root():
    rng = np.random.default_rng(3)
    first, second = (m @ m.T + np.eye(5) for m in rng.normal(size=(2, 5, 5)))
    a, b = exactly(np.zeros(5), first), exactly(np.ones(5), second, seed=2)
    wanted = 5 + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet_to(b)(a) == pytest.approx(wanted, rel=1e-9)
    assert frechet_to(a)(b) == pytest.approx(wanted, rel=1e-9)


def test_frechet_distance_of_a_sample_to_itself_is_zero_even_where_it_is_flat():
    sample = np.random.default_rng(0).normal(size=(40, 6))
    sample[:, 3] = 2.0
    assert frechet_to(sample)(sample) == pytest.approx(0.0, abs=1e-9)


def test_kernel_distance_is_the_unbiased_mean_over_pairs():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(5, 3)), rng.normal(size=(7, 3)) + 1

    def kernel(x, y):
        return (x @ y / 3 + 1) ** 3

    def within(sample):
        return np.mean(
            [kernel(x, y) for i, x in enumerate(sample) for j, y in enumerate(sample) if i != j]
        )

    between = np.mean([kernel(x, y) for x in a for y in b])
    assert kernel_to(b)(a) == pytest.approx(within(a) + within(b) - 2 * between)


def test_kernel_distance_of_one_distribution_is_about_zero_and_of_another_is_not():
    rng = np.random.default_rng(5)
    same = [kernel_to(rng.normal(size=(60, 8)))(rng.normal(size=(60, 8))) for _ in range(200)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(len(same))
    assert min(same) < 0
    moved = [kernel_to(rng.normal(size=(60, 8)))(rng.normal(size=(60, 8)) + 1) for _ in range(20)]
    assert min(moved) > max(same)


@pytest.mark.parametrize(
    ("samples", "available", "wanted"),
    [(10_000, 500, 64), (10_000, 20, 20), (350, 64, 35), (80, 64, 8), (79, 64, 0)],
)
def test_a_frechet_distance_has_ten_samples_for_each_of_64_components_at_most(
    samples, available, wanted
):
    assert frechet_components(samples, available) == wanted


def test_a_subject_is_in_one_half_with_all_records():
    subjects = np.array(["a", "b", "c", "d", "e", "a", "a", "c"])
    for first, second in halvings(subjects, 20, seed=0):
        assert sorted([*first, *second]) == list(range(len(subjects)))
        assert not set(subjects[first]) & set(subjects[second])


def test_halves_are_refused_where_there_are_too_few_subjects():
    with pytest.raises(EvaluationError, match="3 subjects cannot be halved"):
        halvings(np.array(["a", "b", "c"]), 1, seed=0)


def test_a_method_that_draws_from_the_same_distribution_reaches_the_floor_and_one_beside_not():
    rng = np.random.default_rng(0)
    real, like = rng.normal(size=(2, 200, 8))
    beside = like + 2
    halves = halvings(np.arange(200).astype(str), 10, seed=0)
    for distance_to in (frechet_to, kernel_to):
        found = distances_over_halves(real, {"like": like, "beside": beside}, halves, distance_to)
        floor, like_spread = Spread.of(found["real"]), Spread.of(found["like"])
        assert like_spread.low < floor.high
        assert Spread.of(found["beside"]).low > floor.high


def test_rows_hold_no_frechet_distance_where_halves_are_too_small():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(300, 12)).astype(np.float32)
    space = FeatureSpace.fit(train)
    subjects = np.arange(400).astype(str)
    real, drawn = rng.normal(size=(2, 400, 12)).astype(np.float32)
    rows = distance_rows(space, real, {"made-up": drawn}, subjects, count=3, seed=0)
    assert {row["measure"] for row in rows} == {"frechet", "kid"}
    assert all(row["samples"] == 200 for row in rows)
    assert [row["excess"] for row in rows if row["method"] == "real"] == [0.0, 0.0]
    few = distance_rows(space, real[:40], {"made-up": drawn[:40]}, subjects[:40], count=3, seed=0)
    assert {row["measure"] for row in few} == {"kid"}
