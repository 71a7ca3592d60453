"""Fingerprints tell what was trained on from what only validated."""

from __future__ import annotations

import numpy as np
import pytest

from cardionets_core.cohort.guard import Fingerprints


def same(one, other):
    arrays, others = one.arrays(), other.arrays()
    assert arrays.keys() == others.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, others[name], err_msg=name)


def test_validation_rows_are_seen_and_not_trained_on(cohort):
    seen = Fingerprints.of(cohort, [0, 2, 4], validated=[4])
    assert seen.overlap(cohort).rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert seen.trained_on.overlap(cohort).rows.tolist() == [0, 1, 2, 3]


def test_without_validation_rows_everything_counts_as_trained_on(cohort):
    seen = Fingerprints.of(cohort, [0, 2])
    assert seen.trained_on is seen
    same(Fingerprints.of(cohort, [0, 2], validated=[]), seen)


def test_a_merged_lineage_was_trained_on_what_any_part_was(cohort):
    child = Fingerprints.of(cohort, [0, 2], validated=[2])
    parent = Fingerprints.of(cohort, [2])
    assert child.merge(parent).trained_on.overlap(cohort).rows.tolist() == [0, 1, 2, 3]
    other = Fingerprints.of(cohort, [6, 8], validated=[8])
    both = child.merge(other)
    assert both.trained_on.overlap(cohort).rows.tolist() == [0, 1, 6, 7]
    assert both.overlap(cohort).rows.tolist() == [0, 1, 2, 3, 6, 7, 8, 9]


@pytest.mark.parametrize("validated", [None, [2]])
def test_what_was_trained_on_survives_saving(cohort, tmp_path, validated):
    seen = Fingerprints.of(cohort, [0, 2], validated=validated)
    seen.save(tmp_path / "seen.npz")
    same(Fingerprints.load(tmp_path / "seen.npz"), seen)
